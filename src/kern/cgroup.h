/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control groups, version 2 (cgroups(7)), version 1, and both at once (hybrid): below the caller's
 * own group, a group with limits for one set of processes. Where a controller cannot be used, that
 * is a fact with a reason, not an error: the caller decides what to do without it.
 *
 * Version 2 allows no processes in a group that hands controllers on. Where the caller's own group
 * holds processes (it always holds the caller), groups are made beside it, below its parent, if
 * that is ours to write.
 */
#pragma once

#include <sys/types.h>

#include "base/error.h"

enum cay_cgroup_controller {
	CAY_CGROUP_MEMORY,
	CAY_CGROUP_PIDS,
	CAY_CGROUP_CPU,
	CAY_CGROUP_CONTROLLERS,
};

const char *cay_cgroup_controller_name(enum cay_cgroup_controller c);

/* What this process may use. */
struct cay_cgroup_host {
	struct {
		int version;      /* 1, 2, or 0: cannot be used */
		int dir_fd;       /* where groups are made */
		char reason[160]; /* why not */
	} controllers[CAY_CGROUP_CONTROLLERS];
};

void cay_cgroup_host_open(struct cay_cgroup_host *ret);
void cay_cgroup_host_close(struct cay_cgroup_host *host);

struct cay_cgroup_limits {
	uint64_t memory_bytes; /* 0: none, for each */
	uint64_t pids;
	double cpus;
};

/* A group, none if it is all zero: for each controller in use a folder (the same one for all of version 2). */
struct cay_cgroup {
	int version[CAY_CGROUP_CONTROLLERS]; /* 0: not in use */
	int parent_fd[CAY_CGROUP_CONTROLLERS];
	int dir_fd[CAY_CGROUP_CONTROLLERS];
	char name[128];
};

/* Makes the group `name` with those controllers for which there is a limit and the host has the
 * means; for the others reason[c] says why not. With `leaves`, the limits are put on a sub-group
 * "work", and the group's first process lives outside of it (in a sub-group "main" on version 2):
 * so what runs out of memory is the work, not who supervises it. An error (nothing is left then) is
 * only what should have worked. */
int cay_cgroup_create(const struct cay_cgroup_host *host, const char *name, bool leaves,
		      const struct cay_cgroup_limits *limits, struct cay_cgroup *ret,
		      char reason[CAY_CGROUP_CONTROLLERS][160],
		      struct cay_error *err) CAY_NODISCARD;

/* Version 2: the folder in which to be born (CLONE_INTO_CGROUP), owned by the caller; else -1. */
int cay_cgroup_birth_fd(const struct cay_cgroup *g);

/* Moves a process into the group's folders of version 1. */
int cay_cgroup_attach(const struct cay_cgroup *g, pid_t pid, struct cay_error *err) CAY_NODISCARD;

/* cgroup.procs files of the work leaf, one for each hierarchy; owned by the caller. How many. */
size_t cay_cgroup_open_work(const struct cay_cgroup *g, int fds[CAY_CGROUP_CONTROLLERS]);

/* The file that counts killings for want of memory (memory.events or memory.oom_control of the
 * limited group), owned by the caller; -1: no such limit. And the count itself. */
int cay_cgroup_open_oom(const struct cay_cgroup *g);
uint64_t cay_cgroup_oom_kills(const struct cay_cgroup *g);

/* Removes the group, whose processes must have ended, and closes it. -1 with errno. */
int cay_cgroup_destroy(struct cay_cgroup *g);

/* Closes it; it stays. */
void cay_cgroup_close(struct cay_cgroup *g);

/* A group that exists already, by name; what there is of it. `host` must outlive it. */
void cay_cgroup_find(const struct cay_cgroup_host *host, const char *name, struct cay_cgroup *ret);

/* Removes every empty group for whose name `stale` is true. How many. */
unsigned cay_cgroup_sweep(const struct cay_cgroup_host *host, bool (*stale)(const char *name));
