/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/api/server.h"

#include <string.h>

#include "agent/api/native.h"
#include "agent/api/openhands.h"
#include "agent/process.h"
#include "agent/service.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

enum { CONNECTIONS_MAX = 1024 };

static const struct cay_http_route *const tables[] = {
	cay_native_routes,       cay_native_exec_routes, cay_native_process_routes,
	cay_native_files_routes, cay_openhands_routes,   NULL,
};

static bool is_native(const struct cay_http_req *req)
{
	return cay_text_starts_with(cay_http_path(req), "/v1/");
}

static int admit(struct cay_http_req *req, const struct cay_http_route *route,
		 struct cay_error *err)
{
	const struct cay_agent_server *s = cay_http_user(req);
	const char *key = s->service->config.session_api_key;
	const char *given = cay_http_header(req, "X-Session-API-Key");

	if (!key || (route && route->flags & CAY_HTTP_OPEN))
		return 0;
	if (given && cay_text_equal_secret(given, key))
		return 0;
	cay_fail(err, CAY_E_UNAUTHORIZED, 0, "the session's key is missing or wrong");
	return cay_fail_hint(err, "send it in the header X-Session-API-Key");
}

static void answer_error(struct cay_http_req *req, const struct cay_error *err)
{
	if (is_native(req))
		cay_http_reply_json(req, cay_error_http_status(err->code), cay_json_error(err));
	else
		cay_openhands_answer_error(req, err);
}

int cay_agent_server_create(struct cay_service *service, struct cay_agent_server **ret,
			    struct cay_error *err)
{
	struct cay_agent_server *s = cay_alloc(sizeof(*s));
	struct cay_http_server_options options = {
		.base = service->base,
		.tables = tables,
		.limits = cay_http_limits_default,
		.user = s,
		.admit = admit,
		.answer_error = answer_error,
	};

	options.limits.connections = CONNECTIONS_MAX;
	*s = (struct cay_agent_server){.service = service, .started_ns = cay_clock_ns()};
	if (cay_http_server_create(&options, &s->http, err) < 0) {
		free(s);
		return -1;
	}
	s->processes = cay_process_table_create(service);
	s->openhands = cay_openhands_create(service);
	*ret = s;
	return 0;
}

void cay_agent_server_destroy(struct cay_agent_server *s)
{
	if (!s)
		return;
	cay_http_server_destroy(s->http);
	cay_openhands_destroy(s->openhands);
	cay_process_table_destroy(s->processes);
	free(s);
}
