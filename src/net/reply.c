/* SPDX-License-Identifier: Apache-2.0 */
/* Answers: whole, streamed, server-sent events, errors, and handing the connection over. */
#include <assert.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/mem.h"
#include "net/http_impl.h"

enum {
	HEAD_FIRST = 512,
	HEAD_MAX = 1 << 20, /* more than what cay_http_set takes */
	EVENT_MAX = 64 << 20,
};

/* ---- heads ---- */

void cay_http_set(struct cay_http_req *req, const char *name, const char *value)
{
	assert(cay_head_is_token(name) && cay_head_is_value(value));
	if (!strcasecmp(name, "date"))
		req->has_date = true;
	cay_buf_printf(&req->set, "%s: %s\r\n", name, value);
}

void cay_http_timing(struct cay_http_req *req, const char *name, uint64_t duration_ns)
{
	cay_buf_printf(&req->timing, "%s%s;dur=%.3f", req->timing.len ? ", " : "", name,
		       (double)duration_ns / 1e6);
}

/* RFC 9110, 6.4.1: answers that never have a body, whatever their headers say. */
static bool is_bodiless(int status)
{
	return status < 200 || status == 204 || status == 304;
}

static void head_framing(struct cay_http_req *req, int status, int64_t length, struct cay_buf *out)
{
	if (is_bodiless(status))
		return;
	if (length >= 0)
		cay_buf_printf(out, "Content-Length: %lld\r\n", (long long)length);
	else if (req->head.minor)
		cay_buf_puts(out, "Transfer-Encoding: chunked\r\n");
	req->chunked = length < 0 && req->head.minor;
}

void cay_reply_head(struct cay_http_req *req, int status, const char *content_type, int64_t length,
		    struct cay_buf *out)
{
	/* HTTP/1.0 knows no chunks: such an answer ends with the connection. */
	if (length < 0 && !req->head.minor && !is_bodiless(status))
		req->keep = false;
	req->keep = cay_conn_keeps(req);
	req->status = status;
	req->no_body = req->is_head || is_bodiless(status);
	cay_buf_reserve(out, HEAD_FIRST);
	cay_buf_printf(out, "HTTP/1.1 %d %s\r\n", status, cay_head_reason(status));
	if (!req->has_date)
		cay_buf_puts(out, cay_server_date(req->server));
	if (content_type)
		cay_buf_printf(out, "Content-Type: %s\r\n", content_type);
	head_framing(req, status, length, out);
	if (!req->keep)
		cay_buf_puts(out, "Connection: close\r\n");
	else if (!req->head.minor)
		cay_buf_puts(out, "Connection: keep-alive\r\n");
	cay_buf_append(out, req->set.data, req->set.len);
	if (req->timing.len)
		cay_buf_printf(out, "Server-Timing: %s\r\n", req->timing.data);
	cay_buf_puts(out, "\r\n");
}

void cay_reply_continue(struct cay_http_req *req)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct iovec iov = {.iov_base = (void *)(uintptr_t)text, .iov_len = sizeof(text) - 1};

	if (!req->status)
		cay_io_write(&req->conn->io, &iov, 1);
	req->expect = false;
}

/* ---- whole answers ---- */

void cay_http_reply(struct cay_http_req *req, int status, const char *content_type,
		    const void *body, size_t n)
{
	struct cay_buf head;
	struct iovec iov[2];

	assert(!req->status);
	cay_buf_init(&head, HEAD_MAX);
	cay_reply_head(req, status, content_type, (int64_t)n, &head);
	iov[0] = (struct iovec){.iov_base = head.data, .iov_len = head.len};
	iov[1] = (struct iovec){.iov_base = (void *)(uintptr_t)body, .iov_len = n};
	cay_io_write(&req->conn->io, iov, n && !req->no_body ? 2 : 1);
	cay_buf_fini(&head);
	cay_conn_answered(req);
}

void cay_http_reply_json(struct cay_http_req *req, int status, json_t *value)
{
	auto_free char *text = cay_json_text(value);

	json_decref(value);
	cay_http_reply(req, status, "application/json", text, strlen(text));
}

void cay_http_reply_error(struct cay_http_req *req, const struct cay_error *err)
{
	if (req->status) {
		cay_http_abort(req);
		return;
	}
	if (req->server->o.answer_error && !req->in_error) {
		req->in_error = true;
		req->server->o.answer_error(req, err);
		return;
	}
	cay_http_reply_json(req, cay_error_http_status(err->code), cay_json_error(err));
}

void cay_http_reply_empty(struct cay_http_req *req, int status)
{
	cay_http_reply(req, status, NULL, NULL, 0);
}

/* ---- streamed answers ---- */

bool cay_http_started(const struct cay_http_req *req)
{
	return req->status != 0;
}

void cay_http_start(struct cay_http_req *req, int status, const char *content_type, int64_t length)
{
	struct cay_buf head;

	assert(!req->status);
	cay_buf_init(&head, HEAD_MAX);
	cay_reply_head(req, status, content_type, length, &head);
	req->left = length < 0 ? UINT64_MAX : (uint64_t)length;
	if (req->no_body)
		req->left = 0;
	cay_io_queue(&req->conn->io, head.data, head.len);
	cay_buf_fini(&head);
}

bool cay_http_send(struct cay_http_req *req, const void *data, size_t n)
{
	struct cay_conn *c = req->conn;

	/* Never more than was declared: it would be read as the next answer. */
	n = (size_t)CAY_MIN((uint64_t)n, req->left);
	if (n && !req->no_body) {
		req->left -= req->left == UINT64_MAX ? 0 : n;
		cay_frame_send(&c->io, req->chunked, data, n);
		cay_conn_arm(c);
	}
	req->wants_drain = cay_io_waiting(&c->io) > c->server->o.limits.high_water;
	return !req->wants_drain && !c->io.broken;
}

void cay_http_on_drain(struct cay_http_req *req, void (*on_drain)(struct cay_http_req *, void *arg),
		       void *arg)
{
	req->on_drain = on_drain;
	req->on_drain_arg = arg;
}

void cay_http_end(struct cay_http_req *req)
{
	assert(req->status);
	if (!req->no_body && req->left && req->left != UINT64_MAX) {
		cay_http_abort(req); /* less than was declared */
		return;
	}
	if (req->chunked && !req->no_body)
		cay_frame_send_end(&req->conn->io);
	cay_conn_answered(req);
}

void cay_http_abort(struct cay_http_req *req)
{
	req->conn->aborted = true;
	req->status = 0;
	cay_conn_answered(req);
}

/* ---- server-sent events ---- */

void cay_http_sse_start(struct cay_http_req *req)
{
	cay_http_set(req, "Cache-Control", "no-store");
	cay_http_set(req, "X-Accel-Buffering", "no");
	cay_http_start(req, 200, "text/event-stream", -1);
}

/* A line of an event ends at CR LF, CR or LF: each becomes a "data:" line of its own. */
static void put_data_lines(struct cay_buf *out, const char *data, size_t n)
{
	size_t from = 0, i = 0;

	for (; i < n; i++) {
		if (data[i] != '\n' && data[i] != '\r')
			continue;
		cay_buf_puts(out, "data: ");
		cay_buf_append(out, data + from, i - from);
		cay_buf_putc(out, '\n');
		if (data[i] == '\r' && i + 1 < n && data[i + 1] == '\n')
			i++;
		from = i + 1;
	}
	cay_buf_puts(out, "data: ");
	cay_buf_append(out, data + from, n - from);
	cay_buf_putc(out, '\n');
}

bool cay_http_sse_send(struct cay_http_req *req, const char *event, const char *id,
		       const char *data, size_t n)
{
	struct cay_buf text;
	bool more;

	assert((!event || cay_head_is_value(event)) && (!id || cay_head_is_value(id)));
	cay_buf_init(&text, EVENT_MAX);
	if (event)
		cay_buf_printf(&text, "event: %s\n", event);
	if (id)
		cay_buf_printf(&text, "id: %s\n", id);
	if (data)
		put_data_lines(&text, data, n);
	else
		cay_buf_puts(&text, ":\n");
	cay_buf_putc(&text, '\n');
	assert(!text.overflow);
	more = cay_http_send(req, text.data, text.len);
	cay_buf_fini(&text);
	return more;
}

/* ---- hand-over ---- */

struct bufferevent *cay_http_take_over(struct cay_http_req *req, const char *head, size_t n)
{
	struct cay_conn *c = req->conn;
	struct bufferevent *bev;

	assert(!req->status && req->body_done);
	cay_io_flush(&c->io);
	bev = cay_io_to_bufferevent(&c->io, c->ahead, c->n_ahead);
	bufferevent_write(bev, head, n);
	c->aborted = true;
	req->status = 101;
	cay_conn_answered(req);
	return bev;
}
