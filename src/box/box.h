/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local engine: a sandbox made of Linux namespaces, an overlay, seccomp, Landlock and cgroups,
 * without a daemon, Docker or root.
 *
 *	spec (validated input) -> plan (pure: an array of steps with a reason each)
 *	     -> apply (walks the plan in the child) -> report (read back from the kernel)
 *
 * Two uses. cay_box_run: one command, in the foreground, nothing left afterwards (`cay run`).
 * cay_box_start: cay-agent as PID 1, for the daemon, by way of the launcher (box/launcher.h).
 *
 * A failure at any step is a typed error (CAY_E_SETUP, the step's name in the message), and leaves
 *no process, mount, cgroup or file behind.
 */
#pragma once

#include <jansson.h>
#include <sys/types.h>

#include "base/error.h"

struct cay_buf;
struct cay_cgroup_host;

enum cay_box_level {
	CAY_BOX_LEVEL_FULL, /* the only one so far */
};

enum cay_box_net {
	CAY_BOX_NET_NONE, /* own network namespace with loopback only */
	CAY_BOX_NET_HOST, /* the host's network, as it is */
};

/* Bounds of what a spec may ask for; shared by the command line and the API. */
enum {
	CAY_BOX_MEMORY_MIN_MB = 8,
	CAY_BOX_MEMORY_MAX_MB = 16 << 20,
	CAY_BOX_PIDS_MIN = 4,
	CAY_BOX_PIDS_MAX = 1 << 22,
	CAY_BOX_CPUS_MAX = 4096,
};

/* What is asked for. Strings are borrowed. Zero means "default" for every number. */
struct cay_box_spec {
	const char *name; /* id: names the cgroup and is the host name inside; cay_text_name() */
	const char *cache_dir; /* of this user, for the skeleton layer; created 0700 if missing */
	const char *rootfs; /* folder that becomes the root, below an overlay; NULL: the host's */
	const char *workspace; /* host folder bound at /workspace; NULL: an empty private one */
	bool workspace_read_only;
	enum cay_box_net net;
	uint64_t memory_bytes; /* default: no limit beyond the host's */
	uint64_t pids;         /* default 4096 */
	double cpus;           /* 1.5 = one and a half CPUs; default: no limit */
	uint64_t timeout_ms;   /* wall clock of a run; default none */
};

/* Checks a spec as far as that needs no privilege: names, bounds, that folders exist and are
 * folders. */
int cay_box_spec_check(const struct cay_box_spec *spec, struct cay_error *err) CAY_NODISCARD;

/* `cay run --explain`: the plan, one step a line with its reason; or the same as JSON. */
int cay_box_explain(const struct cay_box_spec *spec, struct cay_buf *out,
		    struct cay_error *err) CAY_NODISCARD;
int cay_box_explain_json(const struct cay_box_spec *spec, json_t **ret,
			 struct cay_error *err) CAY_NODISCARD;

/* ---- one command ---- */

struct cay_box_command {
	const char *const *argv;
	const char *const *env; /* the whole environment inside; NULL: cay_box_default_env() */
	const char *cwd;        /* NULL: /workspace */
	bool tty;               /* own pty inside, relayed to our terminal (raw mode, resize) */
	bool no_stdin;          /* stdin is /dev/null */
	bool capture; /* collect stdout and stderr into the result, rather than inherit ours */
	size_t capture_max;
	bool report; /* fill result.report (it takes about a tenth of a millisecond) */
};

struct cay_box_result {
	int exit_code; /* as a shell would say: 128 + signal if killed by one; 124 timed out; 126,
			  127 */
	int signal;    /* 0, or what killed the command */
	bool timed_out, oom;
	uint64_t duration_ns; /* of the command */
	uint64_t setup_ns;    /* from the call to the command's exec */
	char *out, *err_out;  /* captured; owned; may hold NUL bytes */
	size_t out_n, err_out_n;
	json_t *report; /* what is in force: level, limits, what was lost and why; owned; NULL
			   where it was not asked for */
};

/* Runs to the end. SIGINT, SIGTERM, SIGHUP and SIGQUIT of ours go to the command. 0: the command
 * ran (the result says how it ended, 126 and 127 included); -1: there was no sandbox. */
int cay_box_run(const struct cay_box_spec *spec, const struct cay_box_command *command,
		struct cay_box_result *ret, struct cay_error *err) CAY_NODISCARD;
void cay_box_result_fini(struct cay_box_result *r);

/* NULL-terminated static array: PATH, HOME, USER, LOGNAME, SHELL, LANG, TERM if ours is set... */
const char *const *cay_box_default_env(void);

/* ---- a sandbox with an agent ---- */

struct cay_box_agent {
	int exe_fd;     /* cay-agent, opened for execution */
	int listen_fd;  /* becomes CAY_AGENT_LISTEN_FD */
	int log_fd;     /* the agent's stderr; -1: /dev/null */
	json_t *config; /* the configuration of agent_proto.h without what the engine adds (cgroup)
			 */
};

struct cay_box {
	char name[64];
	pid_t pid; /* in our pid namespace */
	int pidfd;
	int status_fd; /* read end: struct cay_agent_hello, then end of file when the agent is gone
			*/
	json_t *report;
	uint64_t setup_ns;
	char *cgroup; /* opaque: what cay_box_destroy needs to remove it; text, may be stored; NULL:
			 none */
	int layer_fd; /* keeps the shared skeleton layer from being removed; -1: none */
};

/* Descriptors of `agent` stay the caller's. cgroups: what the host offers, looked at once
 * (kern/cgroup.h), borrowed. The sandbox dies with the calling thread. */
int cay_box_start(const struct cay_cgroup_host *cgroups, const struct cay_box_spec *spec,
		  const struct cay_box_agent *agent, struct cay_box *ret,
		  struct cay_error *err) CAY_NODISCARD;

/* Kills everything inside, reaps PID 1 if it is our child, removes the cgroup, closes descriptors.
 * Fine on a sandbox that is dead already. *ret_oom (may be NULL): whether the OOM killer struck
 * inside. */
int cay_box_destroy(const struct cay_cgroup_host *cgroups, struct cay_box *box, bool *ret_oom,
		    struct cay_error *err);

/* ---- what this host can do ---- */

struct cay_box_probe {
	const char *feature; /* "user namespaces", "overlayfs in a user namespace", "cgroup memory",
				... */
	bool ok;
	bool required;    /* without it there is no sandbox of level full */
	char detail[200]; /* what was found, or what is lost */
	char fix[300];    /* the command or setting that would lift it; empty where ok */
};

/* Tries each feature (not: looks at version numbers). Returns how many rows were filled, at most
 * max. */
size_t cay_box_probe(const char *cache_dir, struct cay_box_probe *rows, size_t max);
