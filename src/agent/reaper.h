/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one place that waits for children. SIGCHLD arrives on a signalfd(2); every child that has
 * ended is then reported to whoever watches its pid, and reaped: also those that nobody watches,
 * because the agent is PID 1 of its sandbox, or else a child subreaper (prctl(2)).
 *
 * A watcher is called while the child is still a zombie (waitid(2), WNOWAIT): its pid and its
 * process group's id cannot have been given to somebody else, so it may still signal the group.
 */
#pragma once

#include <event2/event_struct.h>
#include <sys/types.h>

#include "base/error.h"

struct cay_reaper_watch {
	pid_t pid;
	/* status as of wait(2). The watch is already removed. */
	void (*on_exit)(struct cay_reaper_watch *watch, int status);
	struct cay_reaper_watch *next;
};

struct cay_reaper {
	struct cay_reaper_watch *watches;
	int signal_fd;
	struct event event;
};

/* Blocks SIGCHLD in this process; cay_spawn gives children an empty mask. */
int cay_reaper_init(struct cay_reaper *r, struct event_base *base,
		    struct cay_error *err) CAY_NODISCARD;
void cay_reaper_fini(struct cay_reaper *r);

/* The watch is the caller's and stays in place until on_exit or unwatch. To be called in the same
 * turn of the loop in which the child was started. */
void cay_reaper_watch(struct cay_reaper *r, struct cay_reaper_watch *watch);
void cay_reaper_unwatch(struct cay_reaper *r, struct cay_reaper_watch *watch);
