/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a spec to a living first process: what cay_box_run and cay_box_start have in common, on the
 * parent's side. Life cycle: init, fork, (use), fini; fini after a failure at any point leaves
 * nothing behind.
 *
 *	parent                                   child (born into its namespaces)
 *	prepare: facts, skeleton, plan,
 *	         cgroup, id-mapped mounts
 *	clone3 --------------------------------> waits, if the parent has something to do
 *	(privileged: id maps, skeleton's mount;
 *	 v1 cgroups: move the child)
 *	GO ------------------------------------> applies the plan
 *	                                         runs the body (exec, or init of a command)
 *	message <------------------------------- ERROR, or what the body reports
 */
#pragma once

#include "box/apply.h"
#include "box/box.h"
#include "box/plan.h"
#include "kern/cgroup.h"

struct cay_spawn {
	const struct cay_box_spec *spec;
	struct cay_host host;
	struct cay_plan plan;
	struct cay_apply apply;
	struct cay_facts facts;

	bool privileged;
	uint64_t start_ns;
	int skeleton_fd; /* holds the lock; -1: none */
	char *skeleton_path;
	char skeleton_reason[200]; /* why there is none */
	const struct cay_cgroup_host *cgroups;
	struct cay_cgroup_host own_cgroups;
	struct cay_cgroup cgroup;
	char cgroup_reason[CAY_CGROUP_CONTROLLERS][160];

	pid_t pid;
	int pidfd;
	int sock; /* our end of the socket to the child */
};

/* One message from the child. Plain data, one packet each. */
enum cay_message_kind {
	CAY_MESSAGE_ERROR,    /* there is no sandbox */
	CAY_MESSAGE_READY,    /* facts: the plan is applied; of an agent: it is executed now */
	CAY_MESSAGE_TERMINAL, /* the leader of the sandbox's terminal is attached */
	CAY_MESSAGE_STARTED,  /* facts: the command runs */
	CAY_MESSAGE_NO_EXEC,  /* facts; status: errno of exec */
	CAY_MESSAGE_EXITED,   /* status, as of wait(2): the command has ended */
};

struct cay_message {
	enum cay_message_kind kind;
	int status;
	union {
		struct cay_error error;
		struct cay_facts facts;
	};
};

/* with_agent: limits go on a leaf for the work. cgroups: what the host offers, borrowed; NULL: look
 * when it is needed. */
int cay_spawn_init(struct cay_spawn *s, const struct cay_box_spec *spec, bool with_agent,
		   const struct cay_cgroup_host *cgroups, struct cay_error *err) CAY_NODISCARD;

/* The child's part after the plan: never returns. sock: its end of the socket. */
typedef void cay_spawn_body(struct cay_spawn *s, int sock, void *arg);

/* Makes the process and lets it go on. Afterwards s->pid, pidfd and sock are set. */
int cay_spawn_fork(struct cay_spawn *s, cay_spawn_body *body, void *arg,
		   struct cay_error *err) CAY_NODISCARD;

/* In the child: tells the parent, and ends. */
void cay_spawn_die(int sock, const struct cay_error *err) __attribute__((noreturn));
void cay_spawn_send(int sock, const struct cay_message *message, int fd);

/* The next message. 1; 0: the child has closed its end; -1 with errno. *ret_fd: -1 or one that came
 * with it, owned by the caller. */
int cay_spawn_receive(struct cay_spawn *s, struct cay_message *ret, int *ret_fd);

/* Kills and reaps the child if it still lives, removes the cgroup, closes everything. *ret_oom (may
 * be NULL): whether memory ran out inside. */
void cay_spawn_fini(struct cay_spawn *s, bool *ret_oom);

/* What is in force, for people and programs. */
json_t *cay_spawn_report(const struct cay_spawn *s);
