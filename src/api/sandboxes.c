/* SPDX-License-Identifier: Apache-2.0 */
/* Routes that make, list, show and end sandboxes. */
#include <string.h>

#include "api/api.h"
#include "api/create_input.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

/* A request that waits for a sandbox to get ready, or to be gone. */
struct waiting {
	struct cay_sandbox_wait wait;
	struct cay_http_req *req;
	struct cay_api *api;
	struct cay_sandbox *sandbox; /* referred to */
	uint64_t begun_ns;
};

static void waiting_free(struct waiting *w)
{
	cay_sandbox_unref(w->sandbox);
	cay_api_end(w->api);
	free(w);
}

static void on_client_gone(struct cay_http_req *req, void *arg)
{
	struct waiting *w = arg;

	cay_manager_unwait(w->sandbox, &w->wait);
	waiting_free(w);
}

static void wait_for(struct cay_http_req *req, struct cay_sandbox *s, bool for_end,
		     void (*done)(struct cay_sandbox_wait *, struct cay_sandbox *,
				  const struct cay_error *))
{
	struct waiting *w = cay_alloc(sizeof(*w));

	*w = (struct waiting){
		.wait = {.done = done, .for_end = for_end},
		.req = req,
		.api = cay_http_user(req),
		.sandbox = cay_sandbox_ref(s),
		.begun_ns = cay_clock_ns(),
	};
	cay_api_begin(req);
	cay_http_on_close(req, on_client_gone, w);
	cay_manager_wait(s, &w->wait);
}

/* Where the client reaches the agent: with the host by which it reached us. */
static json_t *agent_url(struct cay_http_req *req, const struct cay_sandbox *s)
{
	if (cay_http_is_unix(req))
		return json_sprintf("/v1/sandboxes/%s/agent", s->id);
	return json_sprintf("http://%s/v1/sandboxes/%s/agent", cay_http_header(req, "Host"), s->id);
}

static json_t *sandbox_json(struct cay_http_req *req, const struct cay_sandbox *s, bool with_key)
{
	json_t *j = cay_sandbox_json(s, with_key);

	json_object_set_new(j, "agent_url", agent_url(req, s));
	return j;
}

/* ---- create ---- */

static void reply_created(struct cay_http_req *req, const struct cay_sandbox *s)
{
	auto_free char *location = cay_format("/v1/sandboxes/%s", s->id);

	cay_http_set(req, "Location", location);
	cay_http_timing(req, "launch", s->launch_ns);
	cay_http_timing(req, "agent_ready", s->agent_ready_ns);
	cay_http_timing(req, "total", s->total_ns);
	cay_http_reply_json(req, 201, sandbox_json(req, s, true));
}

static void on_created(struct cay_sandbox_wait *wait, struct cay_sandbox *s,
		       const struct cay_error *err)
{
	struct waiting *w = CAY_CONTAINER_OF(wait, struct waiting, wait);

	if (err->code == CAY_OK)
		reply_created(w->req, s);
	else
		cay_http_reply_error(w->req, err);
	waiting_free(w);
}

static int read_create(struct cay_http_req *req, struct cay_sandbox_spec *spec,
		       struct cay_error *err)
{
	const char *key = cay_http_header(req, "Idempotency-Key");

	if (cay_create_input_decode(cay_http_json(req), spec, err) < 0)
		return -1;
	if (key && cay_create_input_check_key(key, err) < 0)
		return -1;
	spec->idempotency_key = key;
	return 0;
}

static void create(struct cay_http_req *req)
{
	const struct cay_api *api = cay_http_user(req);
	const json_t *body = cay_http_json(req);
	struct cay_sandbox_spec spec = {};
	auto_free char *fingerprint = NULL;
	struct cay_error err = {};
	struct cay_sandbox *s;
	bool existing;

	if (read_create(req, &spec, &err) < 0) {
		cay_http_reply_error(req, &err);
		return;
	}
	if (spec.idempotency_key)
		fingerprint =
			body ? json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS) : cay_strdup("{}");
	spec.fingerprint = fingerprint;
	if (cay_manager_launch(api->manager, &spec, &s, &existing, &err) < 0) {
		cay_http_reply_error(req, &err);
	} else if (s->state == CAY_SANDBOX_CREATING) {
		wait_for(req, s, false, on_created);
	} else if (s->state == CAY_SANDBOX_RUNNING) {
		reply_created(req, s);
	} else {
		cay_fail(&err, CAY_E_BUSY, 0, "the sandbox of this Idempotency-Key is stopping");
		cay_http_reply_error(req, &err);
	}
}

/* ---- list and show ---- */

struct filter {
	const char *name, *label_value, *runtime;
	char *label_key;
	bool by_state;
	enum cay_sandbox_state state;
};

static int read_filter(struct cay_http_req *req, struct filter *f, struct cay_error *err)
{
	const char *state = cay_http_query_get(req, "state");
	const char *label = cay_http_query_get(req, "label");
	const char *eq = label ? strchr(label, '=') : NULL;

	f->name = cay_http_query_get(req, "name");
	f->runtime = cay_http_query_get(req, "runtime");
	f->by_state = state;
	if (state && cay_sandbox_state_parse(state, &f->state, err) < 0)
		return -1;
	if (label && !eq)
		return cay_fail(err, CAY_E_INVALID, 0,
				"parameter 'label' must be KEY=VALUE, got '%.60s'", label);
	if (label) {
		f->label_key = cay_strndup(label, (size_t)(eq - label));
		f->label_value = eq + 1;
	}
	return 0;
}

static bool passes(const struct cay_sandbox *s, const struct filter *f)
{
	const char *label =
		f->label_key ? json_string_value(json_object_get(s->labels, f->label_key)) : NULL;

	return (!f->by_state || s->state == f->state) &&
	       (!f->name || (s->name && !strcmp(s->name, f->name))) &&
	       (!f->runtime || !strcmp(s->provider->name, f->runtime)) &&
	       (!f->label_key || (label && !strcmp(label, f->label_value)));
}

static void list(struct cay_http_req *req)
{
	const struct cay_api *api = cay_http_user(req);
	struct filter f = {};
	struct cay_error err = {};
	const struct cay_sandbox *s;
	json_t *array;

	if (read_filter(req, &f, &err) < 0) {
		cay_http_reply_error(req, &err);
		return;
	}
	array = json_array();
	TAILQ_FOREACH(s, cay_manager_list(api->manager), all)
	if (passes(s, &f))
		json_array_append_new(array, sandbox_json(req, s, false));
	free(f.label_key);
	cay_http_reply_json(req, 200, json_pack("{s:o}", "sandboxes", array));
}

static void show(struct cay_http_req *req)
{
	const struct cay_sandbox *s = cay_api_sandbox(req);

	if (s)
		cay_http_reply_json(req, 200, sandbox_json(req, s, true));
}

static void isolation(struct cay_http_req *req)
{
	const struct cay_sandbox *s = cay_api_sandbox(req);
	struct cay_error err = {};

	if (!s)
		return;
	if (s->isolation) {
		cay_http_reply_json(req, 200, json_incref(s->isolation));
		return;
	}
	cay_fail(&err, CAY_E_BUSY, 0, "sandbox '%s' is %s", s->id,
		 cay_sandbox_state_text(s->state));
	cay_http_reply_error(req, &err);
}

/* ---- delete ---- */

static void reply_deleted(struct cay_http_req *req, const struct cay_sandbox *s)
{
	cay_http_reply_json(req, 200,
			    json_pack("{s:s, s:s, s:s}", "id", s->id, "state",
				      cay_sandbox_state_text(CAY_SANDBOX_GONE), "reason",
				      cay_reason_text(s->reason)));
}

static void on_deleted(struct cay_sandbox_wait *wait, struct cay_sandbox *s,
		       const struct cay_error *err)
{
	struct waiting *w = CAY_CONTAINER_OF(wait, struct waiting, wait);

	cay_http_timing(w->req, "destroy", cay_clock_ns() - w->begun_ns);
	reply_deleted(w->req, s);
	waiting_free(w);
}

static void delete_sandbox(struct cay_http_req *req)
{
	struct cay_sandbox *s = cay_api_sandbox(req);

	if (!s)
		return;
	/* What had ended by itself is only forgotten; it lives until the loop's next turn. */
	if (cay_manager_delete(s))
		reply_deleted(req, s);
	else
		wait_for(req, s, true, on_deleted);
}

const struct cay_http_route cay_api_sandbox_routes[] = {
	{"POST", "/v1/sandboxes", create, CAY_HTTP_JSON_OPT, 0,
	 "create a sandbox and wait until its agent answers"},
	{"GET", "/v1/sandboxes", list, 0, 0,
	 "list sandboxes; filters: state, name, runtime, label=KEY=VALUE"},
	{"GET", "/v1/sandboxes/{id}", show, 0, 0, "one sandbox, by id or name"},
	{"DELETE", "/v1/sandboxes/{id}", delete_sandbox, 0, 0,
	 "end a sandbox and wait until nothing of it is left"},
	{"GET", "/v1/sandboxes/{id}/isolation", isolation, 0, 0,
	 "what isolates the sandbox, read back from the kernel"},
	{},
};
