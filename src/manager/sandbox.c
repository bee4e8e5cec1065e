/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox object: references, public view, ways to its agent and ports. Its transitions are the
 * manager's. */
#include "manager/sandbox.h"

#include <event2/event.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "net/client.h"

static const char *const states[CAY_SANDBOX_STATE_COUNT_ + 1] = {
	[CAY_SANDBOX_CREATING] = "creating", [CAY_SANDBOX_RUNNING] = "running",
	[CAY_SANDBOX_STOPPING] = "stopping", [CAY_SANDBOX_ERROR] = "error",
	[CAY_SANDBOX_GONE] = "gone",
};

const char *cay_sandbox_state_text(enum cay_sandbox_state state)
{
	return states[state];
}

int cay_sandbox_state_parse(const char *s, enum cay_sandbox_state *ret, struct cay_error *err)
{
	const char *near;

	for (int i = 0; i < CAY_SANDBOX_STATE_COUNT_; i++) {
		if (!strcmp(s, states[i])) {
			*ret = (enum cay_sandbox_state)i;
			return 0;
		}
	}
	near = cay_text_nearest(s, states);
	cay_fail(err, CAY_E_INVALID, 0, "no state is called '%.40s'", s);
	if (near)
		return cay_fail_hint(err, "did you mean '%s'?", near);
	return cay_fail_hint(err, "states are creating, running, stopping, error and gone");
}

static void port_free(struct cay_sandbox *s, struct cay_port *p)
{
	TAILQ_REMOVE(&s->ports, p, entry);
	s->n_ports--;
	cay_endpoint_destroy(p->endpoint);
	free(p);
}

void cay_sandbox_free(struct cay_sandbox *s)
{
	while (!TAILQ_EMPTY(&s->ports))
		port_free(s, TAILQ_FIRST(&s->ports));
	cay_endpoint_destroy(s->agent);
	if (s->lease)
		event_free(s->lease);
	json_decref(s->labels);
	json_decref(s->isolation);
	free(s->name);
	free(s->idempotency_key);
	free(s->fingerprint);
	free(s->dir);
	explicit_bzero(s->session_api_key, sizeof(s->session_api_key));
	free(s);
}

bool cay_sandbox_is_live(const struct cay_sandbox *s)
{
	return s->state == CAY_SANDBOX_CREATING || s->state == CAY_SANDBOX_RUNNING ||
	       s->state == CAY_SANDBOX_STOPPING;
}

static json_t *date(int64_t unix_ms)
{
	char text[CAY_CLOCK_TEXT_MAX];

	return unix_ms ? json_string(cay_clock_text(unix_ms, text)) : json_null();
}

/* Milliseconds with three digits: what a person compares. */
static json_t *ms(uint64_t ns)
{
	return json_real((double)(ns / 1000) / 1000);
}

json_t *cay_sandbox_json(const struct cay_sandbox *s, bool with_key)
{
	json_t *j =
		json_pack("{s:s, s:s?, s:s, s:s, s:o, s:o, s:O, s:O?}", "id", s->id, "name",
			  s->name, "state", states[s->state], "runtime", s->provider->name,
			  "created_at", date(s->created_unix_ms), "expires_at",
			  date(s->expires_unix_ms), "labels", s->labels, "isolation", s->isolation);

	if (s->reason != CAY_REASON_NONE)
		json_object_set_new(j, "reason", json_string(cay_reason_text(s->reason)));
	if (s->message[0])
		json_object_set_new(j, "message", json_string(s->message));
	if (s->total_ns)
		json_object_set_new(j, "timings_ms",
				    json_pack("{s:o, s:o, s:o}", "launch", ms(s->launch_ns),
					      "agent_ready", ms(s->agent_ready_ns), "total",
					      ms(s->total_ns)));
	if (with_key && cay_sandbox_is_live(s))
		json_object_set_new(j, "session_api_key", json_string(s->session_api_key));
	return j;
}

int cay_sandbox_agent(struct cay_sandbox *s, struct cay_endpoint **ret, struct cay_error *err)
{
	switch (s->state) {
	case CAY_SANDBOX_RUNNING:
		*ret = s->agent;
		return 0;
	case CAY_SANDBOX_CREATING:
	case CAY_SANDBOX_STOPPING:
		return cay_fail(err, CAY_E_BUSY, 0, "sandbox '%s' is %s", s->id, states[s->state]);
	default:
		cay_fail(err, CAY_E_UNAVAILABLE, 0, "sandbox '%s' has ended (%s)", s->id,
			 cay_reason_text(s->reason));
		return cay_fail_hint(err, "%s", s->message[0] ? s->message : "create another one");
	}
}

/* ---- ports ---- */

static struct cay_port *idle_port(struct cay_sandbox *s)
{
	struct cay_port *p;

	TAILQ_FOREACH(p, &s->ports, entry)
	if (!p->busy)
		return p;
	return NULL;
}

static int port_open(struct cay_sandbox *s, uint16_t port, struct cay_port **ret,
		     struct cay_error *err)
{
	auto_free char *through = cay_format("/v1/forward/%u", port);
	struct cay_port *p = idle_port(s);

	if (s->n_ports >= CAY_SANDBOX_PORTS_MAX && !p)
		return cay_fail(err, CAY_E_OVERLOADED, 0,
				"%d ports of sandbox '%s' are in use at once",
				CAY_SANDBOX_PORTS_MAX, s->id);
	if (s->n_ports >= CAY_SANDBOX_PORTS_MAX)
		port_free(s, p);
	p = cay_alloc(sizeof(*p));
	*p = (struct cay_port){
		.port = port,
		.endpoint = cay_endpoint_create_tunnel(s->agent, through),
	};
	TAILQ_INSERT_HEAD(&s->ports, p, entry);
	s->n_ports++;
	*ret = p;
	return 0;
}

int cay_sandbox_port(struct cay_sandbox *s, uint16_t port, struct cay_port **ret,
		     struct cay_error *err)
{
	struct cay_endpoint *agent;
	struct cay_port *p;

	if (cay_sandbox_agent(s, &agent, err) < 0)
		return -1;
	TAILQ_FOREACH(p, &s->ports, entry)
	if (p->port == port)
		break;
	if (!p && port_open(s, port, &p, err) < 0)
		return -1;
	p->busy++;
	*ret = p;
	return 0;
}

void cay_sandbox_port_done(struct cay_port *p)
{
	p->busy--;
}

void cay_sandbox_end_streams(struct cay_sandbox *s)
{
	struct cay_port *p;

	TAILQ_FOREACH(p, &s->ports, entry)
	cay_endpoint_end_streams(p->endpoint);
	if (s->agent)
		cay_endpoint_end_streams(s->agent);
}
