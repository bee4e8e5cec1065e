/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One command from start to end: its output collected, up to CAY_EXEC_OUTPUT_MAX bytes of each
 * stream (what comes after is read and thrown away, so that the command does not block, and said).
 */
#pragma once

#include "agent/child.h"
#include "base/buf.h"

enum { CAY_EXEC_OUTPUT_MAX = 8 << 20 };

struct cay_exec;

struct cay_exec_result {
	struct cay_child_end end;
	struct cay_buf output[CAY_STREAM_COUNT];
	bool truncated;
	uint64_t duration_ns;
};

struct cay_exec_options {
	char **argv; /* borrowed during the call, as the others */
	char **env;
	const char *cwd;
	const char *input; /* NULL: /dev/null */
	size_t input_n;
	uint64_t timeout_ms; /* 0: none */

	/* Once; the result and the exec are gone when it returns. */
	void (*on_done)(struct cay_exec *e, const struct cay_exec_result *result, void *arg);
	void *arg;
};

int cay_exec_start(struct cay_service *s, const struct cay_exec_options *options,
		   struct cay_exec **ret, struct cay_error *err) CAY_NODISCARD;

/* Nobody waits for the result any more: SIGTERM to the group, SIGKILL a second later; on_done is
 * not called. The exec frees itself. */
void cay_exec_abandon(struct cay_exec *e);
