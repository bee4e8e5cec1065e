/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal that we stand on: raw mode (termios(3), cfmakeraw) and its size. Raw means that
 * keys arrive as bytes, Ctrl-C included, and go to the program at the other end.
 * cay_terminal_restore must be called on every way out; it is fine to call it twice.
 */
#pragma once

#include <stdbool.h>
#include <termios.h>

#include "base/error.h"

struct cay_terminal {
	int fd;
	bool raw;
	struct termios saved;
};

/* Does nothing where fd is not a terminal. */
int cay_terminal_set_raw(struct cay_terminal *t, int fd, struct cay_error *err) CAY_NODISCARD;
void cay_terminal_restore(struct cay_terminal *t);

/* Of the first of our three standard descriptors that is a terminal; 24 by 80 where none is. */
void cay_terminal_get_size(unsigned *ret_rows, unsigned *ret_cols);
