/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent is told at its start: where commands run, as whom, with which environment, and the
 * descriptors that put them into their cgroup. Read once from JSON (base/agent_proto.h); in bare
 * mode everything has a default taken from the process itself.
 */
#pragma once

#include <sys/types.h>

#include "base/error.h"

enum {
	CAY_AGENT_CGROUP_FDS_MAX = 8,
	CAY_AGENT_CONFIG_MAX = 1 << 20, /* bytes of JSON */
};

struct cay_agent_config {
	char *working_dir; /* absolute */
	char *username;
	char *home;
	uid_t uid;
	gid_t gid;
	char **env; /* of every command: PATH, HOME, USER, TERM, LANG, then what was configured */
	char *session_api_key; /* NULL: none is asked for */
	int work_cgroup_fds[CAY_AGENT_CGROUP_FDS_MAX];
	size_t n_work_cgroup_fds;
	int memory_events_fd;         /* -1: none */
	unsigned no_change_timeout_s; /* NO_CHANGE_TIMEOUT_SECONDS of the environment, or 10 */
};

/* Defaults of this process: its ids, passwd entry and working folder. */
void cay_agent_config_init(struct cay_agent_config *c);
void cay_agent_config_fini(struct cay_agent_config *c);

/* Reads JSON from a descriptor. Descriptors that it names now belong to the configuration and are
 * CLOEXEC. */
int cay_agent_config_read(struct cay_agent_config *c, int fd, struct cay_error *err) CAY_NODISCARD;

/* Replaces the working folder; `dir` is absolute. */
int cay_agent_config_set_working_dir(struct cay_agent_config *c, const char *dir,
				     struct cay_error *err) CAY_NODISCARD;
