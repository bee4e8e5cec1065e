/* SPDX-License-Identifier: Apache-2.0 */
/* Answers a request with another server's answer, streaming both ways. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "net/client_impl.h"
#include "net/http_impl.h"

struct proxy {
	struct cay_http_req *req; /* NULL once it has ended */
	struct cay_call *call;    /* NULL once it is done */
	int status;
	bool relaying;
	void (*done)(int status, void *arg);
	void *arg;
};

enum { UPGRADE_HEAD_MAX = 128 << 10 };

static void finish(struct proxy *p)
{
	if (p->done)
		p->done(p->status, p->arg);
	free(p);
}

/* ---- the answer, downwards ---- */

static int64_t declared_length(const struct cay_call *call)
{
	const struct cay_link *link = call->link;
	const char *text = cay_head_get(&link->head, "content-length");

	if (link->frame.framing == CAY_FRAMING_CHUNKED)
		return -1;
	return text ? strtoll(text, NULL, 10) : link->frame.framing == CAY_FRAMING_CLOSE ? -1 : 0;
}

static void on_head(struct cay_call *call, int status, void *arg)
{
	const struct cay_head *head = &call->link->head;
	const char *name, *value;
	struct proxy *p = arg;
	size_t at = 0;

	p->status = status;
	while (cay_head_next(head, &at, &name, &value))
		if (!cay_head_is_hop(head, name) && strcasecmp(name, "content-length") != 0)
			cay_http_set(p->req, name, value);
	cay_http_start(p->req, status, NULL, declared_length(call));
}

static void on_data(struct cay_call *call, const void *data, size_t n, void *arg)
{
	struct proxy *p = arg;

	if (!cay_http_send(p->req, data, n))
		cay_call_pause(call);
}

static void on_answer_drain(struct cay_http_req *req, void *arg)
{
	struct proxy *p = arg;

	if (p->call)
		cay_call_resume(p->call);
}

static void on_done(struct cay_call *call, const struct cay_error *err, void *arg)
{
	struct proxy *p = arg;

	p->call = NULL;
	if (p->relaying)
		return;
	if (err->code)
		cay_http_reply_error(p->req, err);
	else
		cay_http_end(p->req);
	finish(p);
}

static void on_close(struct cay_http_req *req, void *arg)
{
	struct proxy *p = arg;

	cay_call_cancel(p->call);
	finish(p);
}

/* ---- an upgrade ---- */

static void on_relay_done(void *arg)
{
	finish(arg);
}

static void on_upgrade(struct cay_call *call, struct bufferevent *bev, void *arg)
{
	struct proxy *p = arg;
	const char *name, *value;
	struct bufferevent *client;
	struct cay_buf head;
	size_t at = 0;

	p->status = 101;
	p->relaying = true;
	cay_buf_init(&head, UPGRADE_HEAD_MAX);
	cay_buf_puts(&head, "HTTP/1.1 101 Switching Protocols\r\n");
	while (cay_call_header_next(call, &at, &name, &value))
		cay_buf_printf(&head, "%s: %s\r\n", name, value);
	cay_buf_puts(&head, "\r\n");
	client = cay_http_take_over(p->req, head.data, head.len);
	cay_buf_fini(&head);
	p->req = NULL;
	cay_relay_in(&call->endpoint->joined, client, bev, on_relay_done, p);
}

/* ---- the request, upwards ---- */

static int on_body(struct cay_http_req *req, const void *data, size_t n, void *arg,
		   struct cay_error *err)
{
	struct proxy *p = arg;

	if (p->call && !cay_call_send(p->call, data, n))
		cay_http_pause(req);
	return 0;
}

static void on_body_end(struct cay_http_req *req, void *arg)
{
	struct proxy *p = arg;

	if (p->call)
		cay_call_send_end(p->call);
}

static void on_body_drain(struct cay_call *call, void *arg)
{
	struct proxy *p = arg;

	cay_http_resume(p->req);
}

static const struct cay_http_body_ops body_ops = {.on_data = on_body, .on_end = on_body_end};

static bool names(const struct cay_header *h, const char *name)
{
	for (; h && h->name; h++)
		if (!strcasecmp(h->name, name))
			return true;
	return false;
}

/* The request's own headers that are handed on, then the extra ones. */
static struct cay_header *collect_headers(const struct cay_http_req *req,
					  const struct cay_header *extra, bool upgrade)
{
	struct cay_header *list, *h;
	size_t n = req->head.n_fields + 3, at = 0;
	const char *name, *value;

	for (const struct cay_header *x = extra; x && x->name; x++)
		n++;
	h = list = cay_alloc(n * sizeof(*list));
	while (cay_head_next(&req->head, &at, &name, &value)) {
		if (cay_head_is_hop(&req->head, name) || !strcasecmp(name, "content-length") ||
		    !strcasecmp(name, "expect") || names(extra, name))
			continue;
		*h++ = (struct cay_header){.name = name, .value = value};
	}
	if (upgrade) {
		*h++ = (struct cay_header){.name = "Connection", .value = "Upgrade"};
		*h++ = (struct cay_header){.name = "Upgrade",
					   .value = cay_head_get(&req->head, "upgrade")};
	}
	for (; extra && extra->name; extra++)
		if (extra->value)
			*h++ = *extra;
	return list;
}

static bool wants_upgrade(const struct cay_http_req *req)
{
	return (req->match.route->flags & CAY_HTTP_UPGRADE) && !req->length &&
	       cay_head_get(&req->head, "upgrade") &&
	       cay_head_has_token(&req->head, "connection", "upgrade");
}

void cay_proxy(struct cay_http_req *req, struct cay_endpoint *e, const char *target,
	       const struct cay_header *extra, void (*done)(int status, void *arg), void *arg)
{
	struct proxy *p = cay_alloc(sizeof(*p));
	bool upgrade = wants_upgrade(req);
	auto_free struct cay_header *headers = collect_headers(req, extra, upgrade);

	p->req = req;
	p->done = done;
	p->arg = arg;
	p->call = cay_call_start(e, &(struct cay_call_options){.method = req->head.method,
							       .target = target,
							       .headers = headers,
							       .stream_length = req->length,
							       .upgrade = upgrade,
							       .on_head = on_head,
							       .on_data = on_data,
							       .on_drain = on_body_drain,
							       .on_upgrade = on_upgrade,
							       .on_done = on_done,
							       .arg = p});
	cay_http_on_close(req, on_close, p);
	cay_http_on_drain(req, on_answer_drain, p);
	if (req->length)
		cay_http_receive(req, &body_ops, p);
}
