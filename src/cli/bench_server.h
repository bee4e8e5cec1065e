/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the groups that need a server share: a server of this run's own, on a free port, with a
 * state folder that goes with the run; and a blocking HTTP exchange on a kept connection, so that
 * what is measured is the server and not an event loop of the client.
 */
#pragma once

#include <jansson.h>
#include <sys/types.h>

#include "base/buf.h"
#include "cli/bench.h"

struct cay_bench_server {
	pid_t pid;
	int log_fd; /* its stderr; drained at the end only: it says little */
	unsigned port;
	char *state, *url, *key;
};

/* Starts it where it does not run yet. */
int cay_bench_server_start(struct cay_bench *b, struct cay_error *err) CAY_NODISCARD;
void cay_bench_server_stop(struct cay_bench *b);

struct cay_bench_http {
	int fd;
	const char *header; /* one header line without its end, such as the key; NULL: none */
	struct cay_buf in;
};

int cay_bench_http_open(struct cay_bench_http *h, const char *unix_path, unsigned port,
			const char *header, struct cay_error *err) CAY_NODISCARD;
void cay_bench_http_close(struct cay_bench_http *h); /* fine on one with fd -1 */

/* body: JSON text or NULL. Fails unless the status is 2xx. ret (may be NULL): the answer's JSON.
 * *ret_ns (may be NULL): from the first byte out to the last byte in. */
int cay_bench_http_call(struct cay_bench_http *h, const char *method, const char *target,
			const char *body, json_t **ret, uint64_t *ret_ns,
			struct cay_error *err) CAY_NODISCARD;

/* A sandbox of the server, with connections to the server and to its agent. */
struct cay_bench_sandbox {
	char *id, *session_header, *key_header;
	struct cay_bench_http daemon, agent;
};

/* workspace: a folder of this machine, or NULL. */
int cay_bench_sandbox_create(struct cay_bench *b, const char *workspace,
			     struct cay_bench_sandbox *ret, struct cay_error *err) CAY_NODISCARD;
void cay_bench_sandbox_destroy(struct cay_bench_sandbox *s);
