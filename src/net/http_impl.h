/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the HTTP server share: server.c (listening, the set of connections), conn.c (one
 * connection: reading, and the order of things), request.c (what a handler reads), reply.c and
 * reply_file.c (what it answers). Not for other folders.
 *
 * A connection is in one state, which says what the next byte is:
 *
 *	IDLE -> HEAD -> BODY -> WAIT -> IDLE ...        BODY: also of a request that is answered already
 *	                   \-> LINGER -> gone           LINGER: no answer follows; discards what comes
 */
#pragma once

#include <event2/event_struct.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "net/frame.h"
#include "net/head.h"
#include "net/http.h"
#include "net/io.h"
#include "net/route.h"

enum conn_state {
	CONN_IDLE,
	CONN_HEAD,
	CONN_BODY,
	CONN_WAIT, /* for the answer, or for it to go out */
	CONN_LINGER,
};

/* How a request's body is consumed. */
enum body_mode {
	BODY_HOLD, /* a stream's, until the handler says where to */
	BODY_COLLECT,
	BODY_STREAM,
	BODY_DISCARD, /* the request has been answered */
};

struct cay_conn {
	TAILQ_ENTRY(cay_conn) link; /* in server->waiting or server->busy */
	struct cay_http_server *server;
	struct cay_io io;
	enum conn_state state;
	bool running; /* conn.c is on the stack: it does what follows */
	bool closing; /* after the answer has gone out */
	bool aborted; /* at once */
	bool is_unix, peer_ended;
	struct cay_http_req *req; /* NULL when idle, and after the answer */
	struct cay_frame frame;
	uint64_t discarded;
	struct cay_buf pending; /* bytes that came too early */
	const char *ahead;      /* what has been read behind the request, while a handler runs */
	size_t n_ahead;
	struct event timer;
	uint64_t timer_ms, since_ms; /* armed for (0: not); when the state was entered, or a byte of
					a body last came */
};

struct cay_query_param {
	uint32_t name, value; /* offsets in query_text */
};

struct cay_http_req {
	struct cay_conn *conn;
	struct cay_http_server *server;
	struct cay_head head;
	struct cay_route_match match;
	struct cay_buf path;
	const char *query;
	char *params[CAY_ROUTE_PARAMS_MAX]; /* values, as match.params */
	struct cay_buf query_text;
	struct cay_query_param *query_params;
	size_t n_query;
	bool query_read;
	char **joined; /* values made of repeated headers */
	char *peer;
	uint64_t started_ns;

	/* body */
	enum body_mode mode;
	bool paused, expect, body_done, end_told;
	int64_t length;
	uint64_t body_max, received;
	struct cay_buf body;
	json_t *json;
	const struct cay_http_body_ops *ops;
	void *ops_arg;

	/* answer */
	int status;
	bool is_head, keep, answered, chunked, no_body, has_date, wants_drain, in_error;
	uint64_t left; /* of a declared length */
	struct cay_buf set, timing;
	void (*on_close)(struct cay_http_req *, void *);
	void *on_close_arg;
	void (*on_drain)(struct cay_http_req *, void *);
	void *on_drain_arg;
};

TAILQ_HEAD(cay_conn_list, cay_conn);

struct cay_listener {
	TAILQ_ENTRY(cay_listener) link;
	struct cay_http_server *server;
	struct event event, retry;
	int fd;
	bool is_unix;
};

struct cay_http_server {
	struct cay_http_server_options o;
	struct cay_head_limits head_limits;
	struct cay_routes *routes;
	struct cay_conn_list waiting; /* without a complete request, the longest first */
	struct cay_conn_list busy;
	unsigned n_conns;
	TAILQ_HEAD(, cay_listener) listeners;
	bool draining;
	struct event drained;
	void (*on_drained)(void *arg);
	void *on_drained_arg;
	char date[48];
	int64_t date_s;
};

/* ---- conn.c ---- */

void cay_conn_create(struct cay_http_server *s, int fd, bool is_unix);
void cay_conn_free(struct cay_conn *c); /* tells the request's handler */

/* Something outside has changed: the connection looks again, in a turn of its own. */
void cay_conn_wake(struct cay_conn *c);
void cay_conn_arm(struct cay_conn *c); /* looks at the deadline again */

/* May the connection go on after this request's answer? */
bool cay_conn_keeps(const struct cay_http_req *req);

/* The answer is complete: the request is over. */
void cay_conn_answered(struct cay_http_req *req);

/* ---- request.c ---- */

struct cay_http_req *cay_req_create(struct cay_conn *c);
void cay_req_free(struct cay_http_req *req);

/* A complete head: where the body ends. After a failure nobody knows where the next request begins. */
int cay_req_check(struct cay_http_req *req, enum cay_framing *ret_framing, uint64_t *ret_length,
		  struct cay_error *err) CAY_NODISCARD;
/* Target, route, admission, and what the route says of the body. */
int cay_req_route(struct cay_http_req *req, struct cay_error *err) CAY_NODISCARD;
/* The collected body, as the route wants it. */
int cay_req_take_body(struct cay_http_req *req, struct cay_error *err) CAY_NODISCARD;

/* ---- reply.c ---- */

void cay_reply_continue(struct cay_http_req *req); /* 100, once, to who expects it */

/* Status line and headers into out; length -1: unknown. */
void cay_reply_head(struct cay_http_req *req, int status, const char *content_type, int64_t length,
		    struct cay_buf *out);

/* ---- server.c ---- */

void cay_server_conn_gone(struct cay_http_server *s);
const char *cay_server_date(struct cay_http_server *s);
