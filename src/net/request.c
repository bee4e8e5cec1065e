/* SPDX-License-Identifier: Apache-2.0 */
/* One request: from its head to a route, and what a handler reads of it. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "net/http_impl.h"
#include "net/url.h"

enum {
	QUERY_PARAMS_MAX = 128,
	SET_MAX = 256 << 10, /* headers of an answer, such as one that is handed on */
	TIMING_MAX = 1024,
	ALLOW_MAX = 256,
};

/* ---- life ---- */

struct cay_http_req *cay_req_create(struct cay_conn *c)
{
	struct cay_http_req *req = cay_alloc(sizeof(*req));

	req->conn = c;
	req->server = c->server;
	req->query = "";
	req->keep = true;
	req->started_ns = cay_clock_ns();
	cay_head_init(&req->head, false, &c->server->head_limits);
	cay_buf_init(&req->path, c->server->o.limits.target_bytes);
	cay_buf_init(&req->query_text, c->server->o.limits.target_bytes * 2);
	cay_buf_init(&req->body, 0);
	cay_buf_init(&req->set, SET_MAX);
	cay_buf_init(&req->timing, TIMING_MAX);
	return req;
}

void cay_req_free(struct cay_http_req *req)
{
	cay_head_fini(&req->head);
	cay_buf_fini(&req->path);
	for (size_t i = 0; i < req->match.n_params; i++)
		free(req->params[i]);
	cay_buf_fini(&req->query_text);
	free(req->query_params);
	cay_strv_free(req->joined);
	free(req->peer);
	cay_buf_fini(&req->body);
	json_decref(req->json);
	cay_buf_fini(&req->set);
	cay_buf_fini(&req->timing);
	free(req);
}

/* ---- checks ---- */

/* Headers of which two would be read differently by different readers. */
static int check_single(const struct cay_head *head, struct cay_error *err)
{
	static const char *const names[] = {"Authorization", "Content-Type", "Host", "Origin"};

	for (size_t i = 0; i < CAY_LEN(names); i++)
		if (cay_head_count(head, names[i]) > 1)
			return cay_fail(err, CAY_E_INVALID, 0, "%s is given more than once",
					names[i]);
	return 0;
}

int cay_req_check(struct cay_http_req *req, enum cay_framing *ret_framing, uint64_t *ret_length,
		  struct cay_error *err)
{
	const struct cay_head *head = &req->head;
	const char *expect = cay_head_get(head, "expect");

	req->keep = head->keep_alive;
	req->is_head = !strcmp(head->method, "HEAD");
	if (cay_head_request_framing(head, ret_framing, ret_length, err) < 0)
		return -1;
	if (check_single(head, err) < 0)
		return -1;
	if (head->minor && !cay_head_get(head, "host"))
		return cay_fail(err, CAY_E_INVALID, 0, "HTTP/1.1 needs a Host header");
	req->length = *ret_framing == CAY_FRAMING_CHUNKED ? -1 : (int64_t)*ret_length;
	req->expect = expect && !strcasecmp(expect, "100-continue") && head->minor &&
		      *ret_framing != CAY_FRAMING_NONE;
	return 0;
}

/* ---- the query ---- */

static void add_query_param(struct cay_http_req *req, size_t name, size_t value)
{
	if (!(req->n_query % 8))
		req->query_params = cay_realloc_array(req->query_params, req->n_query + 8,
						      sizeof(*req->query_params));
	req->query_params[req->n_query++] =
		(struct cay_query_param){.name = (uint32_t)name, .value = (uint32_t)value};
}

static int decode_pair(struct cay_http_req *req, const char *s, size_t n, struct cay_error *err)
{
	const char *eq = memchr(s, '=', n);
	size_t name_n = eq ? (size_t)(eq - s) : n, name = req->query_text.len, value;

	if (cay_url_decode(s, name_n, true, &req->query_text, err) < 0)
		return -1;
	cay_buf_putc(&req->query_text, '\0');
	value = req->query_text.len;
	if (eq && cay_url_decode(eq + 1, n - name_n - 1, true, &req->query_text, err) < 0)
		return -1;
	cay_buf_putc(&req->query_text, '\0');
	add_query_param(req, name, value);
	return 0;
}

/* Reads the whole query. `strict` fails at the first bad parameter, otherwise it is passed over. */
static int read_query(struct cay_http_req *req, bool strict, struct cay_error *err)
{
	struct cay_error ignored;
	size_t n, before;

	if (req->query_read)
		return 0;
	req->query_read = true;
	for (const char *s = req->query; *s; s += n + (s[n] == '&')) {
		n = strcspn(s, "&");
		if (!n)
			continue;
		if (req->n_query == QUERY_PARAMS_MAX)
			return cay_fail(err, CAY_E_LIMIT, 0, "more than %d query parameters",
					QUERY_PARAMS_MAX);
		before = req->query_text.len;
		if (decode_pair(req, s, n, strict ? err : &ignored) < 0) {
			if (strict)
				return cay_fail_in(err, "query");
			req->query_text.len = before;
		}
	}
	return 0;
}

const char *cay_http_query_get(struct cay_http_req *req, const char *name)
{
	struct cay_error ignored;

	if (read_query(req, false, &ignored) < 0)
		return NULL;
	for (size_t i = 0; i < req->n_query; i++)
		if (!strcmp(req->query_text.data + req->query_params[i].name, name))
			return req->query_text.data + req->query_params[i].value;
	return NULL;
}

int cay_http_query_int(struct cay_http_req *req, const char *name, int64_t min, int64_t max,
		       int64_t fallback, int64_t *ret, struct cay_error *err)
{
	const char *text = cay_http_query_get(req, name);
	char what[80];

	if (!text) {
		*ret = fallback;
		return 0;
	}
	snprintf(what, sizeof(what), "query parameter '%.40s'", name);
	return cay_text_int(text, what, min, max, ret, err);
}

/* ---- the route ---- */

/* The remainder as sent: behind as many slashes of the target as stand before it in the path. */
static char *raw_rest(const struct cay_http_req *req, size_t at)
{
	const char *raw = cay_http_target(req);

	if (at >= req->path.len)
		return cay_strdup("");
	for (size_t i = 0; i < at; i++)
		if (req->path.data[i] == '/')
			raw = strchr(raw, '/') + 1;
	return cay_strndup(raw, strcspn(raw, "?"));
}

static void take_params(struct cay_http_req *req)
{
	struct cay_route_match *m = &req->match;

	for (size_t i = 0; i < m->n_params; i++) {
		if (m->has_rest && i == m->n_params - 1)
			req->params[i] = raw_rest(req, m->params[i].at);
		else
			req->params[i] =
				cay_strndup(req->path.data + m->params[i].at, m->params[i].n);
	}
}

static int not_routed(struct cay_http_req *req, bool path_known, struct cay_error *err)
{
	struct cay_buf shown;

	cay_buf_init(&shown, ALLOW_MAX);
	if (path_known) {
		cay_routes_allow(req->server->routes, req->path.data, &shown);
		cay_http_set(req, "Allow", shown.data);
		cay_fail(err, CAY_E_METHOD, 0, "%s is not a method of this route",
			 req->head.method);
		cay_fail_hint(err, "it has %s", shown.data);
	} else {
		cay_text_quote(&shown, req->path.data, req->path.len, 80);
		cay_fail(err, CAY_E_NOT_FOUND, 0, "there is no route '%s'", shown.data);
	}
	cay_buf_fini(&shown);
	return -1;
}

static bool before_rest(const struct cay_route_match *m, size_t at)
{
	return !m->has_rest || at < m->params[m->n_params - 1].at;
}

/* How the body is to be consumed, and how large it may be. */
static int plan_body(struct cay_http_req *req, struct cay_error *err)
{
	const struct cay_http_route *route = req->match.route;
	bool collects = route->flags & (CAY_HTTP_JSON | CAY_HTTP_JSON_OPT | CAY_HTTP_BODY);

	req->mode = collects ? BODY_COLLECT : BODY_HOLD;
	req->body_max = route->body_max;
	if (!collects && !(route->flags & CAY_HTTP_STREAM))
		req->mode = BODY_DISCARD;
	if (collects) {
		if (!req->body_max)
			req->body_max = req->server->o.limits.body_bytes;
		cay_buf_fini(&req->body);
		cay_buf_init(&req->body, (size_t)req->body_max);
	}
	if (req->body_max && req->length > 0 && (uint64_t)req->length > req->body_max)
		return cay_fail(err, CAY_E_LIMIT, 0,
				"the body is %" PRId64 " bytes; at most %" PRIu64 " are allowed",
				req->length, req->body_max);
	return 0;
}

int cay_req_route(struct cay_http_req *req, struct cay_error *err)
{
	struct cay_http_server *s = req->server;
	bool path_known;
	size_t slash;

	if (cay_url_split_slashed(cay_http_target(req), &req->path, &req->query, &slash, err) < 0)
		return -1;
	path_known = cay_routes_find(s->routes, req->head.method, req->path.data, &req->match);
	take_params(req);
	if (s->o.admit && s->o.admit(req, req->match.route, err) < 0)
		return -1;
	if (!req->match.route)
		return not_routed(req, path_known, err);
	if (slash != SIZE_MAX && before_rest(&req->match, slash))
		return cay_fail(err, CAY_E_INVALID, 0,
				"the request path must not contain an encoded '/'");
	if (!req->match.has_rest && read_query(req, true, err) < 0)
		return -1;
	return plan_body(req, err);
}

int cay_req_take_body(struct cay_http_req *req, struct cay_error *err)
{
	unsigned flags = req->match.route->flags;

	if (!(flags & (CAY_HTTP_JSON | CAY_HTTP_JSON_OPT)))
		return 0;
	if (!req->body.len && (flags & CAY_HTTP_JSON_OPT))
		return 0;
	if (!req->body.len) {
		cay_fail(err, CAY_E_INVALID, 0, "a JSON body is needed");
		return cay_fail_hint(err, "send Content-Type: application/json and a JSON text");
	}
	return cay_json_parse(req->body.data, req->body.len, &req->json, err);
}

/* ---- what handlers read ---- */

void *cay_http_user(const struct cay_http_req *req)
{
	return req->server->o.user;
}

struct event_base *cay_http_base(const struct cay_http_req *req)
{
	return req->server->o.base;
}

const struct cay_http_route *cay_http_route(const struct cay_http_req *req)
{
	return req->match.route;
}

const char *cay_http_method(const struct cay_http_req *req)
{
	return req->head.method;
}

/* A head that was refused has no target. */
const char *cay_http_target(const struct cay_http_req *req)
{
	return *req->head.method ? req->head.text.data + req->head.target : "";
}

const char *cay_http_path(const struct cay_http_req *req)
{
	return req->path.data;
}

const char *cay_http_query(const struct cay_http_req *req)
{
	return req->query;
}

/* Joined values live as long as the request; each name is joined once. */
static const char *join(const struct cay_http_req *req, const char *name)
{
	struct cay_http_req *r = (struct cay_http_req *)(uintptr_t)req;
	size_t name_n = strlen(name), at = 0;
	const char *field, *value;
	struct cay_buf b;

	for (char **j = req->joined; j && *j; j++)
		if (!strncasecmp(*j, name, name_n) && (*j)[name_n] == ':')
			return *j + name_n + 1;
	cay_buf_init(&b, name_n + 1 + req->head.text.len * 2);
	cay_buf_printf(&b, "%s:", name);
	while (cay_head_next(&req->head, &at, &field, &value))
		if (!strcasecmp(field, name))
			cay_buf_printf(&b, "%s%s", b.len > name_n + 1 ? ", " : "", value);
	r->joined = cay_strv_append(r->joined, b.data);
	cay_buf_fini(&b);
	return join(req, name);
}

const char *cay_http_header(const struct cay_http_req *req, const char *name)
{
	if (cay_head_count(&req->head, name) < 2)
		return cay_head_get(&req->head, name);
	return join(req, name);
}

bool cay_http_header_next(const struct cay_http_req *req, size_t *at, const char **name,
			  const char **value)
{
	return cay_head_next(&req->head, at, name, value);
}

const char *cay_http_param(const struct cay_http_req *req, const char *name)
{
	const struct cay_route_match *m = &req->match;
	size_t n = strlen(name);

	for (size_t i = 0; i < m->n_params; i++)
		if (m->params[i].name_n == n && !memcmp(m->params[i].name, name, n))
			return req->params[i];
	return "";
}

json_t *cay_http_json(const struct cay_http_req *req)
{
	return req->json;
}

const char *cay_http_body(const struct cay_http_req *req, size_t *ret_n)
{
	*ret_n = req->body.len;
	return req->body.data;
}

int64_t cay_http_content_length(const struct cay_http_req *req)
{
	return req->length;
}

/* ---- the peer ---- */

static char *peer_of_unix(int fd)
{
	struct ucred cred = {};
	socklen_t n = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
		return cay_strdup("unix");
	return cay_format("unix uid %u pid %d", cred.uid, cred.pid);
}

static char *peer_of_tcp(int fd)
{
	char text[INET6_ADDRSTRLEN] = "?";
	struct sockaddr_storage addr = {};
	socklen_t n = sizeof(addr);
	const struct sockaddr_in6 *v6 = (const void *)&addr;
	const struct sockaddr_in *v4 = (const void *)&addr;

	if (getpeername(fd, (struct sockaddr *)&addr, &n) < 0)
		return cay_strdup("?");
	if (addr.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
		return cay_format("[%s]:%u", text, ntohs(v6->sin6_port));
	}
	inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
	return cay_format("%s:%u", text, ntohs(v4->sin_port));
}

const char *cay_http_peer(const struct cay_http_req *req)
{
	struct cay_http_req *r = (struct cay_http_req *)(uintptr_t)req;

	if (!r->peer)
		r->peer = req->conn->is_unix ? peer_of_unix(req->conn->io.fd)
					     : peer_of_tcp(req->conn->io.fd);
	return req->peer;
}

bool cay_http_is_unix(const struct cay_http_req *req)
{
	return req->conn->is_unix;
}

/* ---- streaming the body ---- */

void cay_http_receive(struct cay_http_req *req, const struct cay_http_body_ops *ops, void *arg)
{
	req->ops = ops;
	req->ops_arg = arg;
	if (req->mode != BODY_HOLD)
		return;
	req->mode = BODY_STREAM;
	if (req->expect && !req->body_done)
		cay_reply_continue(req);
	req->expect = false;
	cay_conn_wake(req->conn);
}

void cay_http_pause(struct cay_http_req *req)
{
	req->paused = true;
}

void cay_http_resume(struct cay_http_req *req)
{
	req->paused = false;
	cay_conn_wake(req->conn);
}

void cay_http_on_close(struct cay_http_req *req, void (*on_close)(struct cay_http_req *, void *arg),
		       void *arg)
{
	req->on_close = on_close;
	req->on_close_arg = arg;
}
