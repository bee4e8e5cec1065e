/* SPDX-License-Identifier: Apache-2.0 */
/* Sandboxes' life: creation, lease, end; who is told; what is kept and for how long. */
#include "manager/manager.h"

#include <event2/event.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "manager/index.h"
#include "manager/state.h"
#include "net/client.h"

enum {
	ENDED_MAX = 256, /* sandboxes that have ended and are still listed */
};

struct cay_manager {
	struct cay_manager_options options;
	struct cay_provider **providers; /* beside cay_providers */
	struct cay_sandbox_list all;     /* oldest first */
	struct cay_sandbox_list unreferenced;
	struct event *reap;
	struct cay_index by_id, by_name, by_key; /* the last two: of the living */
	unsigned count[CAY_SANDBOX_STATE_COUNT_];
	struct cay_metrics metrics;

	bool stopping;
	void (*stopped)(void *arg);
	void *stopped_arg;
	struct event *stopped_event;
};

static unsigned live_count(const struct cay_manager *m)
{
	return m->count[CAY_SANDBOX_CREATING] + m->count[CAY_SANDBOX_RUNNING] +
	       m->count[CAY_SANDBOX_STOPPING];
}

static unsigned ended_count(const struct cay_manager *m)
{
	return m->count[CAY_SANDBOX_ERROR] + m->count[CAY_SANDBOX_GONE];
}

/* ---- references ---- */

struct cay_sandbox *cay_sandbox_ref(struct cay_sandbox *s)
{
	s->refs++;
	return s;
}

void cay_sandbox_unref(struct cay_sandbox *s)
{
	if (--s->refs)
		return;
	TAILQ_INSERT_TAIL(&s->manager->unreferenced, s, all);
	event_active(s->manager->reap, EV_TIMEOUT, 0);
}

static void free_unreferenced(struct cay_manager *m)
{
	struct cay_sandbox *s;

	while ((s = TAILQ_FIRST(&m->unreferenced))) {
		TAILQ_REMOVE(&m->unreferenced, s, all);
		cay_sandbox_free(s);
	}
}

static void on_reap(evutil_socket_t fd, short what, void *arg)
{
	free_unreferenced(arg);
}

/* ---- transitions ---- */

static void set_state(struct cay_sandbox *s, enum cay_sandbox_state state)
{
	s->manager->count[s->state]--;
	s->manager->count[state]++;
	s->state = state;
}

static void set_message(struct cay_sandbox *s, const char *text)
{
	snprintf(s->message, sizeof(s->message), "%s", text);
}

/* Takes a sandbox off the list. */
static void forget(struct cay_sandbox *s)
{
	struct cay_manager *m = s->manager;

	m->count[s->state]--;
	cay_index_remove(&m->by_id, s->id);
	TAILQ_REMOVE(&m->all, s, all);
	cay_sandbox_unref(s);
}

static void forget_oldest_ended(struct cay_manager *m)
{
	struct cay_sandbox *s;

	TAILQ_FOREACH(s, &m->all, all)
	{
		if (cay_sandbox_is_live(s))
			continue;
		forget(s);
		return;
	}
}

static void tell_running(struct cay_sandbox *s)
{
	const struct cay_error ok = {};
	struct cay_sandbox_wait *w, *next;

	for (w = TAILQ_FIRST(&s->waits); w; w = next) {
		next = TAILQ_NEXT(w, entry);
		if (w->for_end)
			continue;
		TAILQ_REMOVE(&s->waits, w, entry);
		w->done(w, s, &ok);
	}
}

static void stop(struct cay_sandbox *s, enum cay_reason reason)
{
	if (s->state == CAY_SANDBOX_STOPPING || !cay_sandbox_is_live(s))
		return;
	set_state(s, CAY_SANDBOX_STOPPING);
	s->reason = reason;
	s->stop_ns = cay_clock_ns();
	s->provider->destroy(s->machine);
}

static void on_lease_over(evutil_socket_t fd, short what, void *arg)
{
	stop(arg, CAY_REASON_EXPIRED);
}

static void on_ready(const struct cay_machine_ready *ready, void *arg)
{
	struct cay_sandbox *s = arg;
	struct cay_metrics *metrics = &s->manager->metrics;
	struct cay_error err = {};

	s->isolation = json_deep_copy(ready->isolation);
	s->launch_ns = ready->launch_ns;
	s->agent_ready_ns = ready->agent_ready_ns;
	s->total_ns = cay_clock_ns() - s->begun_ns;
	if (s->state != CAY_SANDBOX_CREATING)
		return;
	if (cay_endpoint_create(s->manager->options.base, s->provider->endpoint(s->machine),
				&s->agent, &err) < 0) {
		set_message(s, err.msg);
		stop(s, CAY_REASON_PROVIDER);
		return;
	}
	cay_endpoint_set(s->agent, "X-Session-API-Key", s->session_api_key);
	set_state(s, CAY_SANDBOX_RUNNING);
	metrics->created++;
	metrics->create_ns += s->total_ns;
	cay_log(CAY_LOG_INFO, "manager", "sandbox %s is running (%.2f ms)", s->id,
		(double)s->total_ns / 1e6);
	tell_running(s);
}

/* What those who wait for a sandbox that never ran are told. */
static void creation_error(const struct cay_sandbox *s, const struct cay_error *cause,
			   struct cay_error *ret)
{
	if (cause->code != CAY_OK)
		*ret = *cause;
	else if (s->reason == CAY_REASON_PROVIDER)
		cay_fail(ret, CAY_E_INTERNAL, 0, "%s", s->message);
	else if (s->reason == CAY_REASON_EXPIRED)
		cay_fail(ret, CAY_E_TIMEOUT, 0, "the lease ended while the sandbox was being made");
	else
		cay_fail(ret, CAY_E_CONFLICT, 0, "the sandbox was deleted while it was being made");
}

/* What belongs to a living sandbox only: its name and key, lease, streams and folder. */
static void release_claims(struct cay_sandbox *s)
{
	struct cay_manager *m = s->manager;

	if (s->name)
		cay_index_remove(&m->by_name, s->name);
	if (s->idempotency_key)
		cay_index_remove(&m->by_key, s->idempotency_key);
	event_del(s->lease);
	cay_sandbox_end_streams(s);
	cay_state_remove_sandbox(m->options.state, s->id);
}

static void check_stopped(struct cay_manager *m)
{
	if (m->stopping && !live_count(m))
		event_active(m->stopped_event, EV_TIMEOUT, 0);
}

static void on_gone(enum cay_reason reason, const struct cay_error *cause, void *arg)
{
	struct cay_sandbox *s = cay_sandbox_ref(arg);
	struct cay_manager *m = s->manager;
	struct cay_error ok = {}, failure = {};
	bool asked = s->state == CAY_SANDBOX_STOPPING; /* then why is known already */
	bool never_ran = !s->agent;

	s->machine = NULL;
	if (!asked)
		s->reason = reason;
	if (cause->code != CAY_OK)
		set_message(s, cause->msg);
	m->metrics.ends[s->reason]++;
	if (asked) {
		m->metrics.destroyed++;
		m->metrics.destroy_ns += cay_clock_ns() - s->stop_ns;
	}
	cay_log(asked ? CAY_LOG_INFO : CAY_LOG_WARN, "manager", "sandbox %s has ended: %s%s%s",
		s->id, cay_reason_text(s->reason), s->message[0] ? ": " : "", s->message);
	release_claims(s);
	set_state(s,
		  asked && s->reason != CAY_REASON_PROVIDER ? CAY_SANDBOX_GONE : CAY_SANDBOX_ERROR);
	if (never_ran) {
		m->metrics.create_failures++;
		creation_error(s, cause, &failure);
	}
	if (never_ran || s->reason == CAY_REASON_KILLED)
		forget(s);
	else if (ended_count(m) > ENDED_MAX)
		forget_oldest_ended(m);
	/* Who waited for the end has what he wanted; who waited for a start has not. */
	for (struct cay_sandbox_wait *w; (w = TAILQ_FIRST(&s->waits));) {
		TAILQ_REMOVE(&s->waits, w, entry);
		w->done(w, s, w->for_end ? &ok : &failure);
	}
	check_stopped(m);
	cay_sandbox_unref(s);
}

static const struct cay_machine_events machine_events = {
	.on_ready = on_ready,
	.on_gone = on_gone,
};

/* ---- creating ---- */

static int check_conflicts(struct cay_manager *m, const struct cay_sandbox_spec *spec,
			   struct cay_error *err)
{
	if (spec->name &&
	    (cay_index_find(&m->by_name, spec->name) || cay_index_find(&m->by_id, spec->name))) {
		cay_fail(err, CAY_E_CONFLICT, 0, "a sandbox called '%s' exists already",
			 spec->name);
		return cay_fail_hint(err, "choose another name, or delete it first");
	}
	if (live_count(m) >= m->options.max_sandboxes) {
		cay_fail(err, CAY_E_OVERLOADED, 0, "%u sandboxes are alive, which is the quota",
			 live_count(m));
		return cay_fail_hint(err, "delete some, or start the server with a larger "
					  "--max-sandboxes");
	}
	return 0;
}

/* The same key again is the same sandbox, as long as it is the same request. */
static int find_repeated(struct cay_manager *m, const struct cay_sandbox_spec *spec,
			 struct cay_sandbox **ret, struct cay_error *err)
{
	if (!spec->idempotency_key)
		return 0;
	*ret = cay_index_find(&m->by_key, spec->idempotency_key);
	if (!*ret || !strcmp((*ret)->fingerprint, spec->fingerprint))
		return 0;
	cay_fail(err, CAY_E_CONFLICT, 0,
		 "this Idempotency-Key was used for sandbox '%s' with another request", (*ret)->id);
	return cay_fail_hint(err, "use a new key for each different request");
}

static struct cay_sandbox *new_sandbox(struct cay_manager *m, const struct cay_sandbox_spec *spec)
{
	struct cay_sandbox *s = cay_alloc(sizeof(*s));

	s->manager = m;
	s->refs = 1;
	do
		cay_id_random(s->id, CAY_ID_LEN);
	while (cay_index_find(&m->by_id, s->id) || cay_index_find(&m->by_name, s->id));
	cay_id_random(s->session_api_key, CAY_KEY_LEN);
	s->name = spec->name ? cay_strdup(spec->name) : NULL;
	if (spec->idempotency_key) {
		s->idempotency_key = cay_strdup(spec->idempotency_key);
		s->fingerprint = cay_strdup(spec->fingerprint);
	}
	s->labels = spec->labels ? json_deep_copy(spec->labels) : json_object();
	s->isolation = NULL;
	s->created_unix_ms = cay_clock_unix_ms();
	s->begun_ns = cay_clock_ns();
	if (spec->timeout_ms)
		s->expires_unix_ms = s->created_unix_ms + (int64_t)spec->timeout_ms;
	TAILQ_INIT(&s->ports);
	TAILQ_INIT(&s->waits);
	return s;
}

/* Puts a sandbox whose machine is on its way on the list. */
static void enlist(struct cay_sandbox *s, uint64_t timeout_ms)
{
	struct cay_manager *m = s->manager;
	const struct timeval lease = {.tv_sec = (time_t)(timeout_ms / 1000),
				      .tv_usec = (suseconds_t)(timeout_ms % 1000 * 1000)};

	TAILQ_INSERT_TAIL(&m->all, s, all);
	m->count[s->state]++;
	cay_index_add(&m->by_id, s->id, s);
	if (s->name)
		cay_index_add(&m->by_name, s->name, s);
	if (s->idempotency_key)
		cay_index_add(&m->by_key, s->idempotency_key, s);
	s->lease = event_new(m->options.base, -1, 0, on_lease_over, s);
	if (timeout_ms)
		event_add(s->lease, &lease);
}

static int start_machine(struct cay_sandbox *s, const struct cay_sandbox_spec *spec,
			 struct cay_error *err)
{
	struct cay_machine_spec machine = spec->machine;

	if (cay_state_add_sandbox(s->manager->options.state, s->id, &s->dir, err) < 0)
		return -1;
	machine.id = s->id;
	machine.dir = s->dir;
	machine.session_api_key = s->session_api_key;
	s->machine = cay_provider_create(cay_manager_provider(s->manager, s->provider), &machine,
					 &machine_events, s, err);
	if (s->machine)
		return 0;
	cay_state_remove_sandbox(s->manager->options.state, s->id);
	return -1;
}

static const struct cay_provider_ops *choose(const char *runtime, struct cay_error *err)
{
	const struct cay_provider_ops *ops =
		runtime ? cay_provider_find(runtime) : cay_providers[0];

	if (ops)
		return ops;
	cay_fail(err, CAY_E_UNSUPPORTED, 0, "runtime '%.60s' is not supported", runtime);
	cay_fail_hint(err, "GET /v1/runtimes lists what is; the default is '%s'",
		      cay_providers[0]->name);
	return NULL;
}

static int launch(struct cay_manager *m, const struct cay_sandbox_spec *spec,
		  struct cay_sandbox **ret, bool *ret_existing, struct cay_error *err)
{
	const struct cay_provider_ops *ops = choose(spec->runtime, err);
	struct cay_sandbox *s = NULL;

	if (!ops)
		return -1;
	if (m->stopping)
		return cay_fail(err, CAY_E_UNAVAILABLE, 0, "the server is shutting down");
	if (find_repeated(m, spec, &s, err) < 0)
		return -1;
	*ret_existing = s;
	if (s) {
		*ret = s;
		return 0;
	}
	if (check_conflicts(m, spec, err) < 0)
		return -1;
	if (spec->machine.workspace &&
	    cay_state_check_workspace(m->options.state, spec->machine.workspace, err) < 0)
		return -1;
	s = new_sandbox(m, spec);
	s->provider = ops;
	if (start_machine(s, spec, err) < 0) {
		cay_sandbox_unref(s);
		return -1;
	}
	enlist(s, spec->timeout_ms);
	*ret = s;
	return 0;
}

int cay_manager_launch(struct cay_manager *m, const struct cay_sandbox_spec *spec,
		       struct cay_sandbox **ret, bool *ret_existing, struct cay_error *err)
{
	int r = launch(m, spec, ret, ret_existing, err);

	m->metrics.creates += r < 0 || !*ret_existing;
	m->metrics.create_failures += r < 0;
	return r;
}

void cay_manager_wait(struct cay_sandbox *s, struct cay_sandbox_wait *w)
{
	TAILQ_INSERT_TAIL(&s->waits, w, entry);
}

void cay_manager_unwait(struct cay_sandbox *s, struct cay_sandbox_wait *w)
{
	TAILQ_REMOVE(&s->waits, w, entry);
	if (s->state == CAY_SANDBOX_CREATING && TAILQ_EMPTY(&s->waits) && !s->name &&
	    !s->idempotency_key)
		stop(s, CAY_REASON_KILLED);
}

bool cay_manager_delete(struct cay_sandbox *s)
{
	if (!cay_sandbox_is_live(s)) {
		forget(s);
		return true;
	}
	stop(s, CAY_REASON_KILLED);
	s->reason = CAY_REASON_KILLED; /* also when a lease was just ending it */
	return false;
}

/* ---- looking up ---- */

int cay_manager_find(struct cay_manager *m, const char *id_or_name, struct cay_sandbox **ret,
		     struct cay_error *err)
{
	struct cay_sandbox *s = cay_index_find(&m->by_id, id_or_name);

	if (!s)
		s = cay_index_find(&m->by_name, id_or_name);
	if (!s) {
		TAILQ_FOREACH_REVERSE(s, &m->all, cay_sandbox_list, all)
		if (s->name && !strcmp(s->name, id_or_name))
			break;
	}
	if (!s) {
		cay_fail(err, CAY_E_NOT_FOUND, 0, "no sandbox has the id or name '%.80s'",
			 id_or_name);
		return cay_fail_hint(err, "GET /v1/sandboxes lists those that exist");
	}
	*ret = s;
	return 0;
}

const struct cay_sandbox_list *cay_manager_list(const struct cay_manager *m)
{
	return &m->all;
}

unsigned cay_manager_count(const struct cay_manager *m, enum cay_sandbox_state state)
{
	return m->count[state];
}

struct cay_metrics *cay_manager_metrics(struct cay_manager *m)
{
	return &m->metrics;
}

struct cay_provider *cay_manager_provider(struct cay_manager *m, const struct cay_provider_ops *ops)
{
	size_t i = 0;

	while (cay_providers[i] != ops)
		i++;
	return m->providers[i];
}

/* ---- the manager itself ---- */

static void on_stopped(evutil_socket_t fd, short what, void *arg)
{
	struct cay_manager *m = arg;

	m->stopped(m->stopped_arg);
}

static int open_providers(struct cay_manager *m, struct cay_error *err)
{
	const struct cay_provider_host host = {
		.base = m->options.base,
		.cache_dir = m->options.cache_dir,
		.agent_exe_fd = m->options.agent_exe_fd,
	};
	size_t n = 0;

	while (cay_providers[n])
		n++;
	m->providers = cay_alloc((n + 1) * sizeof(struct cay_provider *));
	for (size_t i = 0; i < n; i++)
		if (cay_providers[i]->open(&host, &m->providers[i], err) < 0)
			return cay_fail_in(err, "runtime '%s'", cay_providers[i]->name);
	return 0;
}

int cay_manager_create(const struct cay_manager_options *options, struct cay_manager **ret,
		       struct cay_error *err)
{
	struct cay_manager *m = cay_alloc(sizeof(*m));

	m->options = *options;
	TAILQ_INIT(&m->all);
	TAILQ_INIT(&m->unreferenced);
	m->reap = event_new(options->base, -1, 0, on_reap, m);
	m->stopped_event = event_new(options->base, -1, 0, on_stopped, m);
	if (open_providers(m, err) < 0) {
		cay_manager_destroy(m);
		return -1;
	}
	*ret = m;
	return 0;
}

void cay_manager_shutdown(struct cay_manager *m, void (*done)(void *arg), void *arg)
{
	struct cay_sandbox *s;

	m->stopping = true;
	m->stopped = done;
	m->stopped_arg = arg;
	TAILQ_FOREACH(s, &m->all, all)
	stop(s, CAY_REASON_KILLED);
	check_stopped(m);
}

void cay_manager_destroy(struct cay_manager *m)
{
	struct cay_sandbox *s;

	if (!m)
		return;
	for (size_t i = 0; m->providers && cay_providers[i]; i++)
		if (m->providers[i])
			cay_providers[i]->close(m->providers[i]);
	while ((s = TAILQ_FIRST(&m->all))) {
		if (cay_sandbox_is_live(s))
			release_claims(s);
		forget(s);
	}
	free_unreferenced(m);
	event_free(m->reap);
	event_free(m->stopped_event);
	free(m->providers);
	free(m);
}
