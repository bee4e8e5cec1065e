/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process in a sandbox of the server, connected to our standard descriptors.
 *
 *	start -> stream (pipes: stdout and stderr apart) or attach (a terminal) -> forget
 *
 * Its output is written as it is, to pipes and terminals alike: it is the command's, not ours.
 */
#pragma once

#include "cli/client.h"

struct cay_remote_spec {
	char *const *argv; /* NULL-terminated */
	char *const *env;  /* "K=V"; may be NULL */
	const char *cwd;   /* NULL: the sandbox's working folder */
	uint64_t timeout_ms;
	bool stdin_open; /* else it reads from /dev/null */
	bool tty;        /* a pty of our terminal's size */
};

struct cay_remote {
	struct cay_client *client;
	const char *sandbox;
	char *target; /* "/v1/sandboxes/ID/processes/PID" */
	bool stdin_open;
};

int cay_remote_start(struct cay_client *c, const char *sandbox, const struct cay_remote_spec *spec,
		     struct cay_remote *ret, struct cay_error *err) CAY_NODISCARD;

/* Until it ends: copies output and, where it was asked for, our standard input; SIGINT, SIGTERM,
 * SIGHUP and SIGQUIT go to it. *ret_status: as a shell would say. */
int cay_remote_stream(struct cay_remote *p, int *ret_status, struct cay_error *err) CAY_NODISCARD;

/* The same for a process with a terminal: ours is raw meanwhile, its size is handed on. */
int cay_remote_attach(struct cay_remote *p, int *ret_status, struct cay_error *err) CAY_NODISCARD;

/* Kills it where it still runs; the server forgets it. Frees what p owns. */
void cay_remote_forget(struct cay_remote *p);

/* The body of POST .../processes and .../exec. */
json_t *cay_remote_body(const struct cay_remote_spec *spec);
