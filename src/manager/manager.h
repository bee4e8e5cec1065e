/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manager keeps the promises: names are unique, leases end, quotas hold, a request that is sent
 * twice makes one sandbox, nothing is left behind. It asks providers for machines and knows nothing
 * of HTTP.
 */
#pragma once

#include "manager/metrics.h"
#include "manager/sandbox.h"

struct event_base;
struct cay_state;

struct cay_manager_options {
	struct event_base *base;
	const struct cay_state *state; /* outlives the manager */
	const char *cache_dir;         /* the same; for what may be made again */
	int agent_exe_fd;              /* stays the caller's */
	unsigned max_sandboxes;        /* live at once */
};

TAILQ_HEAD(cay_sandbox_list, cay_sandbox);

int cay_manager_create(const struct cay_manager_options *options, struct cay_manager **ret,
		       struct cay_error *err) CAY_NODISCARD;

/* Whatever lives is killed with the providers. NULL is fine. */
void cay_manager_destroy(struct cay_manager *m);

/* No more creations from now on; destroys all sandboxes, then calls done(arg) from the loop. */
void cay_manager_shutdown(struct cay_manager *m, void (*done)(void *arg), void *arg);

/* What a client asks for; borrowed. machine.id, .dir and .session_api_key are filled in here. */
struct cay_sandbox_spec {
	const char *runtime; /* NULL: the default */
	const char *name;
	const char *idempotency_key;
	const char *fingerprint; /* text of the request, compared when the key comes again */
	json_t *labels;
	uint64_t timeout_ms; /* lease; 0: none */
	struct cay_machine_spec machine;
};

/* Begins a creation, or finds the sandbox of the same idempotency key (*ret_existing). The result
 * is borrowed: refer to it or wait for it before returning to the loop. */
int cay_manager_launch(struct cay_manager *m, const struct cay_sandbox_spec *spec,
		       struct cay_sandbox **ret, bool *ret_existing,
		       struct cay_error *err) CAY_NODISCARD;

/* Tells w->done how the creation, or (for_end) the destruction, ends. A wait may be taken back; the
 * last one to leave a creation that has neither name nor idempotency key ends it, for nobody could
 * ever find that sandbox. */
void cay_manager_wait(struct cay_sandbox *s, struct cay_sandbox_wait *w);
void cay_manager_unwait(struct cay_sandbox *s, struct cay_sandbox_wait *w);

/* Ends a sandbox (KILLED); one that has ended already is forgotten at once (true). */
bool cay_manager_delete(struct cay_sandbox *s);

/* By id, else by name: the living one, else the one that ended last. NOT_FOUND with a hint. */
int cay_manager_find(struct cay_manager *m, const char *id_or_name, struct cay_sandbox **ret,
		     struct cay_error *err) CAY_NODISCARD;

const struct cay_sandbox_list *cay_manager_list(const struct cay_manager *m);
unsigned cay_manager_count(const struct cay_manager *m, enum cay_sandbox_state state);
struct cay_metrics *cay_manager_metrics(struct cay_manager *m);

/* The opened provider of a row of cay_providers. */
struct cay_provider *cay_manager_provider(struct cay_manager *m,
					  const struct cay_provider_ops *ops);
