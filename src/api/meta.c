/* SPDX-License-Identifier: Apache-2.0 */
/* Routes about the server itself. */
#include <stdio.h>
#include <unistd.h>

#include "api/api.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "net/openapi.h"

enum { METRICS_MAX = 256 << 10 };

static void healthz(struct cay_http_req *req)
{
	cay_http_reply_json(req, 200,
			    json_pack("{s:s, s:s}", "status", "ok", "version", CAY_VERSION));
}

static void openapi(struct cay_http_req *req)
{
	json_t *doc = cay_openapi(cay_api_tables, "cay", CAY_VERSION);

	json_object_set_new(json_object_get(doc, "components"), "securitySchemes",
			    json_pack("{s:{s:s, s:s, s:s}, s:{s:s, s:s}}", "key", "type", "apiKey",
				      "in", "header", "name", "X-API-Key", "bearer", "type", "http",
				      "scheme", "bearer"));
	json_object_set_new(doc, "security", json_pack("[{s:[]}, {s:[]}]", "key", "bearer"));
	cay_http_reply_json(req, 200, doc);
}

/* Resident bytes of this process (proc(5), statm). */
static double resident_bytes(void)
{
	struct cay_error err = {};
	auto_buf struct cay_buf text;
	long size, resident;

	cay_buf_init(&text, 256);
	if (cay_fd_read_file("/proc/self/statm", &text, &err) < 0 ||
	    sscanf(text.data, "%ld %ld", &size, &resident) != 2)
		return 0;
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static void metrics(struct cay_http_req *req)
{
	const struct cay_api *api = cay_http_user(req);
	auto_buf struct cay_buf out;

	cay_buf_init(&out, METRICS_MAX);
	cay_metrics_text(cay_manager_metrics(api->manager), &out);
	cay_buf_puts(&out, "# HELP cay_sandboxes sandboxes that are listed, by state\n"
			   "# TYPE cay_sandboxes gauge\n");
	for (int i = 0; i < CAY_SANDBOX_STATE_COUNT_; i++) {
		enum cay_sandbox_state state = (enum cay_sandbox_state)i;

		cay_buf_printf(&out, "cay_sandboxes{state=\"%s\"} %u\n",
			       cay_sandbox_state_text(state),
			       cay_manager_count(api->manager, state));
	}
	cay_metrics_put(&out, "cay_http_connections", "gauge", "open client connections",
			cay_http_server_connections(api->server));
	cay_metrics_put(&out, "cay_uptime_seconds", "gauge", "since the server started",
			(double)(cay_clock_ns() - api->started_ns) / 1e9);
	cay_metrics_put(&out, "process_resident_memory_bytes", "gauge", "memory of the server",
			resident_bytes());
	cay_http_reply(req, 200, "text/plain; version=0.0.4; charset=utf-8", out.data, out.len);
}

static json_t *runtime_json(struct cay_manager *manager, const struct cay_provider_ops *ops)
{
	struct cay_provider *p = cay_manager_provider(manager, ops);
	json_t *caps = json_array(), *j;
	struct cay_error err = {};
	uint64_t latency_ns = 0;
	bool configured = cay_provider_validate(p, &err) == 0;
	bool healthy = configured && cay_provider_health(p, &latency_ns, &err) == 0;

	for (size_t i = 0; i < CAY_LEN(cay_provider_cap_names); i++)
		if (ops->caps & (1U << i))
			json_array_append_new(caps, json_string(cay_provider_cap_names[i]));
	j = json_pack("{s:s, s:s, s:o, s:b, s:b, s:b}", "name", ops->name, "summary", ops->summary,
		      "capabilities", caps, "configured", configured, "healthy", healthy, "default",
		      ops == cay_providers[0]);
	if (healthy)
		json_object_set_new(j, "latency_ms", json_real((double)latency_ns / 1e6));
	else
		json_object_update_new(j, cay_json_error(&err));
	return j;
}

static void runtimes(struct cay_http_req *req)
{
	const struct cay_api *api = cay_http_user(req);
	json_t *list = json_array();

	for (size_t i = 0; cay_providers[i]; i++)
		json_array_append_new(list, runtime_json(api->manager, cay_providers[i]));
	cay_http_reply_json(req, 200, json_pack("{s:o}", "runtimes", list));
}

const struct cay_http_route cay_api_meta_routes[] = {
	{"GET", "/healthz", healthz, CAY_HTTP_OPEN, 0, "is the server alive"},
	{"GET", "/metrics", metrics, 0, 0, "counters as text for Prometheus"},
	{"GET", "/openapi.json", openapi, CAY_HTTP_OPEN, 0, "this API as an OpenAPI document"},
	{"GET", "/v1/runtimes", runtimes, 0, 0,
	 "places where a sandbox can live, with their capabilities and health"},
	{},
};
