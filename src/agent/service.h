/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every service of the agent works with: the event loop, the configuration, and how to start
 * and reap programs. One per agent; it must not know any protocol.
 */
#pragma once

#include "agent/config.h"
#include "agent/reaper.h"
#include "agent/spawn.h"

struct event_base;

struct cay_service {
	struct event_base *base;
	struct cay_agent_config config;
	struct cay_spawner spawner;
	struct cay_reaper reaper;
	int root_fd; /* "/", for paths of clients */
};

/* The first call: from here on no other process can look into this one (prctl(2), PR_SET_DUMPABLE),
 * and its files in /proc belong to root. The one that is still needed is opened before. */
void cay_service_begin(struct cay_service *s);

/* Takes the configuration over, whatever the result. */
int cay_service_init(struct cay_service *s, struct cay_agent_config *config,
		     struct cay_error *err) CAY_NODISCARD;
void cay_service_fini(struct cay_service *s);

/* The number of processes that the OOM killer has taken in the work's cgroup, 0 where there is
 * none. */
uint64_t cay_service_oom_kills(const struct cay_service *s);

/* The argument vector of a shell line: /bin/bash -c where there is bash, else /bin/sh -c. */
char **cay_service_shell_argv(const char *line);
