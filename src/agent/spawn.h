/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a program: vfork(2), so that it costs the same however large the agent is, and a child
 * that arranges itself before it executes anything: own session, own process group, controlling
 * terminal where there is one, the work's cgroup, default signals, no inherited descriptor, and a
 * raised oom_score_adj so that the OOM killer takes the work and not the agent.
 *
 * Failures of the child are reported here, as errors of the call: CAY_E_NO_COMMAND,
 * CAY_E_NOT_EXEC, or NOT_FOUND for the working folder.
 */
#pragma once

#include <sys/types.h>

#include "base/error.h"

struct cay_agent_config;

struct cay_spawner {
	const struct cay_agent_config *config; /* borrowed */
	int oom_fd;                            /* our own oom_score_adj, or -1 */
	int oom_own, oom_work;
};

/* To be called before the process becomes non-dumpable: afterwards /proc/self belongs to root. */
void cay_spawner_init(struct cay_spawner *s, const struct cay_agent_config *config);
void cay_spawner_fini(struct cay_spawner *s);

struct cay_spawn {
	const char *const *argv; /* argv[0] without '/' is looked up in the PATH of env */
	const char *const *env;
	const char *cwd;
	int stdio[3];  /* become 0, 1, 2; stay the caller's; each >= 3 */
	bool terminal; /* stdio[0] is a terminal: make it the controlling one */
	struct cay_spawn_fd {
		int fd, as; /* fd becomes `as` in the child; as >= 3 */
	} extra[2];
	size_t n_extra;
};

int cay_spawn(const struct cay_spawner *s, const struct cay_spawn *spawn, pid_t *ret_pid,
	      struct cay_error *err) CAY_NODISCARD;
