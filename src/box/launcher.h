/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launcher: a small single-threaded child process in its own minimal mount namespace that makes
 * sandboxes for the daemon. (Creating a mount namespace costs time proportional to the mounts it
 * copies, and the daemon's memory must not be copied.) It is forked before the daemon has threads
 * or much memory; they speak over a SOCK_SEQPACKET socket, one message a request or event,
 * descriptors passed along. PID 1 of each sandbox is the launcher's child, so it reaps and reports.
 *
 * The daemon's end below is asynchronous: requests carry a tag, events come back with it.
 */
#pragma once

#include "box/box.h"

struct cay_launcher;

/* agent_exe_fd: cay-agent, opened O_RDONLY|O_CLOEXEC; ownership stays. */
int cay_launcher_start(int agent_exe_fd, struct cay_launcher **ret,
		       struct cay_error *err) CAY_NODISCARD;

/* Ends the launcher, which ends all its sandboxes and leaves nothing of them (the same happens when
 * the daemon dies), waits for that, and frees the handle. NULL is fine. */
void cay_launcher_stop(struct cay_launcher *l);

/* Readable when an event waits; end of file (see next_event) when the launcher has died. */
int cay_launcher_fd(const struct cay_launcher *l);

/* Asks for what the first sandbox would otherwise wait for (the skeleton layer). No event follows;
 * a failure shows in the first report. */
int cay_launcher_prepare(struct cay_launcher *l, const char *cache_dir,
			 struct cay_error *err) CAY_NODISCARD;

/* Asks for a sandbox. listen_fd, log_fd: as in struct cay_box_agent; stay the caller's. config is
 * copied. */
int cay_launcher_create(struct cay_launcher *l, uint64_t tag, const struct cay_box_spec *spec,
			int listen_fd, int log_fd, json_t *config,
			struct cay_error *err) CAY_NODISCARD;

/* Asks for the end of a sandbox made by this launcher, by name. DESTROYED follows. */
int cay_launcher_destroy(struct cay_launcher *l, uint64_t tag, const char *name,
			 struct cay_error *err) CAY_NODISCARD;

enum cay_launcher_event_kind {
	CAY_LAUNCHER_CREATED, /* box.status_fd, box.pidfd, box.pid, box.report, box.setup_ns: yours
			       */
	CAY_LAUNCHER_FAILED,  /* error */
	CAY_LAUNCHER_DESTROYED, /* nothing of it is left */
	CAY_LAUNCHER_EXITED, /* tag 0: PID 1 of `name` ended by itself; name, exit_status (wait(2)),
			      * oom. Its cgroup has been removed already. */
	CAY_LAUNCHER_GONE,   /* the launcher itself has died */
};

struct cay_launcher_event {
	enum cay_launcher_event_kind kind;
	uint64_t tag;
	char name[64];
	struct cay_box box;
	int exit_status;
	bool oom;
	struct cay_error error;
};

/* 1: *ret is filled; 0: nothing waits (the descriptor is non-blocking). */
int cay_launcher_next_event(struct cay_launcher *l, struct cay_launcher_event *ret);
