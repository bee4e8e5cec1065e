/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 client for plain TCP and unix sockets, on libevent: the daemon speaks to agents with it,
 * the command line to the daemon. (HTTPS to the outside world is web/, with libcurl.)
 *
 * An endpoint keeps up to eight idle connections for reuse. A request on a reused connection that
 * turns out to be closed before a byte of the answer came is sent again on a new one, as long as not
 * more than 64 KiB of a streamed body were sent; otherwise it fails with UNAVAILABLE.
 *
 * A call is valid until its on_done has returned, or until it is cancelled. Callbacks never come from
 * within cay_call_start. They may cancel the call, all but on_done, and only on_done may destroy the
 * endpoint.
 */
#pragma once

#include <jansson.h>

#include "base/error.h"

struct event_base;
struct bufferevent;
struct cay_http_req;
struct cay_endpoint;
struct cay_call;

/* "unix:/path" or "http://host:port"; host may be a name only for the command line (it blocks). */
int cay_endpoint_create(struct event_base *base, const char *url, struct cay_endpoint **ret,
			struct cay_error *err) CAY_NODISCARD;
void cay_endpoint_destroy(struct cay_endpoint *e); /* cancels what is under way; NULL is fine */

struct event_base *cay_endpoint_base(const struct cay_endpoint *e);

/* An endpoint behind another one: each of its connections begins as a request for `target` to
 * `through`, with "Upgrade: tcp", and speaks HTTP with what is behind once that is answered 101.
 * Any other answer becomes the answer to the call. `through` outlives it. */
struct cay_endpoint *cay_endpoint_create_tunnel(struct cay_endpoint *through, const char *target);

/* Closes what upgrades through this endpoint have become (cay_proxy, tunnels): the other end is
 * known to be gone. */
void cay_endpoint_end_streams(struct cay_endpoint *e);

/* A header that every request to this endpoint carries (a key). NULL value removes it. */
void cay_endpoint_set(struct cay_endpoint *e, const char *name, const char *value);

struct cay_header {
	const char *name, *value;
};

struct cay_call_options {
	const char *method;               /* "GET" */
	const char *target;               /* "/v1/exec?x=1" */
	const struct cay_header *headers; /* ended by {}; may be NULL */
	const void *body;
	size_t body_n;
	int64_t stream_length; /* body follows by cay_call_send: its length, -1: chunked; 0: no
				  stream */
	unsigned timeout_ms;   /* whole call, or until 101; 0: none */
	bool upgrade;          /* the headers ask for an upgrade; on_upgrade takes the connection */

	/* Callbacks; each may be NULL but on_done. on_done is the last and called exactly once,
	 * unless the call is cancelled. err->code is CAY_OK when the answer was complete (whatever
	 * its status). */
	void (*on_head)(struct cay_call *call, int status, void *arg);
	void (*on_data)(struct cay_call *call, const void *data, size_t n, void *arg);
	void (*on_drain)(struct cay_call *call, void *arg); /* the sent body has room again */
	void (*on_upgrade)(struct cay_call *call, struct bufferevent *bev /* yours */, void *arg);
	void (*on_done)(struct cay_call *call, const struct cay_error *err, void *arg);
	void *arg;
};

struct cay_call *cay_call_start(struct cay_endpoint *e, const struct cay_call_options *options);
void cay_call_cancel(struct cay_call *call); /* no callback follows; NULL is fine */

/* The answer's: from on_head until on_done, in which they are gone. */
int cay_call_status(const struct cay_call *call);
const char *cay_call_header(const struct cay_call *call, const char *name);
bool cay_call_header_next(const struct cay_call *call, size_t *at, const char **name,
			  const char **value);

/* Streamed request body. False: stop until on_drain. */
bool cay_call_send(struct cay_call *call, const void *data, size_t n);
void cay_call_send_end(struct cay_call *call);

/* Stops and starts reading the answer, for back-pressure. */
void cay_call_pause(struct cay_call *call);
void cay_call_resume(struct cay_call *call);

/* ---- on top: whole exchanges ---- */

/* Sends JSON (NULL: no body; taken), collects the answer up to max bytes, runs the loop until it is
 * there. For the command line only. An answer of 400 and above that carries the error shape becomes
 * *err. *ret (ret may be NULL) is NULL where the answer has no body. */
int cay_endpoint_json(struct cay_endpoint *e, const char *method, const char *target, json_t *body,
		      unsigned timeout_ms, json_t **ret, struct cay_error *err) CAY_NODISCARD;

/* Answers `req` with what the endpoint answers to the same request at `target` (method, body,
 * end-to-end headers; hop-by-hop ones removed, RFC 9110 7.6.1; `extra` added or replaced; removed
 * where its value is NULL),
 * streaming both ways with back-pressure, and joining the two connections after an upgrade. The
 * route needs CAY_HTTP_STREAM and, for upgrades, CAY_HTTP_UPGRADE. Ends the request. `done` (may be
 * NULL) is told the status (0: no answer came) when all is over. */
void cay_proxy(struct cay_http_req *req, struct cay_endpoint *e, const char *target,
	       const struct cay_header *extra, void (*done)(int status, void *arg), void *arg);

/* Joins two connections until both directions have ended: bytes flow with back-pressure,
 * half-closes are handed on; frees both, then calls done(arg) (may be NULL). */
void cay_relay(struct bufferevent *a, struct bufferevent *b, void (*done)(void *arg), void *arg);
