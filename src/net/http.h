/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 server (RFC 9112) on libevent, parsed by http_parser. One thread, one event loop; many
 * listening sockets, TCP and unix, for one set of routes. Used by the agent and by the daemon.
 *
 * Life of a request. The connection reads the head, checks it (framing conflicts, limits, Host and
 * Origin by the server's `admit` hook), finds the route and then, by the route's flags, collects
 * the body (and parses it as JSON), or hands it on as a stream. The handler answers now or later;
 * the request object stays valid until the handler has ended the answer, or until `on_close` says
 * that the client went away (whichever is first; exactly one of the two ends it). Pipelined
 * requests wait until the one before has been answered.
 *
 * Back-pressure, both ways. Up: while `cay_http_pause` holds, nothing more is read from the socket.
 * Down: `cay_http_send` always takes the bytes, and answers false once more than a high-water mark
 * waits in the socket's buffer: the producer then stops and goes on when `on_drain` is called.
 *
 * Every phase has a limit and a deadline (struct cay_http_limits). A violation is answered with the
 * error shape where an answer is still possible, and the connection is closed.
 *
 * A client that ends its half of the connection while it waits for an answer counts as gone. What a
 * handler leaves unread of a body is read past, up to 256 KiB; then the connection is closed.
 *
 * The program ignores SIGPIPE, and gives it back to the programs that it executes.
 */
#pragma once

#include <jansson.h>

#include "base/error.h"

struct event_base;
struct bufferevent;
struct cay_http_server;
struct cay_http_req;

/* ---- routes ---- */

enum cay_http_flags {
	CAY_HTTP_JSON = 1 << 0, /* a JSON body is required: cay_http_json() is set in the handler */
	CAY_HTTP_JSON_OPT = 1 << 1, /* the same, but an empty body is fine (cay_http_json() NULL) */
	CAY_HTTP_BODY = 1 << 2,     /* collect the whole body: cay_http_body() */
	CAY_HTTP_STREAM = 1 << 3,  /* handler runs at the end of the head; it sets on_data/on_end */
	CAY_HTTP_UPGRADE = 1 << 4, /* "Upgrade" is allowed: WebSocket, or hand-over */
	CAY_HTTP_OPEN = 1 << 5,    /* needs no key (for the admit hook) */
	CAY_HTTP_USER = 1 << 8,    /* first flag free for the program's own use */
};

/* One row a route; tables of rows are const arrays. Pattern: "/v1/x/{id}" takes one segment into a
 * parameter, "/v1/x/{rest*}" the remainder of the path, also empty. A literal segment wins over a
 * parameter. "*" as method takes any; HEAD is answered by GET's handler without the body. */
struct cay_http_route {
	const char *method;
	const char *pattern;
	void (*handle)(struct cay_http_req *req);
	unsigned flags;
	uint64_t body_max; /* bytes; 0: the limits' default */
	const char *summary;
};

/* ---- server ---- */

struct cay_http_limits {
	size_t head_bytes; /* request line and headers together */
	size_t header_count;
	size_t target_bytes;      /* of the request line */
	uint64_t body_bytes;      /* default for JSON and BODY routes */
	unsigned connections;     /* at once; past it the oldest idle one is closed, else refused */
	unsigned head_timeout_ms; /* first byte to end of the head (slow headers) */
	unsigned idle_timeout_ms; /* between requests */
	unsigned body_timeout_ms; /* without a byte of the body, unless paused */
	unsigned write_timeout_ms; /* without progress while bytes wait */
	size_t high_water;         /* bytes waiting in a connection before send() says stop */
};
extern const struct cay_http_limits cay_http_limits_default;

struct cay_http_server_options {
	struct event_base *base;
	const struct cay_http_route *const
		*tables;               /* NULL-terminated list of tables, each ended by {} */
	struct cay_http_limits limits; /* all zero: the defaults */
	void *user;                    /* cay_http_user() */

	/* Called when the head is complete and the route known (route may be NULL: 404 or 405
	 * follows). -1 refuses with *err. For keys, Host and Origin. May be NULL. */
	int (*admit)(struct cay_http_req *req, const struct cay_http_route *route,
		     struct cay_error *err);

	/* Answers errors in this server's own shape; NULL: {"error":{...}} of cay_json_error(), which
	 * is also what cay_http_reply_error() answers when this calls it. The route may be NULL,
	 * method and path empty. */
	void (*answer_error)(struct cay_http_req *req, const struct cay_error *err);

	/* Called once for each answered request, for metrics and logs. May be NULL. */
	void (*done)(struct cay_http_req *req, int status, uint64_t duration_ns);
};

int cay_http_server_create(const struct cay_http_server_options *options,
			   struct cay_http_server **ret, struct cay_error *err) CAY_NODISCARD;
void cay_http_server_destroy(
	struct cay_http_server *s); /* closes everything at once; NULL is fine */

/* Adds a listening socket. TCP: an IP address ("127.0.0.1", "::1", "0.0.0.0") and port (0: any;
 * *ret_port is the one taken). fd: ownership passes, whatever it is. */
int cay_http_listen_tcp(struct cay_http_server *s, const char *address, uint16_t port,
			uint16_t *ret_port, struct cay_error *err) CAY_NODISCARD;
int cay_http_listen_unix(struct cay_http_server *s, const char *path,
			 struct cay_error *err) CAY_NODISCARD;
int cay_http_listen_fd(struct cay_http_server *s, int fd, struct cay_error *err) CAY_NODISCARD;

/* Stops accepting, closes idle connections, lets running requests finish (each answer then says
 * Connection: close), calls done(arg) when none is left. */
void cay_http_server_drain(struct cay_http_server *s, void (*done)(void *arg), void *arg);

unsigned cay_http_server_connections(const struct cay_http_server *s);

/* ---- reading a request ---- */

void *cay_http_user(const struct cay_http_req *req);
struct event_base *cay_http_base(const struct cay_http_req *req);
const struct cay_http_route *cay_http_route(const struct cay_http_req *req);
const char *cay_http_method(const struct cay_http_req *req);
const char *cay_http_target(const struct cay_http_req *req); /* as sent: path and query */
const char *cay_http_path(const struct cay_http_req *req);   /* decoded, without the query */
const char *cay_http_query(const struct cay_http_req *req);  /* as sent, without '?'; "" if none */

/* Header by name, any case; repeated ones joined by ", " (except where that is refused: Host,
 * Content-Length, Authorization must be single). NULL if absent. */
const char *cay_http_header(const struct cay_http_req *req, const char *name);

/* Iterates over all headers in order; false at the end. *at starts at 0. */
bool cay_http_header_next(const struct cay_http_req *req, size_t *at, const char **name,
			  const char **value);

/* A parameter of the route's pattern, percent-decoded ("{rest*}" is as sent). Never NULL. */
const char *cay_http_param(const struct cay_http_req *req, const char *name);

/* A query parameter, percent-decoded; the first of several; NULL if absent. A parameter whose
 * decoded form contains NUL is refused with 400 before the handler runs. */
const char *cay_http_query_get(struct cay_http_req *req, const char *name);

/* Query parameter as an integer within [min, max]; `fallback` where it is absent. */
int cay_http_query_int(struct cay_http_req *req, const char *name, int64_t min, int64_t max,
		       int64_t fallback, int64_t *ret, struct cay_error *err) CAY_NODISCARD;

json_t *cay_http_json(const struct cay_http_req *req); /* borrowed */
const char *cay_http_body(const struct cay_http_req *req, size_t *ret_n);

/* "ip:port", or "unix" with the peer's uid and pid. */
const char *cay_http_peer(const struct cay_http_req *req);
bool cay_http_is_unix(const struct cay_http_req *req);

/* Declared length of the body, or -1 where it is chunked, 0 where there is none. */
int64_t cay_http_content_length(const struct cay_http_req *req);

/* ---- streaming a request's body (CAY_HTTP_STREAM) ---- */

struct cay_http_body_ops {
	/* Bytes of the body, in order; borrowed. -1: refuse; the server answers *err. */
	int (*on_data)(struct cay_http_req *req, const void *data, size_t n, void *arg,
		       struct cay_error *err);
	/* The body is complete; the handler answers now or later. */
	void (*on_end)(struct cay_http_req *req, void *arg);
};

/* "Expect: 100-continue" is answered when the handler sets these. */
void cay_http_receive(struct cay_http_req *req, const struct cay_http_body_ops *ops, void *arg);
void cay_http_pause(struct cay_http_req *req);
void cay_http_resume(struct cay_http_req *req);

/* The client went away, its body was malformed, too large or refused by on_data, or the server stops,
 * before the answer was complete: the request is invalid after the callback returns, and the
 * callback does not answer. Every handler that answers later sets this. */
void cay_http_on_close(struct cay_http_req *req, void (*on_close)(struct cay_http_req *, void *arg),
		       void *arg);

/* ---- answering ---- */

/* Whole answers; each ends the request. Extra headers are set before with cay_http_set. */
void cay_http_reply(struct cay_http_req *req, int status, const char *content_type,
		    const void *body, size_t n);
void cay_http_reply_json(struct cay_http_req *req, int status, json_t *value /* taken */);
void cay_http_reply_error(struct cay_http_req *req, const struct cay_error *err);
void cay_http_reply_empty(struct cay_http_req *req, int status); /* 204, 304 */

/* Adds a header to the answer (before it starts). CR, LF and NUL in the value are refused by
 * assertion: values from outside are checked by the caller. */
void cay_http_set(struct cay_http_req *req, const char *name, const char *value);

/* A file, from offset, n bytes, by sendfile; ownership of fd passes. Handles "Range" (RFC 9110, 14:
 * one range; 206, 416) when the descriptor is a regular file of `size` bytes. Ends the request. */
void cay_http_reply_file(struct cay_http_req *req, const char *content_type, int fd, uint64_t size);

/* Streamed answer: start, send..., end. length -1: chunked. cay_http_abort closes the connection in
 * the middle, so that the client sees that the answer is not complete. */
void cay_http_start(struct cay_http_req *req, int status, const char *content_type, int64_t length);
bool cay_http_send(struct cay_http_req *req, const void *data, size_t n);
void cay_http_on_drain(struct cay_http_req *req, void (*on_drain)(struct cay_http_req *, void *arg),
		       void *arg);
void cay_http_end(struct cay_http_req *req);
void cay_http_abort(struct cay_http_req *req);
bool cay_http_started(const struct cay_http_req *req);

/* Server-sent events (WHATWG HTML, 9.2): start, then one event after another. `data` is split at
 * line ends as the format demands; event and id may be NULL. Comment lines keep proxies awake. */
void cay_http_sse_start(struct cay_http_req *req);
bool cay_http_sse_send(struct cay_http_req *req, const char *event, const char *id,
		       const char *data, size_t n);

/* Adds "name;dur=ms" to Server-Timing. */
void cay_http_timing(struct cay_http_req *req, const char *name, uint64_t duration_ns);

/* Hand-over: after cay_http_start-less protocols (CONNECT, Upgrade) the connection's bufferevent
 * leaves the server, with `head` (status line and headers, complete) written to it and whatever the
 * client sent beyond the request's head already in its input buffer. The request ends. The caller
 * frees it. */
struct bufferevent *cay_http_take_over(struct cay_http_req *req, const char *head, size_t n);
