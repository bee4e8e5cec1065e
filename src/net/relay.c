/* SPDX-License-Identifier: Apache-2.0 */
/* Joins two connections. Knows nothing of what flows. */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "net/client_impl.h"

enum {
	HIGH_WATER = 256 << 10,
	LOW_WATER = 64 << 10,
	HALF_CLOSED_S = 120, /* without a byte, after one direction has ended */
};

struct side {
	struct bufferevent *bev;
	struct side *other;
	struct cay_joined *relay;
	bool ended; /* nothing more comes from here */
	bool shut;  /* and the other side has been told */
};

struct cay_joined {
	TAILQ_ENTRY(cay_joined) entry;
	struct cay_joined_list *list; /* or NULL */
	struct side a, b;
	void (*done)(void *arg);
	void *arg;
};

static void finish(struct cay_joined *r)
{
	void (*done)(void *) = r->done;
	void *arg = r->arg;

	if (r->list)
		TAILQ_REMOVE(r->list, r, entry);
	bufferevent_free(r->a.bev);
	bufferevent_free(r->b.bev);
	free(r);
	if (done)
		done(arg);
}

static size_t waiting(const struct side *s)
{
	return evbuffer_get_length(bufferevent_get_output(s->bev));
}

/* `from` has ended: once all of it is with the other side, that one is told. */
static void hand_on_end(struct side *from)
{
	struct timeval tv = {.tv_sec = HALF_CLOSED_S};

	if (!from->ended || from->shut || waiting(from->other))
		return;
	from->shut = true;
	shutdown(bufferevent_getfd(from->other->bev), SHUT_WR);
	if (from->other->shut)
		finish(from->relay);
	else
		bufferevent_set_timeouts(from->other->bev, &tv, NULL);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct side *s = arg;

	bufferevent_write_buffer(s->other->bev, bufferevent_get_input(bev));
	if (waiting(s->other) > HIGH_WATER)
		bufferevent_disable(bev, EV_READ);
}

/* This side has taken what it had: the other one may be read again. */
static void on_write(struct bufferevent *bev, void *arg)
{
	struct side *s = arg;

	if (!s->other->ended)
		bufferevent_enable(s->other->bev, EV_READ);
	hand_on_end(s->other);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct side *s = arg;

	if (what & BEV_EVENT_EOF) {
		s->ended = true;
		bufferevent_setwatermark(s->other->bev, EV_WRITE, 0, 0);
		hand_on_end(s);
	} else if (what & (BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT)) {
		finish(s->relay);
	}
}

static void join_side(struct side *s, struct side *other, struct bufferevent *bev,
		      struct cay_joined *r)
{
	*s = (struct side){.bev = bev, .other = other, .relay = r};
	bufferevent_setwatermark(bev, EV_WRITE, LOW_WATER, 0);
	bufferevent_setcb(bev, on_read, on_write, on_event, s);
}

void cay_relay_in(struct cay_joined_list *list, struct bufferevent *a, struct bufferevent *b,
		  void (*done)(void *arg), void *arg)
{
	struct cay_joined *r = cay_alloc(sizeof(*r));

	r->list = list;
	if (list)
		TAILQ_INSERT_TAIL(list, r, entry);

	r->done = done;
	r->arg = arg;
	join_side(&r->a, &r->b, a, r);
	join_side(&r->b, &r->a, b, r);
	on_read(a, &r->a); /* what has been read already */
	on_read(b, &r->b);
	bufferevent_enable(a, EV_READ | EV_WRITE);
	bufferevent_enable(b, EV_READ | EV_WRITE);
}

void cay_relay(struct bufferevent *a, struct bufferevent *b, void (*done)(void *arg), void *arg)
{
	cay_relay_in(NULL, a, b, done, arg);
}

void cay_relay_end_all(struct cay_joined_list *list)
{
	while (!TAILQ_EMPTY(list))
		finish(TAILQ_FIRST(list));
}
