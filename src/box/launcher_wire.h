/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages between the daemon and its launcher: one JSON text a packet, descriptors beside it.
 *
 *	create   {"op":"create","tag",<spec>,"has_log"}     fds: config (a memfd), listen, log?
 *	destroy  {"op":"destroy","tag","name"}
 *	created  {"event":"created","tag","name","pid","setup_ns","report"}  fds: status, pidfd
 *	failed   {"event":"failed","tag","name","error":{...}}
 *	destroyed, exited {"event":...,"tag","name","status","oom"}
 */
#pragma once

#include <jansson.h>

#include "box/launcher.h"

enum { CAY_LAUNCHER_TEXT_MAX = 65536 };

/* Sends a message (taken). -1 with errno. */
int cay_launcher_send(int sock, json_t *message, const int *fds, size_t n_fds);

/* Receives one. 1; 0: end of file; -1 with errno. *ret_message is owned by the caller, as are the
 * descriptors (CAY_FD_PASS_MAX). EBADMSG: not a message. */
int cay_launcher_receive(int sock, json_t **ret_message, int *fds, size_t *n_fds);

json_t *cay_launcher_pack_spec(uint64_t tag, const struct cay_box_spec *spec, bool has_log);

/* Strings are borrowed from the message. */
int cay_launcher_unpack_spec(const json_t *message, struct cay_box_spec *ret,
			     struct cay_error *err) CAY_NODISCARD;

json_t *cay_launcher_pack_error(const struct cay_error *error);
void cay_launcher_unpack_error(const json_t *packed, struct cay_error *ret);

/* The launcher process: serves `sock` until its end of file. Never returns. */
void cay_launcher_main(int sock, int agent_exe_fd) __attribute__((noreturn));
