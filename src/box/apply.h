/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks a plan, in the child that has just been born into its namespaces, up to the last lock. When
 * it returns 0 the process is what the plan says; when it fails, the process can only report the
 * error and end, and with it everything that was done: mounts and files live in its namespaces.
 */
#pragma once

#include <sys/types.h>

#include "box/plan.h"
#include "kern/caps.h"
#include "kern/landlock.h"
#include "kern/limits.h"
#include "kern/ns.h"

/* A folder of the host that is shown inside. */
struct cay_source {
	const char *path;
	int mount_fd; /* a detached copy, made by a privileged parent; -1: the child makes it */
	dev_t dev;    /* what the parent has checked: the child must find the same */
	ino_t ino;
};

/* What is in force, as the kernel says. Plain data: it travels through a socket. */
struct cay_facts {
	uint64_t exec_ns; /* CLOCK_MONOTONIC when the command had been executed */
	uint64_t ns[CAY_NS_COUNT];
	struct cay_caps caps;
	uid_t uid;
	gid_t gid;
	int seccomp_mode, no_new_privs;
	enum cay_landlock_state landlock;
};

struct cay_apply {
	const struct cay_plan *plan;
	struct cay_ns_ids ids;
	bool maps_written; /* by a privileged parent; otherwise the child writes its own */
	struct cay_source workspace, rootfs, skeleton; /* path NULL: there is none */
	struct cay_limits limits;
	struct cay_landlock_files files; /* of the host's that stay usable */
	bool want_facts;                 /* all of them; some are always checked */
	struct cay_facts *facts;
};

int cay_apply_plan(struct cay_apply *apply, struct cay_error *err) CAY_NODISCARD;
