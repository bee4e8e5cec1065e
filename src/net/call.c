/* SPDX-License-Identifier: Apache-2.0 */
/* A client's call: its request, its time limit, its end. */
#include <event2/event.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "net/client_impl.h"

enum {
	HEAD_MAX = 256 << 10,
	KEEP_MAX = 64 << 10, /* of a streamed body, for a second try */
};

/* ---- the request's text ---- */

static bool is_set(const struct cay_call_options *o, const char *name)
{
	for (const struct cay_header *h = o->headers; h && h->name; h++)
		if (!strcasecmp(h->name, name))
			return true;
	return false;
}

static int put_header(struct cay_buf *out, const char *name, const char *value,
		      struct cay_error *err)
{
	if (!cay_head_is_token(name) || !cay_head_is_value(value))
		return cay_fail(err, CAY_E_INVALID, 0,
				"header '%.60s' has characters that no header may have", name);
	return cay_buf_printf(out, "%s: %s\r\n", name, value);
}

static int put_headers(struct cay_call *call, struct cay_error *err)
{
	const struct cay_endpoint *e = call->endpoint;
	const struct cay_call_options *o = &call->o;

	for (const struct cay_header *h = o->headers; h && h->name; h++)
		if (put_header(&call->request, h->name, h->value, err) < 0)
			return -1;
	for (size_t i = 0; i < e->n_headers; i++)
		if (!is_set(o, e->headers[i].name) &&
		    put_header(&call->request, e->headers[i].name, e->headers[i].value, err) < 0)
			return -1;
	return 0;
}

static void put_host(struct cay_call *call)
{
	const struct cay_url *url = &call->endpoint->url;
	bool v6 = strchr(url->host, ':') != NULL;

	if (is_set(&call->o, "host"))
		return;
	if (url->is_unix)
		cay_buf_puts(&call->request, "Host: localhost\r\n");
	else
		cay_buf_printf(&call->request, "Host: %s%s%s:%u\r\n", v6 ? "[" : "", url->host,
			       v6 ? "]" : "", url->port);
}

static void put_framing(struct cay_call *call)
{
	const struct cay_call_options *o = &call->o;
	bool may_have_body = !strcmp(o->method, "POST") || !strcmp(o->method, "PUT") ||
			     !strcmp(o->method, "PATCH");

	if (call->chunked)
		cay_buf_puts(&call->request, "Transfer-Encoding: chunked\r\n");
	else if (call->streamed)
		cay_buf_printf(&call->request, "Content-Length: %lld\r\n",
			       (long long)o->stream_length);
	else if (o->body_n || may_have_body)
		cay_buf_printf(&call->request, "Content-Length: %zu\r\n", o->body_n);
}

static int check_target(const struct cay_call_options *o, struct cay_error *err)
{
	bool ok = o->target[0] == '/' && cay_head_is_token(o->method);

	for (const char *p = o->target; *p; p++)
		ok = ok && (unsigned char)*p > 0x20 && (unsigned char)*p < 0x7f;
	return ok ? 0
		  : cay_fail(err, CAY_E_INVALID, 0,
			     "the request's target is not an encoded path that begins with '/'");
}

static int put_request(struct cay_call *call, struct cay_error *err)
{
	const struct cay_call_options *o = &call->o;

	if (check_target(o, err) < 0)
		return -1;
	cay_buf_reserve(&call->request, 512);
	cay_buf_printf(&call->request, "%s %s HTTP/1.1\r\n", o->method, o->target);
	put_host(call);
	if (put_headers(call, err) < 0)
		return -1;
	put_framing(call);
	cay_buf_puts(&call->request, "\r\n");
	cay_buf_append(&call->request, o->body, o->body_n);
	if (call->request.overflow)
		return cay_fail(err, CAY_E_LIMIT, 0,
				"the request's headers are larger than %d bytes", HEAD_MAX);
	return 0;
}

/* ---- sending ---- */

static void send_request(struct cay_call *call)
{
	struct iovec iov = {.iov_base = call->request.data, .iov_len = call->request.len};

	if (call->streamed)
		cay_io_queue(&call->link->io, iov.iov_base, iov.iov_len); /* more follows */
	else
		cay_io_write(&call->link->io, &iov, 1);
}

/* Keeps what is sent, while a second try may need it. */
static void keep(struct cay_call *call, const void *data, size_t n)
{
	if (!call->link->reused || !call->retriable)
		return;
	if (call->chunked)
		cay_buf_printf(&call->request, "%zx\r\n", n);
	cay_buf_append(&call->request, data, n);
	if (call->chunked)
		cay_buf_puts(&call->request, "\r\n");
	if (call->request.overflow || call->request.len > KEEP_MAX + HEAD_MAX) {
		call->retriable = false;
		cay_buf_fini(&call->request);
	}
}

bool cay_call_send(struct cay_call *call, const void *data, size_t n)
{
	if (!call->link || !n || call->stream_ended)
		return true; /* it has failed, or been answered: on_done follows or has come */
	keep(call, data, n);
	cay_frame_send(&call->link->io, call->chunked, data, n);
	call->wants_drain = cay_io_waiting(&call->link->io) > CAY_LINK_HIGH_WATER;
	return !call->wants_drain;
}

void cay_call_send_end(struct cay_call *call)
{
	if (call->stream_ended)
		return;
	call->stream_ended = true;
	if (!call->link)
		return;
	if (call->chunked) {
		if (call->link->reused && call->retriable)
			cay_buf_puts(&call->request, "0\r\n\r\n");
		cay_frame_send_end(&call->link->io);
	}
	cay_io_flush(&call->link->io);
}

/* ---- life ---- */

/* Out of the endpoint's sight. */
static void remove_call(struct cay_call *call)
{
	if (call->link)
		cay_link_close(call->link);
	TAILQ_REMOVE(&call->endpoint->calls, call, entry);
	event_del(&call->timer);
}

static void free_call(struct cay_call *call)
{
	cay_buf_fini(&call->request);
	free(call);
}

void cay_call_finish(struct cay_call *call, const struct cay_error *err)
{
	struct cay_error e = err ? *err : (struct cay_error){};

	remove_call(call);
	call->o.on_done(call, &e, call->o.arg);
	free_call(call);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct cay_call *call = arg;

	if (!call->failure.code)
		cay_fail(&call->failure, CAY_E_TIMEOUT, 0, "no complete answer within %u ms",
			 call->o.timeout_ms);
	cay_call_finish(call, &call->failure);
}

bool cay_call_retry(struct cay_call *call)
{
	struct cay_link *link = call->link;

	if (!link->reused || link->got_bytes || !call->retriable)
		return false;
	cay_link_close(link);
	if (cay_link_get(call, true, &call->failure) < 0) {
		event_active(&call->timer, EV_TIMEOUT, 0);
		return true;
	}
	send_request(call);
	return true;
}

struct cay_call *cay_call_start(struct cay_endpoint *e, const struct cay_call_options *options)
{
	struct cay_call *call = cay_alloc(sizeof(*call));
	struct timeval tv = {.tv_sec = options->timeout_ms / 1000,
			     .tv_usec = options->timeout_ms % 1000 * 1000};

	call->endpoint = e;
	call->o = *options;
	call->streamed = options->stream_length != 0;
	call->stream_ended = !call->streamed;
	call->chunked = options->stream_length < 0;
	call->to_head = !strcmp(options->method, "HEAD");
	call->retriable = true;
	cay_buf_init(&call->request, HEAD_MAX + KEEP_MAX + options->body_n);
	evtimer_assign(&call->timer, e->base, on_timer, call);
	TAILQ_INSERT_TAIL(&e->calls, call, entry);
	if (put_request(call, &call->failure) < 0 ||
	    cay_link_get(call, false, &call->failure) < 0) {
		event_active(&call->timer, EV_TIMEOUT, 0);
		return call;
	}
	send_request(call);
	if (options->timeout_ms)
		event_add(&call->timer, &tv);
	/* The caller's strings end here. */
	call->o.method = call->o.target = NULL;
	call->o.headers = NULL;
	call->o.body = NULL;
	return call;
}

void cay_call_cancel(struct cay_call *call)
{
	if (!call)
		return;
	remove_call(call);
	free_call(call);
}

int cay_call_status(const struct cay_call *call)
{
	return call->status;
}

const char *cay_call_header(const struct cay_call *call, const char *name)
{
	return call->link ? cay_head_get(&call->link->head, name) : NULL;
}

bool cay_call_header_next(const struct cay_call *call, size_t *at, const char **name,
			  const char **value)
{
	return call->link && cay_head_next(&call->link->head, at, name, value);
}

void cay_call_pause(struct cay_call *call)
{
	call->paused = true;
	if (call->link)
		cay_io_pause(&call->link->io);
}

void cay_call_resume(struct cay_call *call)
{
	if (!call->paused)
		return;
	call->paused = false;
	if (call->link)
		cay_io_schedule(&call->link->io);
}
