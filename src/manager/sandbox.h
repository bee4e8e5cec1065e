/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One sandbox as the daemon knows it. Its life:
 *
 *	creating --> running --> stopping --> gone (killed: forgotten at once; expired: stays listed)
 *	    |           \-----------------> error (crashed, oom, provider_error: stays listed)
 *	    \--> forgotten when the creation fails; whoever waits is told why
 *
 * A sandbox that has ended by itself stays in the list with its reason until it is deleted or
 * newer ones push it out. The object is counted: the manager holds one reference while it is
 * listed, every request that works on it another.
 *
 * Members are read by everybody, written only in manager/.
 */
#pragma once

#include <jansson.h>
#include <sys/queue.h>

#include "base/id.h"
#include "provider/provider.h"

struct event;
struct cay_endpoint;
struct cay_manager;
struct cay_sandbox;

enum cay_sandbox_state {
	CAY_SANDBOX_CREATING,
	CAY_SANDBOX_RUNNING,
	CAY_SANDBOX_STOPPING,
	CAY_SANDBOX_ERROR,
	CAY_SANDBOX_GONE,
	CAY_SANDBOX_STATE_COUNT_,
};
const char *cay_sandbox_state_text(enum cay_sandbox_state state);
int cay_sandbox_state_parse(const char *s, enum cay_sandbox_state *ret,
			    struct cay_error *err) CAY_NODISCARD;

/* Somebody who wants to know how the present transition ends. Embedded in the caller's object. */
struct cay_sandbox_wait {
	TAILQ_ENTRY(cay_sandbox_wait) entry;
	/* err->code is CAY_OK when the sandbox is running, or (for_end) when nothing of it is left.
	 * Called once, from the event loop; the sandbox may be freed afterwards. */
	void (*done)(struct cay_sandbox_wait *w, struct cay_sandbox *s,
		     const struct cay_error *err);
	bool for_end;
};

struct cay_port {
	TAILQ_ENTRY(cay_port) entry;
	uint16_t port;
	unsigned busy;
	struct cay_endpoint *endpoint;
};

struct cay_sandbox {
	TAILQ_ENTRY(cay_sandbox) all;
	struct cay_manager *manager;
	unsigned refs;

	char id[CAY_ID_LEN + 1];
	char *name;            /* or NULL */
	char *idempotency_key; /* or NULL, with the text of the request that it stands for */
	char *fingerprint;
	json_t *labels;
	char session_api_key[CAY_KEY_LEN + 1];

	enum cay_sandbox_state state;
	enum cay_reason reason; /* why it is being ended, or ended */
	char message[CAY_ERROR_MSG_MAX];
	int64_t created_unix_ms, expires_unix_ms /* 0: never */;
	uint64_t begun_ns, stop_ns;
	uint64_t launch_ns, agent_ready_ns, total_ns;
	struct event *lease;

	const struct cay_provider_ops *provider;
	struct cay_machine *machine; /* NULL once it is gone */
	char *dir;
	json_t *isolation;
	struct cay_endpoint *agent; /* while running */
	TAILQ_HEAD(, cay_port) ports;
	unsigned n_ports;

	TAILQ_HEAD(, cay_sandbox_wait) waits;
};

/* The last reference may go in any callback, also of the sandbox's own endpoints: the object is
 * freed at the next turn of the loop. */
struct cay_sandbox *cay_sandbox_ref(struct cay_sandbox *s);
void cay_sandbox_unref(struct cay_sandbox *s);
void cay_sandbox_free(struct cay_sandbox *s); /* the manager's, when no reference is left */

/* Has it got a machine, or is it about to? */
bool cay_sandbox_is_live(const struct cay_sandbox *s);

/* The public view; with the session key only where the caller is to have it. */
json_t *cay_sandbox_json(const struct cay_sandbox *s, bool with_key);

/* The agent's endpoint, or BUSY (creating, stopping) or UNAVAILABLE with the reason. */
int cay_sandbox_agent(struct cay_sandbox *s, struct cay_endpoint **ret,
		      struct cay_error *err) CAY_NODISCARD;

/* An endpoint that reaches a TCP port on the sandbox's loopback, through the agent. Each is kept
 * for reuse, up to CAY_SANDBOX_PORTS_MAX; cay_sandbox_port_done when the exchange is over. */
enum { CAY_SANDBOX_PORTS_MAX = 64 };
int cay_sandbox_port(struct cay_sandbox *s, uint16_t port, struct cay_port **ret,
		     struct cay_error *err) CAY_NODISCARD;
void cay_sandbox_port_done(struct cay_port *p);

/* Closes every WebSocket and the like that leads inside: there is no inside any more. */
void cay_sandbox_end_streams(struct cay_sandbox *s);
