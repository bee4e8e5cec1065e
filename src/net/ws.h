/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket (RFC 6455), both ends, on a bufferevent that was handed over. Messages are assembled
 * from fragments up to a maximum; text must be UTF-8; control frames are answered here; what the
 * RFC calls a failure closes with its code.
 */
#pragma once

#include "base/error.h"

struct bufferevent;
struct cay_http_req;
struct cay_ws;

struct cay_ws_ops {
	void (*on_message)(struct cay_ws *ws, bool text, const void *data, size_t n, void *arg);
	void (*on_drain)(struct cay_ws *ws, void *arg); /* may be NULL */
	/* The last call: the connection is over; code as received, 1005 where the peer gave none,
	 * 1006 where it went without closing or broke the protocol. Destroyed afterwards. */
	void (*on_close)(struct cay_ws *ws, int code, void *arg);
};

/* Answers an upgrade request; NULL (and an error answered) if it is not a valid one. `protocol`:
 * the sub-protocol to confirm, or NULL. The request ends. */
struct cay_ws *cay_ws_accept(struct cay_http_req *req, const char *protocol, size_t message_max,
			     const struct cay_ws_ops *ops, void *arg);

/* The client's end, on a connection whose 101 answer has been read. */
struct cay_ws *cay_ws_client(struct bufferevent *bev, size_t message_max,
			     const struct cay_ws_ops *ops, void *arg);

/* False once more than the high-water mark waits: stop until on_drain. */
bool cay_ws_send(struct cay_ws *ws, bool text, const void *data, size_t n);

/* Sends a close frame and waits a moment for the peer's; on_close follows. */
void cay_ws_close(struct cay_ws *ws, int code, const char *reason);

/* Drops the connection: no callback follows. Allowed in on_message and on_drain; NULL is fine. */
void cay_ws_destroy(struct cay_ws *ws);

/* Stops and starts reading, for back-pressure. */
void cay_ws_pause(struct cay_ws *ws);
void cay_ws_resume(struct cay_ws *ws);

/* The key's answer: base64(SHA-1(key + GUID)) into out (29 bytes with the NUL). */
void cay_ws_accept_key(const char *key, char out[29]);
