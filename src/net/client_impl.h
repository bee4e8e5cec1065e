/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the HTTP client share: endpoint.c (where to, connections and their reuse),
 * call.c (the request), answer.c (the answer). Not for other folders.
 */
#pragma once

#include <event2/event_struct.h>
#include <sys/queue.h>

#include "net/client.h"
#include "net/frame.h"
#include "net/head.h"
#include "net/io.h"
#include "net/url.h"

enum {
	CAY_LINK_HIGH_WATER = 256 << 10, /* of a streamed body waiting to be sent */
	CAY_LINK_IDLE_MAX = 8,
};

/* One connection: idle, or working for one call. */
struct cay_link {
	TAILQ_ENTRY(cay_link) entry; /* in endpoint->idle or endpoint->working */
	struct cay_endpoint *endpoint;
	struct cay_call *call; /* NULL: idle */
	struct cay_io io;
	struct cay_head head;
	struct cay_frame frame;
	struct cay_buf pending; /* bytes of the answer that came while it was paused */
	bool reused, got_bytes;
	bool *gone; /* set for whoever is on the stack when the link is closed */
};

struct cay_endpoint_header {
	char *name, *value;
};

TAILQ_HEAD(cay_link_list, cay_link);
TAILQ_HEAD(cay_joined_list, cay_joined); /* see relay.c */

struct cay_endpoint {
	struct event_base *base;
	struct cay_url url;
	struct cay_endpoint_header *headers;
	size_t n_headers;
	struct cay_link_list idle, working; /* idle: the latest used first */
	TAILQ_HEAD(, cay_call) calls;
	struct cay_joined_list joined; /* what upgrades have become */
	unsigned n_idle;

	/* Of a tunnel: what it goes through, and the connections that are not open yet. */
	struct cay_endpoint *through;
	char *through_target;
	TAILQ_HEAD(, cay_tunnel) tunnels;
};

struct cay_call {
	TAILQ_ENTRY(cay_call) entry;
	struct cay_endpoint *endpoint;
	struct cay_link *link;
	struct cay_call_options o; /* its strings are not kept */
	struct cay_buf request;    /* head and body, for a second try */
	bool to_head, streamed, stream_ended, chunked, paused, wants_drain;
	bool retriable; /* `request` holds all that has been sent */
	int status;
	struct event timer;
	struct cay_error failure; /* found while starting: told by the timer */
};

/* ---- endpoint.c ---- */

/* A connection for the call: an idle one unless `fresh`, else a new one. */
int cay_link_get(struct cay_call *call, bool fresh, struct cay_error *err) CAY_NODISCARD;
void cay_link_close(struct cay_link *link);   /* the call, if any, loses it */
void cay_link_release(struct cay_link *link); /* the answer is complete: idle again */

/* ---- relay.c ---- */

/* cay_relay, kept on a list until it is over; ending all closes both sides of each at once. */
void cay_relay_in(struct cay_joined_list *list, struct bufferevent *a, struct bufferevent *b,
		  void (*done)(void *arg), void *arg);
void cay_relay_end_all(struct cay_joined_list *list);

/* ---- tunnel.c ---- */

/* A connection to what is behind e->through. */
int cay_tunnel_open(struct cay_endpoint *e, int *ret_fd, struct cay_error *err) CAY_NODISCARD;
void cay_tunnels_cancel(struct cay_endpoint *e); /* those that are not open yet */

/* ---- answer.c ---- */

extern const struct cay_io_ops cay_link_ops;

/* ---- call.c ---- */

/* Ends the call: tells, and frees it. */
void cay_call_finish(struct cay_call *call, const struct cay_error *err);

/* The connection of an unanswered call has ended: once more on a new one, if that is safe. */
bool cay_call_retry(struct cay_call *call);
