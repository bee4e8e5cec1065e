/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes that the sandbox's own agent answers, and the ports of programs inside. Bodies pass
 * through as streams; what is in them is the agent's to check. The keys of the daemon never go
 * inside: whatever runs there may be hostile.
 */
#include <string.h>

#include "api/api.h"
#include "base/mem.h"
#include "base/text.h"
#include "net/client.h"

struct forward {
	struct cay_sandbox *sandbox; /* referred to, so that the endpoint outlives the exchange */
	struct cay_port *port;       /* or NULL */
	struct cay_api *pending;     /* NULL for what has no end of its own */
};

static void on_done(int status, void *arg)
{
	struct forward *f = arg;

	if (f->port)
		cay_sandbox_port_done(f->port);
	cay_sandbox_unref(f->sandbox);
	if (f->pending)
		cay_api_end(f->pending);
	free(f);
}

static bool is_endless(const struct cay_http_req *req)
{
	unsigned flags = cay_http_route(req)->flags;

	return (flags & CAY_API_ENDLESS) ||
	       ((flags & CAY_HTTP_UPGRADE) && cay_http_header(req, "Upgrade"));
}

static void start(struct cay_http_req *req, struct cay_sandbox *s, struct cay_port *port,
		  struct cay_endpoint *e, const char *target, const struct cay_header *extra)
{
	struct forward *f = cay_alloc(sizeof(*f));

	*f = (struct forward){.sandbox = cay_sandbox_ref(s), .port = port};
	if (!is_endless(req)) {
		f->pending = cay_http_user(req);
		cay_api_begin(req);
	}
	cay_proxy(req, e, target, extra, on_done, f);
}

static void to_agent(struct cay_http_req *req, const char *target)
{
	static const struct cay_header no_keys[] = {
		{"X-API-Key", NULL},
		{"Authorization", NULL},
		{"X-Session-API-Key", NULL}, /* the endpoint adds the right one */
		{},
	};
	struct cay_sandbox *s = cay_api_sandbox(req);
	struct cay_endpoint *e;
	struct cay_error err = {};

	if (!s)
		return;
	if (cay_sandbox_agent(s, &e, &err) < 0)
		cay_http_reply_error(req, &err);
	else
		start(req, s, NULL, e, target, no_keys);
}

/* /v1/sandboxes/{id}/X?query is the agent's /v1/X?query. */
static void native(struct cay_http_req *req)
{
	const char *rest = cay_http_target(req);
	auto_free char *target = NULL;

	for (int slashes = 0; *rest; rest++)
		if (*rest == '/' && ++slashes == 4)
			break;
	target = cay_format("/v1%s", rest);
	to_agent(req, target);
}

static char *rest_target(struct cay_http_req *req)
{
	const char *query = cay_http_query(req);

	return cay_format("/%s%s%s", cay_http_param(req, "rest"), *query ? "?" : "", query);
}

static void agent(struct cay_http_req *req)
{
	auto_free char *target = rest_target(req);

	to_agent(req, target);
}

/* A program inside is told that it is asked for on its own loopback, which is what development
 * servers insist on, and in X-Forwarded-* how the client sees it. */
static void start_port(struct cay_http_req *req, struct cay_sandbox *s, struct cay_port *p)
{
	const struct cay_api *api = cay_http_user(req);
	const char *authorization = cay_http_header(req, "Authorization");
	const char *host = cay_http_header(req, "Host");
	bool ours = cay_access_has_key(&api->access, NULL, authorization);
	auto_free char *target = rest_target(req);
	auto_free char *inner = cay_format("localhost:%u", p->port);
	auto_free char *origin = cay_format("http://localhost:%u", p->port);
	auto_free char *prefix = cay_format("/v1/sandboxes/%s/ports/%u", s->id, p->port);
	const struct cay_header extra[] = {
		{"X-API-Key", NULL},
		{"X-Session-API-Key", NULL},
		{"Host", inner},
		{"X-Forwarded-Host", host},
		{"X-Forwarded-Proto", "http"},
		{"X-Forwarded-Prefix", prefix},
		{"Authorization", ours ? NULL : authorization},
		{"Origin", cay_http_header(req, "Origin") ? origin : NULL},
		{},
	};

	start(req, s, p, p->endpoint, target, extra);
}

static void port(struct cay_http_req *req)
{
	struct cay_sandbox *s = cay_api_sandbox(req);
	struct cay_error err = {};
	struct cay_port *p;
	int64_t number;

	if (!s)
		return;
	if (cay_text_int(cay_http_param(req, "port"), "the port", 1, 65535, &number, &err) < 0 ||
	    cay_sandbox_port(s, (uint16_t)number, &p, &err) < 0)
		cay_http_reply_error(req, &err);
	else
		start_port(req, s, p);
}

#define STREAM CAY_HTTP_STREAM
#define S      "/v1/sandboxes/{id}"

const struct cay_http_route cay_api_forward_routes[] = {
	{"POST", S "/exec", native, STREAM, 0, "run a command to its end"},
	{"POST", S "/processes", native, STREAM, 0, "start a process"},
	{"GET", S "/processes", native, STREAM, 0, "list the processes that were started"},
	{"GET", S "/processes/{pid}", native, STREAM, 0, "one process"},
	{"DELETE", S "/processes/{pid}", native, STREAM, 0, "kill and forget a process"},
	{"GET", S "/processes/{pid}/output", native, STREAM | CAY_API_ENDLESS, 0,
	 "its output from an offset on, as server-sent events"},
	{"POST", S "/processes/{pid}/stdin", native, STREAM, 0, "write to its stdin"},
	{"POST", S "/processes/{pid}/signal", native, STREAM, 0, "send it a signal"},
	{"POST", S "/processes/{pid}/resize", native, STREAM, 0, "size of its terminal"},
	{"GET", S "/processes/{pid}/attach", native, STREAM | CAY_HTTP_UPGRADE, 0,
	 "its stdin and output as a WebSocket"},
	{"GET", S "/files", native, STREAM, 0, "read a file; Range is understood"},
	{"PUT", S "/files", native, STREAM, 0, "write a file, atomically"},
	{"DELETE", S "/files", native, STREAM, 0, "remove a file or folder"},
	{"GET", S "/files/stat", native, STREAM, 0, "type, size and owner of a file"},
	{"GET", S "/files/list", native, STREAM, 0, "entries of a folder"},
	{"POST", S "/files/mkdir", native, STREAM, 0, "make a folder"},
	{"POST", S "/files/move", native, STREAM, 0, "rename a file or folder"},
	{"*", S "/agent/{rest*}", agent, STREAM | CAY_HTTP_UPGRADE | CAY_API_SESSION, 0,
	 "the agent itself, with every protocol that it speaks"},
	{"*", S "/ports/{port}/{rest*}", port,
	 STREAM | CAY_HTTP_UPGRADE | CAY_API_SESSION | CAY_API_ENDLESS, 0,
	 "a TCP port inside: HTTP and WebSocket"},
	{},
};
