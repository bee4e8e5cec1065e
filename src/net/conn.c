/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection of the HTTP server: turns bytes into requests, one after the other, and keeps the
 * order of things. Everything that calls a handler happens in run(), which is never entered twice:
 * an answer given inside a handler is noticed when the handler returns, an answer given later wakes
 * the connection through the loop. So a handler may do anything but destroy the server.
 */
#include <event2/event.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/http_impl.h"

enum {
	PENDING_MAX = 256 << 10,
	PIPELINE_MAX = 16 << 10, /* read ahead while a request waits for its answer */
	DISCARD_MAX = 256 << 10, /* of a body that nobody wanted, before the connection closes */
	LINGER_MS = 2000,
	LINGER_MAX = 1 << 20,
};

/* ---- deadlines ---- */

/* When the connection is given up if nothing happens; 0: never. */
static uint64_t deadline(const struct cay_conn *c)
{
	const struct cay_http_limits *l = &c->server->o.limits;

	if (c->state == CONN_LINGER)
		return c->since_ms + LINGER_MS;
	if (!cay_io_is_idle(&c->io))
		return c->io.progress_ms + l->write_timeout_ms;
	if (c->state == CONN_IDLE)
		return c->since_ms + l->idle_timeout_ms;
	if (c->state == CONN_HEAD)
		return c->since_ms + l->head_timeout_ms;
	if (c->state == CONN_BODY && !c->io.paused)
		return c->since_ms + l->body_timeout_ms;
	return 0;
}

/* The timer is left alone as long as it fires soon enough: it looks again then. So a request costs
 * none. */
void cay_conn_arm(struct cay_conn *c)
{
	uint64_t at = deadline(c), now;
	struct timeval tv;

	if (!at || (c->timer_ms && c->timer_ms <= at))
		return;
	now = cay_clock_ms();
	at = CAY_MAX(at, now + 1);
	c->timer_ms = at;
	tv.tv_sec = (time_t)((at - now) / 1000);
	tv.tv_usec = (suseconds_t)((at - now) % 1000 * 1000);
	event_add(&c->timer, &tv);
}

/* ---- states ---- */

static void enter(struct cay_conn *c, enum conn_state state)
{
	struct cay_http_server *s = c->server;
	bool was_waiting = c->state <= CONN_HEAD, is_waiting = state <= CONN_HEAD;

	c->state = state;
	c->since_ms = cay_clock_ms();
	if (was_waiting != is_waiting) {
		TAILQ_REMOVE(was_waiting ? &s->waiting : &s->busy, c, link);
		TAILQ_INSERT_TAIL(is_waiting ? &s->waiting : &s->busy, c, link);
	}
}

/* Refuses the request in hand, if it is not answered yet; the connection is of no more use. A
 * handler that has been waiting for its body is told that it will not come. */
static void fail(struct cay_conn *c, const struct cay_error *err)
{
	struct cay_http_req *req = c->req;
	void (*on_close)(struct cay_http_req * req, void *arg);

	c->closing = true;
	if (!req || req->answered)
		return;
	req->keep = false;
	on_close = req->on_close;
	req->on_close = NULL;
	if (on_close)
		on_close(req, req->on_close_arg);
	cay_http_reply_error(req, err);
}

static void begin_body(struct cay_conn *c, struct cay_http_req *req, enum cay_framing framing,
		       uint64_t length)
{
	cay_frame_init(&c->frame, framing, length);
	c->discarded = 0;
	req->body_done = c->frame.done;
	enter(c, c->frame.done ? CONN_WAIT : CONN_BODY);
}

/* Runs the handler; a stream's body follows it. */
static void dispatch(struct cay_conn *c)
{
	c->req->match.route->handle(c->req);
}

/* A request's body is complete. */
static void end_body(struct cay_conn *c)
{
	struct cay_http_req *req = c->req;
	struct cay_error err;

	enter(c, CONN_WAIT);
	if (!req)
		return;
	req->body_done = true;
	if (req->mode == BODY_COLLECT) {
		if (cay_req_take_body(req, &err) < 0)
			cay_http_reply_error(req, &err);
		else
			dispatch(c);
	}
}

/* A stream has been handed on whole, if it was one, and its handler has not been told. */
static bool owes_end(const struct cay_conn *c)
{
	const struct cay_http_req *req = c->req;

	return req && req->mode == BODY_STREAM && req->body_done && !req->paused && !req->end_told;
}

static void tell_end(struct cay_conn *c)
{
	struct cay_http_req *req = c->req;

	req->end_told = true;
	if (req->ops->on_end)
		req->ops->on_end(req, req->ops_arg);
}

static void end_head(struct cay_conn *c)
{
	struct cay_http_req *req = c->req;
	enum cay_framing framing;
	struct cay_error err;
	uint64_t length;

	req->started_ns = cay_clock_ns();
	if (cay_req_check(req, &framing, &length, &err) < 0) {
		begin_body(c, req, CAY_FRAMING_NONE,
			   0); /* where the next request begins is unknown */
		fail(c, &err);
		return;
	}
	begin_body(c, req, framing, length);
	if (cay_req_route(req, &err) < 0)
		cay_http_reply_error(req, &err);
	else if (req->mode != BODY_COLLECT)
		dispatch(c);
	else if (c->state == CONN_WAIT)
		end_body(c);
	else if (req->expect)
		cay_reply_continue(req);
}

/* ---- bytes ---- */

/* What a connection that is handed over in a callback has read already. */
static void look_ahead(struct cay_conn *c, const char *data, size_t n)
{
	c->ahead = data;
	c->n_ahead = n;
}

static size_t take_head(struct cay_conn *c, const char *data, size_t n)
{
	struct cay_error err;
	size_t used = 0;

	if (c->state == CONN_IDLE) {
		/* Empty lines between requests do not begin one: they do not keep a connection. */
		for (used = 0; used < n && (data[used] == '\r' || data[used] == '\n'); used++)
			;
		if (used)
			return used;
		c->req = cay_req_create(c);
		enter(c, CONN_HEAD);
	}
	if (cay_head_feed(&c->req->head, data, n, &c->server->head_limits, &used, &err) < 0) {
		enter(c, CONN_WAIT);
		fail(c, &err);
		return n;
	}
	look_ahead(c, data + used, n - used);
	if (c->req->head.complete)
		end_head(c);
	return used;
}

static int collect(struct cay_http_req *req, const char *data, size_t n, struct cay_error *err)
{
	if (cay_buf_append(&req->body, data, n) == 0)
		return 0;
	return cay_fail(err, CAY_E_LIMIT, 0, "the body is larger than %llu bytes",
			(unsigned long long)req->body_max);
}

static int take_payload(struct cay_conn *c, const char *data, size_t n, struct cay_error *err)
{
	struct cay_http_req *req = c->req;

	if (!req || req->mode == BODY_DISCARD) {
		c->discarded += n;
		return c->discarded > DISCARD_MAX ? cay_fail(err, CAY_E_LIMIT, 0, "not wanted") : 0;
	}
	if (req->mode == BODY_COLLECT)
		return collect(req, data, n, err);
	req->received += n;
	if (req->body_max && req->received > req->body_max)
		return cay_fail(err, CAY_E_LIMIT, 0, "the body is larger than %llu bytes",
				(unsigned long long)req->body_max);
	return req->ops->on_data ? req->ops->on_data(req, data, n, req->ops_arg, err) : 0;
}

static size_t take_body(struct cay_conn *c, const char *data, size_t n)
{
	const char *payload;
	struct cay_error err;
	size_t used, payload_n;
	int rc;

	c->since_ms = cay_clock_ms();
	rc = cay_frame_next(&c->frame, data, n, &used, &payload, &payload_n, &err);
	if (rc == 0) {
		look_ahead(c, data + used, n - used);
		if (payload_n)
			rc = take_payload(c, payload, payload_n, &err);
	}
	if (rc < 0) {
		fail(c, &err);
		return n;
	}
	if (c->frame.done)
		end_body(c);
	return used;
}

static bool body_is_held(const struct cay_conn *c)
{
	const struct cay_http_req *req = c->req;

	return c->state == CONN_BODY && req && (req->mode == BODY_HOLD || req->paused);
}

/* A connection whose answer is out and whose request has been read begins the next. */
static bool may_begin_next(const struct cay_conn *c)
{
	return c->state == CONN_WAIT && !c->req && !c->closing && cay_io_is_idle(&c->io);
}

/* Takes as much as it can of n bytes; the rest belongs to later. */
static size_t take(struct cay_conn *c, const char *data, size_t n)
{
	size_t used = 0;

	for (;;) {
		if (c->aborted)
			return n;
		if (owes_end(c))
			tell_end(c);
		if (may_begin_next(c))
			enter(c, CONN_IDLE);
		if (used == n || body_is_held(c) || (c->closing && c->state != CONN_LINGER))
			return used;
		switch (c->state) {
		case CONN_IDLE:
		case CONN_HEAD:
			used += take_head(c, data + used, n - used);
			break;
		case CONN_BODY:
			used += take_body(c, data + used, n - used);
			break;
		case CONN_WAIT:
			return used;
		case CONN_LINGER:
			c->discarded += n - used;
			c->aborted = c->discarded > LINGER_MAX;
			return n;
		}
	}
}

/* ---- running ---- */

/* An answer that must be the last has gone out: half-close, then read until the client has closed
 * too, so that our close does not destroy the answer on its way (RFC 9112, 9.6). */
static void linger(struct cay_conn *c)
{
	if (c->peer_ended) {
		c->aborted = true;
		return;
	}
	enter(c, CONN_LINGER);
	c->discarded = 0;
	cay_buf_fini(&c->pending);
	cay_io_shutdown(&c->io);
}

static void pause_or_resume(struct cay_conn *c)
{
	bool pause = c->pending.len > 0;

	if (c->state == CONN_WAIT)
		pause = c->pending.len >= PIPELINE_MAX;
	if (pause || body_is_held(c))
		cay_io_pause(&c->io);
	else
		cay_io_resume(&c->io);
}

/* Does what can be done with n new bytes behind those pending; may free the connection. */
static void run(struct cay_conn *c, const char *data, size_t n)
{
	size_t used;

	c->running = true;
	if (c->pending.len) {
		if (n && cay_buf_append(&c->pending, data, n) < 0)
			c->aborted = true;
		used = take(c, c->pending.data, c->pending.len);
		cay_buf_consume(&c->pending, used);
		if (!c->pending.len)
			cay_buf_fini(&c->pending);
	} else {
		used = take(c, data, n);
		if (used < n && cay_buf_append(&c->pending, data + used, n - used) < 0)
			c->aborted = true;
	}
	c->running = false;
	look_ahead(c, c->pending.data, c->pending.len);
	if (!c->req && c->closing && c->state != CONN_LINGER && cay_io_is_idle(&c->io))
		linger(c);
	if (c->aborted || (c->server->draining && c->state <= CONN_IDLE)) {
		cay_conn_free(c);
		return;
	}
	pause_or_resume(c);
	cay_conn_arm(c);
}

static struct cay_conn *conn_of(struct cay_io *io)
{
	return CAY_CONTAINER_OF(io, struct cay_conn, io);
}

static void on_data(struct cay_io *io, char *data, size_t n)
{
	run(conn_of(io), data, n);
}

static void on_turn(struct cay_io *io)
{
	run(conn_of(io), NULL, 0);
}

static void on_end(struct cay_io *io, int sys)
{
	struct cay_conn *c = conn_of(io);

	/* What an earlier request is still owed goes out; a client that waits for an answer and
	 * closes its half does not want it. */
	c->peer_ended = true;
	if (sys || c->req || c->state == CONN_LINGER || cay_io_is_idle(io)) {
		cay_conn_free(c);
		return;
	}
	c->closing = true;
	cay_io_pause(io);
	cay_conn_arm(c);
}

static void on_hang_up(struct cay_io *io)
{
	if (conn_of(io)->req)
		cay_conn_free(conn_of(io));
}

static void on_drain(struct cay_io *io)
{
	struct cay_conn *c = conn_of(io);
	struct cay_http_req *req = c->req;

	c->running = true;
	if (req && req->wants_drain && req->on_drain) {
		req->wants_drain = false;
		req->on_drain(req, req->on_drain_arg);
	}
	c->running = false;
	run(c, NULL, 0);
}

static const struct cay_io_ops io_ops = {
	.on_data = on_data,
	.on_end = on_end,
	.on_hang_up = on_hang_up,
	.on_drain = on_drain,
	.on_turn = on_turn,
};

void cay_conn_wake(struct cay_conn *c)
{
	if (!c->running)
		cay_io_schedule(&c->io);
}

bool cay_conn_keeps(const struct cay_http_req *req)
{
	const struct cay_conn *c = req->conn;

	if (!req->keep || c->closing || c->server->draining)
		return false;
	if (req->body_done)
		return true;
	/* A client that waits to be asked for its body may send it or not: nobody can tell. */
	return !req->expect &&
	       (c->frame.framing != CAY_FRAMING_LENGTH || c->frame.left <= DISCARD_MAX);
}

void cay_conn_answered(struct cay_http_req *req)
{
	struct cay_conn *c = req->conn;

	req->answered = true;
	cay_io_flush(&c->io);
	if (!req->keep)
		c->closing = true;
	if (req->status && c->server->o.done)
		c->server->o.done(req, req->status, cay_clock_ns() - req->started_ns);
	c->req = NULL;
	cay_req_free(req);
	cay_conn_wake(c);
}

/* ---- time ---- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct cay_conn *c = arg;
	uint64_t at = deadline(c);
	struct cay_error err;

	c->timer_ms = 0;
	if (!at || cay_clock_ms() < at) {
		cay_conn_arm(c);
		return;
	}
	/* A late request is told so, where it is not answered and nothing waits to be sent. */
	if (c->req && !c->req->status && cay_io_is_idle(&c->io) && c->state <= CONN_BODY) {
		cay_fail(&err, CAY_E_INVALID, 0, "the request did not arrive in time");
		c->running = true;
		if (c->state == CONN_HEAD)
			enter(c, CONN_WAIT);
		fail(c, &err);
		c->running = false;
		run(c, NULL, 0);
		return;
	}
	cay_conn_free(c);
}

/* ---- life ---- */

void cay_conn_create(struct cay_http_server *s, int fd, bool is_unix)
{
	struct cay_conn *c = cay_alloc(sizeof(*c));

	c->server = s;
	c->is_unix = is_unix;
	cay_buf_init(&c->pending, PENDING_MAX);
	cay_io_init(&c->io, s->o.base, fd, false, s->o.limits.high_water / 4, &io_ops);
	evtimer_assign(&c->timer, s->o.base, on_timer, c);
	c->since_ms = cay_clock_ms();
	TAILQ_INSERT_TAIL(&s->waiting, c, link);
	s->n_conns++;
	cay_conn_arm(c);
}

void cay_conn_free(struct cay_conn *c)
{
	struct cay_http_server *s = c->server;
	struct cay_http_req *req = c->req;

	c->running = true; /* nothing that the handler does now wakes it */
	c->req = NULL;
	if (req) {
		req->answered = true;
		if (req->on_close)
			req->on_close(req, req->on_close_arg);
		cay_req_free(req);
	}
	event_del(&c->timer);
	cay_io_fini(&c->io);
	cay_buf_fini(&c->pending);
	TAILQ_REMOVE(c->state <= CONN_HEAD ? &s->waiting : &s->busy, c, link);
	s->n_conns--;
	free(c);
	cay_server_conn_gone(s);
}
