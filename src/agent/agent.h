/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole agent, from its options to its end: as PID 1 of a sandbox (--inherit, see
 * base/agent_proto.h), or bare, as an ordinary process in a container or a test.
 */
#pragma once

#include "base/error.h"

enum { CAY_AGENT_LISTEN_MAX = 8 };

struct cay_agent_options {
	bool inherit;
	const char *listen[CAY_AGENT_LISTEN_MAX]; /* bare: "unix:PATH" or "ADDR:PORT" */
	size_t n_listen;
	const char *working_dir; /* bare; NULL: the process's own. Created where it is missing. */
	const char *config;      /* bare: a file with JSON; NULL: none */
};

/* Serves until SIGTERM or SIGINT, then ends all programs that it has started. -1: it could not
 * start. */
int cay_agent_run(const struct cay_agent_options *options, struct cay_error *err) CAY_NODISCARD;
