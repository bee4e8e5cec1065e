/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract of a provider: a place where a sandbox can live. A provider gets a machine with
 * cay-agent running in it; what happens inside is the agent's work, how long it may last the
 * manager's. A provider knows nothing of HTTP routes, names, labels or leases.
 *
 * To write one: fill a `struct cay_provider_ops`, add its row to providers.def. A NULL operation
 * means "not supported": the wrappers below turn it into UNSUPPORTED, so nobody writes stubs. All
 * operations run on the daemon's one thread and return at once; what takes time reports through
 * callbacks from the event loop, never from inside the call that asked for it.
 *
 * Life of a machine:
 *
 *	create ----> on_ready ----> (destroy) ----> on_gone
 *	       \------ (destroy) ------------------^
 *
 * create either fails (NULL, *err, no callback follows, nothing is left) or gives a handle that is
 * valid until on_gone returns. on_ready comes at most once, on_gone exactly once and last: by then
 * nothing of the machine is left (process, mount, cgroup, socket) but the files in spec->dir, which
 * belong to the manager. destroy may be called at any time in between, also twice.
 */
#pragma once

#include <jansson.h>

#include "base/error.h"

struct event_base;
struct cay_machine;
struct cay_provider;

/* What a provider can do; shown by GET /v1/runtimes under the names in cay_provider_cap_names. */
enum cay_provider_caps {
	CAY_PROVIDER_WORKSPACE = 1 << 0,    /* a folder of this host can be the workspace */
	CAY_PROVIDER_LIMITS = 1 << 1,       /* cpus, memory and pids can be limited */
	CAY_PROVIDER_NO_NETWORK = 1 << 2,   /* network mode "none" */
	CAY_PROVIDER_HOST_NETWORK = 1 << 3, /* network mode "host" */
};
extern const char *const cay_provider_cap_names[4]; /* by number of the bit */

/* Why a machine is gone. The public words are a contract with clients. */
#define CAY_REASONS(X)                                                                             \
	X(CRASHED, "crashed")         /* the agent ended by itself or was killed from outside */   \
	X(EXPIRED, "expired")         /* the lease (timeout_s) ran out */                          \
	X(KILLED, "killed")           /* somebody asked for its end */                             \
	X(OOM, "oom")                 /* the agent itself was ended for lack of memory */          \
	X(PROVIDER, "provider_error") /* it never became ready, or the provider failed */

enum cay_reason {
	CAY_REASON_NONE,
#define X(name, text) CAY_REASON_##name,
	CAY_REASONS(X)
#undef X
		CAY_REASON_COUNT_,
};
const char *cay_reason_text(enum cay_reason reason); /* "" for NONE */

enum cay_machine_net {
	CAY_MACHINE_NET_NONE,
	CAY_MACHINE_NET_HOST,
};

/* What is asked for; borrowed for the time of the call. Zero is the default of every number. */
struct cay_machine_spec {
	const char *id;        /* cay_text_name(); unique among the living */
	const char *dir;       /* existing private folder of the host for sockets and logs */
	const char *workspace; /* absolute folder of the host, checked; NULL: a private empty one */
	bool workspace_read_only;
	enum cay_machine_net net;
	uint64_t memory_bytes;
	uint64_t pids;
	double cpus;
	const json_t *env; /* object of strings; may be NULL */
	const char *session_api_key;
};

struct cay_machine_ready {
	const json_t *isolation; /* what is in force, read back; borrowed */
	uint64_t launch_ns;      /* from create (waiting for a turn included) to PID 1 */
	uint64_t agent_ready_ns; /* from there to an agent that answers */
};

struct cay_machine_events {
	void (*on_ready)(const struct cay_machine_ready *ready, void *arg);
	/* err says what happened, in words; its code is CAY_OK after a destroy that was asked for.
	 */
	void (*on_gone)(enum cay_reason reason, const struct cay_error *err, void *arg);
};

/* What every provider gets from the program; borrowed, outlives the provider. */
struct cay_provider_host {
	struct event_base *base;
	const char *cache_dir; /* of this user, private; for what may be made again */
	int agent_exe_fd;      /* cay-agent, executable by descriptor */
};

struct cay_provider_ops {
	const char *name;
	const char *summary;
	unsigned caps;

	int (*open)(const struct cay_provider_host *host, struct cay_provider **ret,
		    struct cay_error *err);
	/* Every machine is gone already. NULL is fine. */
	void (*close)(struct cay_provider *p);

	/* Could create work, as far as configuration tells? The reason and what to set in *err. */
	int (*validate)(struct cay_provider *p, struct cay_error *err);

	/* Is it reachable now? Quick and local: a provider far away answers from its last probe. */
	int (*health)(struct cay_provider *p, uint64_t *ret_latency_ns, struct cay_error *err);

	struct cay_machine *(*create)(struct cay_provider *p, const struct cay_machine_spec *spec,
				      const struct cay_machine_events *events, void *arg,
				      struct cay_error *err);
	void (*destroy)(struct cay_machine *m);

	/* Where the agent answers, as cay_endpoint_create() takes it ("unix:/path"); valid as long
	 * as the handle. Ports inside are reached through the agent. */
	const char *(*endpoint)(struct cay_machine *m);
};

/* The first member of every provider's own structure. */
struct cay_provider {
	const struct cay_provider_ops *ops;
};

#define CAY_PROVIDER(name) extern const struct cay_provider_ops cay_provider_##name##_ops;
#include "provider/providers.def"
#undef CAY_PROVIDER

/* The table of providers.def, NULL-terminated, and the row of a name (or NULL). */
extern const struct cay_provider_ops *const cay_providers[];
const struct cay_provider_ops *cay_provider_find(const char *name);

/* ---- wrappers: a missing operation, or a spec beyond the capabilities, is UNSUPPORTED ---- */

int cay_provider_validate(struct cay_provider *p, struct cay_error *err) CAY_NODISCARD;
int cay_provider_health(struct cay_provider *p, uint64_t *ret_latency_ns,
			struct cay_error *err) CAY_NODISCARD;
struct cay_machine *cay_provider_create(struct cay_provider *p, const struct cay_machine_spec *spec,
					const struct cay_machine_events *events, void *arg,
					struct cay_error *err) CAY_NODISCARD;
