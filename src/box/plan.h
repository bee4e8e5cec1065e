/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan: everything that will be done to make a sandbox, as an array of steps with a reason
 * each, in order. Making it is pure: the spec and a few facts about the host go in, steps come out;
 * nothing is looked at and nothing is changed. box/apply.h walks it, box/explain.c prints it.
 *
 * How the file system is put together (all of it in one tmpfs, the "base", so that one size bounds
 * what a sandbox can write):
 *
 *	base/root          the sandbox's root when the host's folders are used: a plain folder
 *	base/all.up, .work the writable layer of a root that is an overlay over a given folder
 *	base/usr.up, .work the writable layer of /usr, and so on for each overlay
 *	base/dev           /dev, where the root is an overlay
 *	base/skel, lower   where the skeleton layer and a given root are attached for the overlays
 *	base/mask          an empty file and an empty folder, to cover things with
 *
 * Folders, files and links that we add are put into the writable layers before these are mounted:
 * so nothing is ever created through a path that a given root controls, and what we put wins over
 * what the root has at that name (a symlink at /dev, for example, is covered, never followed).
 */
#pragma once

#include "box/box.h"

enum cay_step_kind {
	CAY_STEP_NAMESPACES, /* value: CLONE_NEW* */
	CAY_STEP_IDS,
	CAY_STEP_CGROUP,
	CAY_STEP_NETWORK, /* starts making it */
	CAY_STEP_PRIVATE,
	CAY_STEP_BASE,       /* value: most bytes; 0: half of the memory */
	CAY_STEP_DIR,        /* value: its mode */
	CAY_STEP_SYMLINK,    /* source: what it says */
	CAY_STEP_FILE,       /* source: the content */
	CAY_STEP_HIDE,       /* a name of the host's that is covered (a whiteout) */
	CAY_STEP_ROOT_HOST,  /* the root is base/root */
	CAY_STEP_ROOT_LOWER, /* the root is an overlay over the folder `source` */
	CAY_STEP_OVERLAY,    /* the host's folder `source` below a writable layer */
	CAY_STEP_PROC,
	CAY_STEP_MASK_FILE,
	CAY_STEP_MASK_DIR,
	CAY_STEP_READ_ONLY,
	CAY_STEP_JOIN_NETWORK,
	CAY_STEP_SYSFS,
	CAY_STEP_SYS_HOST, /* a part of the host's /sys, read-only */
	CAY_STEP_DEV,      /* /dev of a root that is an overlay */
	CAY_STEP_DEVICE,   /* the host's device */
	CAY_STEP_DEVPTS,
	CAY_STEP_WORKSPACE, /* value: 1 if read-only */
	CAY_STEP_PIVOT,
	CAY_STEP_HOSTNAME,
	CAY_STEP_SESSION,
	CAY_STEP_LIMITS,
	CAY_STEP_NO_NEW_PRIVS,
	CAY_STEP_LANDLOCK,
	CAY_STEP_CAPS,
	CAY_STEP_SECCOMP,
	CAY_STEP_KINDS,
};

const char *cay_step_name(enum cay_step_kind kind);

struct cay_step {
	enum cay_step_kind kind;
	const char *source, *target; /* NULL where they mean nothing */
	uint64_t value;              /* as the kind says; 0: none */
	bool optional;               /* a target that does not exist is fine */
	const char *reason;
};

enum { CAY_PLAN_STEPS_MAX = 192, CAY_PLAN_TEXT_MAX = 4096 };

struct cay_plan {
	struct cay_step steps[CAY_PLAN_STEPS_MAX];
	size_t n;
	bool root_is_overlay;
	uint64_t namespaces;
	char text[CAY_PLAN_TEXT_MAX]; /* strings that are made, not constant */
	size_t text_n;
};

/* ---- the facts about the host ---- */

enum cay_host_kind {
	CAY_HOST_ABSENT,
	CAY_HOST_LINK,
	CAY_HOST_DIR,
	CAY_HOST_EMPTY_DIR,
};

enum { CAY_HOST_DIRS = 10 };

struct cay_host {
	struct {
		const char *name; /* "usr" */
		enum cay_host_kind kind;
		char link[64];
	} dirs[CAY_HOST_DIRS];
	char *resolv_conf; /* read only where the host's network is used; owned */
};

/* Looks at the host, shallowly. */
void cay_host_read(bool want_resolv_conf, struct cay_host *ret);
void cay_host_fini(struct cay_host *host);

/* ---- making it ---- */

/* Strings of spec and host are borrowed by the plan. has_skeleton: the skeleton layer is there
 * (box/skeleton.h); without it the names of secrets are covered in the writable layer. */
int cay_plan_build(const struct cay_box_spec *spec, const struct cay_host *host, bool has_skeleton,
		   struct cay_plan *ret, struct cay_error *err) CAY_NODISCARD;
