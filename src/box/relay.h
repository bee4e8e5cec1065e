/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard input and output of a run: inherited (nothing to do), captured through pipes up to a
 * maximum (what is beyond is read and dropped, so that the command does not hang), or a terminal of
 * the sandbox's own, relayed to ours, which is in raw mode for as long.
 *
 * Life cycle: init, open (before the fork), close_inner (after it), prepare and handle around each
 * poll(2), finish.
 */
#pragma once

#include <poll.h>
#include <termios.h>

#include "base/buf.h"
#include "box/box.h"

enum { CAY_RELAY_FDS = 4 };

struct cay_relay {
	const struct cay_box_command *command;
	int inner[3]; /* the sandbox's ends */
	int outer[2]; /* ours, of stdout and stderr */
	struct cay_buf captured[2];
	int terminal; /* leader of the sandbox's terminal */
	bool raw, input_ended;
	struct termios saved;
	struct cay_buf input; /* from our terminal, not yet taken by the sandbox's */
};

void cay_relay_init(struct cay_relay *r);

/* stdio: what the child makes its 0, 1 and 2 (-1: keep). */
int cay_relay_open(struct cay_relay *r, const struct cay_box_command *command, int stdio[3],
		   struct cay_error *err) CAY_NODISCARD;
void cay_relay_close_inner(struct cay_relay *r);

void cay_relay_set_terminal(struct cay_relay *r, int fd);
void cay_relay_resize(struct cay_relay *r);

size_t cay_relay_prepare(struct cay_relay *r, struct pollfd pfds[CAY_RELAY_FDS]);
void cay_relay_handle(struct cay_relay *r, const struct pollfd *pfds, size_t n);

/* Takes what is left, gives captured output to `result`, restores our terminal, closes all. */
void cay_relay_finish(struct cay_relay *r, struct cay_box_result *result);
