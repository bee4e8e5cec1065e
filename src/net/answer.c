/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to a client's call, as its connection brings it. */
#include <event2/bufferevent.h>
#include <string.h>

#include "net/client_impl.h"

/* Runs a callback after which the link may be gone: then leaves with -1. */
#define CALL_OR_LEAVE(link, call)                                                                  \
	do {                                                                                       \
		bool gone_ = false;                                                                \
		bool *outer_ = (link)->gone;                                                       \
		(link)->gone = &gone_;                                                             \
		call;                                                                              \
		if (gone_) {                                                                       \
			if (outer_)                                                                \
				*outer_ = true;                                                    \
			return -1;                                                                 \
		}                                                                                  \
		(link)->gone = outer_;                                                             \
	} while (0)

static struct cay_link *link_of(struct cay_io *io)
{
	return CAY_CONTAINER_OF(io, struct cay_link, io);
}

/* The answer is complete, with `left` bytes read behind it. */
static void complete(struct cay_link *link, size_t left)
{
	struct cay_call *call = link->call;

	if (!left && link->head.keep_alive && link->frame.framing != CAY_FRAMING_CLOSE &&
	    call->stream_ended && cay_io_is_idle(&link->io) && !link->io.broken &&
	    !link->io.hung_up)
		cay_link_release(link);
	else
		cay_link_close(link);
	cay_call_finish(call, NULL);
}

static void fail(struct cay_link *link, const struct cay_error *err)
{
	struct cay_call *call = link->call;

	cay_link_close(link);
	cay_call_finish(call, err);
}

/* 101: what has been read behind the head belongs to the new protocol. */
static void upgrade(struct cay_link *link, const char *data, size_t n)
{
	struct cay_call *call = link->call;
	struct bufferevent *bev = cay_io_to_bufferevent(&link->io, data, n);

	call->o.on_upgrade(call, bev, call->o.arg);
	cay_link_close(link);
	cay_call_finish(call, NULL);
}

/* The head is complete. Returns -1 when the link is done with. */
static int take_status(struct cay_link *link, const char *rest, size_t n)
{
	struct cay_call *call = link->call;
	enum cay_framing framing;
	struct cay_error err;
	uint64_t length;

	call->status = link->head.status;
	if (call->status == 101 && call->o.upgrade && call->o.on_upgrade) {
		upgrade(link, rest, n);
		return -1;
	}
	if (call->status == 101) {
		cay_fail(&err, CAY_E_UNAVAILABLE, 0, "the server upgraded without being asked to");
		fail(link, &err);
		return -1;
	}
	if (cay_head_response_framing(&link->head, call->to_head, &framing, &length, &err) < 0) {
		err.code = CAY_E_UNAVAILABLE;
		fail(link, &err);
		return -1;
	}
	cay_frame_init(&link->frame, framing, length);
	if (call->o.on_head)
		CALL_OR_LEAVE(link, call->o.on_head(call, call->status, call->o.arg));
	if (link->frame.done) {
		complete(link, n);
		return -1;
	}
	return 0;
}

/* Both: the number of bytes taken, or -1 when the link is done with. */
static ssize_t take_head(struct cay_link *link, const char *data, size_t n)
{
	struct cay_head_limits limits = {.start_bytes = link->head.text.max};
	struct cay_error err;
	size_t used;

	if (cay_head_feed(&link->head, data, n, &limits, &used, &err) < 0) {
		err.code = CAY_E_UNAVAILABLE;
		cay_fail_in(&err, "the server's answer");
		fail(link, &err);
		return -1;
	}
	if (!link->head.complete)
		return (ssize_t)used;
	if (link->head.status < 200 && link->head.status != 101) { /* interim: another follows */
		limits.bytes = link->head.text.max;
		limits.field_count = link->head.max_fields;
		cay_head_fini(&link->head);
		cay_head_init(&link->head, true, &limits);
		return (ssize_t)used;
	}
	return take_status(link, data + used, n - used) < 0 ? -1 : (ssize_t)used;
}

static ssize_t take_body(struct cay_link *link, const char *data, size_t n)
{
	struct cay_call *call = link->call;
	const char *payload;
	struct cay_error err;
	size_t used, payload_n;

	if (cay_frame_next(&link->frame, data, n, &used, &payload, &payload_n, &err) < 0) {
		err.code = CAY_E_UNAVAILABLE;
		cay_fail_in(&err, "the server's answer");
		fail(link, &err);
		return -1;
	}
	if (payload_n && call->o.on_data)
		CALL_OR_LEAVE(link, call->o.on_data(call, payload, payload_n, call->o.arg));
	if (link->frame.done) {
		complete(link, n - used);
		return -1;
	}
	return (ssize_t)used;
}

/* Takes as much as the call wants; the number of bytes, or -1 when the link is done with. */
static ssize_t take(struct cay_link *link, const char *data, size_t n)
{
	size_t used = 0;
	ssize_t k;

	while (used < n && !link->call->paused) {
		link->got_bytes = true;
		k = link->head.complete ? take_body(link, data + used, n - used)
					: take_head(link, data + used, n - used);
		if (k < 0)
			return -1;
		used += (size_t)k;
	}
	return (ssize_t)used;
}

static void on_data(struct cay_io *io, char *data, size_t n)
{
	struct cay_link *link = link_of(io);
	struct cay_error err;
	ssize_t used;

	if (!link->call) { /* an idle connection owes us nothing */
		cay_link_close(link);
		return;
	}
	used = link->pending.len ? 0 : take(link, data, n);
	if (used < 0 || (size_t)used == n)
		return;
	cay_io_pause(io);
	if (cay_buf_append(&link->pending, data + used, n - (size_t)used) < 0) {
		cay_fail(&err, CAY_E_INTERNAL, 0, "the answer outran its reader");
		fail(link, &err);
	}
}

/* The call has been resumed. */
static void on_turn(struct cay_io *io)
{
	struct cay_link *link = link_of(io);
	ssize_t used;

	if (!link->call || link->call->paused)
		return;
	if (link->pending.len) {
		/* Out of the link: it may be gone when the callbacks have run. */
		struct cay_buf b = link->pending;

		cay_buf_init(&link->pending, b.max);
		used = take(link, b.data, b.len);
		if (used >= 0 && (size_t)used < b.len) {
			cay_buf_consume(&b, (size_t)used);
			link->pending = b;
			return;
		}
		cay_buf_fini(&b);
		if (used < 0)
			return;
	}
	if (!link->call->paused)
		cay_io_resume(io);
}

static void on_end(struct cay_io *io, int sys)
{
	struct cay_link *link = link_of(io);
	struct cay_call *call = link->call;
	struct cay_error err;

	if (!call) {
		cay_link_close(link);
		return;
	}
	if (!sys && link->head.complete && link->frame.framing == CAY_FRAMING_CLOSE) {
		complete(link, 0);
		return;
	}
	if (cay_call_retry(call))
		return;
	if (io->connecting)
		cay_fail(&err, CAY_E_UNAVAILABLE, sys, "connect to %s port %u",
			 link->endpoint->url.host, link->endpoint->url.port);
	else
		cay_fail(&err, CAY_E_UNAVAILABLE, sys, "the server closed the connection %s",
			 link->head.complete ? "in the middle of its answer"
					     : "before it answered");
	fail(link, &err);
}

static void on_drain(struct cay_io *io)
{
	struct cay_call *call = link_of(io)->call;

	if (!call || !call->wants_drain)
		return;
	call->wants_drain = false;
	if (call->o.on_drain)
		call->o.on_drain(call, call->o.arg);
}

const struct cay_io_ops cay_link_ops = {
	.on_data = on_data,
	.on_end = on_end,
	.on_drain = on_drain,
	.on_turn = on_turn,
};
