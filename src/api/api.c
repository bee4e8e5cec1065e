/* SPDX-License-Identifier: Apache-2.0 */
/* The server over the tables: who is let in, what is counted. */
#include "api/api.h"

#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"

enum {
	CONNECTIONS_MAX = 8192,
};

const struct cay_http_route *const cay_api_tables[] = {
	cay_api_meta_routes,
	cay_api_sandbox_routes,
	cay_api_forward_routes,
	NULL,
};

/* Does the request carry the key of the very sandbox that it names? */
static bool has_session_key(struct cay_http_req *req, const struct cay_http_route *route)
{
	const struct cay_api *api = cay_http_user(req);
	const char *given = cay_http_header(req, "X-Session-API-Key");
	struct cay_error unknown = {};
	struct cay_sandbox *s;

	if (!route || !(route->flags & CAY_API_SESSION) || !given)
		return false;
	return cay_manager_find(api->manager, cay_http_param(req, "id"), &s, &unknown) == 0 &&
	       cay_sandbox_is_live(s) && cay_text_equal_secret(given, s->session_api_key);
}

static int check_key(struct cay_http_req *req, const struct cay_http_route *route,
		     struct cay_error *err)
{
	const struct cay_api *api = cay_http_user(req);
	const char *key = cay_http_header(req, "X-API-Key");
	const char *authorization = cay_http_header(req, "Authorization");

	if ((route && (route->flags & CAY_HTTP_OPEN)) ||
	    cay_access_has_key(&api->access, key, authorization) || has_session_key(req, route))
		return 0;
	cay_http_set(req, "WWW-Authenticate", "Bearer");
	cay_fail(err, CAY_E_UNAUTHORIZED, 0, "the API key is %s",
		 key || authorization ? "wrong" : "missing");
	return cay_fail_hint(err, "send it as 'X-API-Key' or 'Authorization: Bearer'; it is "
				  "CAY_API_KEY of the server, or in the file api-key of its state "
				  "folder");
}

static int admit(struct cay_http_req *req, const struct cay_http_route *route,
		 struct cay_error *err)
{
	const struct cay_api *api = cay_http_user(req);
	const char *host = cay_http_header(req, "Host");

	if (cay_access_check_host(&api->access, host, err) == 0 &&
	    cay_access_check_origin(host, cay_http_header(req, "Origin"),
				    cay_http_header(req, "Sec-Fetch-Site"), err) == 0 &&
	    check_key(req, route, err) == 0)
		return 0;
	cay_manager_metrics(api->manager)->refused++;
	return -1;
}

static void answer_error(struct cay_http_req *req, const struct cay_error *err)
{
	if (err->code == CAY_E_OVERLOADED)
		cay_http_set(req, "Retry-After", "1");
	cay_http_reply_json(req, cay_error_http_status(err->code), cay_json_error(err));
}

static void count(struct cay_http_req *req, int status, uint64_t duration_ns)
{
	const struct cay_api *api = cay_http_user(req);
	struct cay_metrics *m = cay_manager_metrics(api->manager);

	m->requests++;
	m->request_ns += duration_ns;
	if (status >= 0 && status < CAY_METRICS_STATUS_MAX)
		m->statuses[status]++;
	cay_log(CAY_LOG_DEBUG, "http", "%s %s %s -> %d (%.2f ms)", cay_http_peer(req),
		cay_http_method(req), cay_http_path(req), status, (double)duration_ns / 1e6);
}

int cay_api_create(struct event_base *base, struct cay_api *api, struct cay_error *err)
{
	struct cay_http_server_options options = {
		.base = base,
		.tables = cay_api_tables,
		.limits = cay_http_limits_default,
		.user = api,
		.admit = admit,
		.answer_error = answer_error,
		.done = count,
	};

	options.limits.connections = CONNECTIONS_MAX;
	return cay_http_server_create(&options, &api->server, err);
}

/* ---- stopping ---- */

void cay_api_begin(struct cay_http_req *req)
{
	struct cay_api *api = cay_http_user(req);

	api->pending++;
}

void cay_api_end(struct cay_api *api)
{
	if (!--api->pending && api->on_idle)
		api->on_idle(api->on_idle_arg);
}

void cay_api_drain(struct cay_api *api, void (*on_idle)(void *arg), void *arg)
{
	cay_http_server_drain(api->server, NULL, NULL);
	api->on_idle = on_idle;
	api->on_idle_arg = arg;
	if (!api->pending)
		on_idle(arg);
}

struct cay_sandbox *cay_api_sandbox(struct cay_http_req *req)
{
	const struct cay_api *api = cay_http_user(req);
	struct cay_error err = {};
	struct cay_sandbox *s;

	if (cay_manager_find(api->manager, cay_http_param(req, "id"), &s, &err) == 0)
		return s;
	cay_http_reply_error(req, &err);
	return NULL;
}
