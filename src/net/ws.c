/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket connections: the handshake's answer, messages both ways, the closing handshake. */
#include "net/ws.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <string.h>

#include "base/id.h"
#include "base/mem.h"
#include "base/text.h"
#include "net/http_impl.h"
#include "net/ws_frame.h"

enum {
	HIGH_WATER = 256 << 10,
	LOW_WATER = 64 << 10,
	CLOSE_WAIT_MS = 2000,
	WRITE_TIMEOUT_S = 60,
	REASON_MAX = CAY_WS_CONTROL_MAX - 2,
	KEY_LENGTH = 24,
};

enum ws_state {
	WS_OPEN,
	WS_CLOSING, /* our close frame is sent: the peer's is waited for */
	WS_ENDING,  /* only what waits to be sent is left */
};

struct cay_ws {
	struct bufferevent *bev;
	const struct cay_ws_ops *ops;
	void *arg;
	struct cay_ws_reader reader;
	struct event timer;
	enum ws_state state;
	bool is_client, paused, wants_drain;
	int code;   /* for on_close */
	bool *gone; /* set for whoever is on the stack when the connection is destroyed */
};

void cay_ws_destroy(struct cay_ws *ws)
{
	if (!ws)
		return;
	if (ws->gone)
		*ws->gone = true;
	event_del(&ws->timer);
	bufferevent_free(ws->bev);
	cay_ws_reader_fini(&ws->reader);
	free(ws);
}

static void finish(struct cay_ws *ws)
{
	ws->state = WS_ENDING;
	ws->ops->on_close(ws, ws->code, ws->arg);
	cay_ws_destroy(ws);
}

/* ---- sending ---- */

static size_t waiting(const struct cay_ws *ws)
{
	return evbuffer_get_length(bufferevent_get_output(ws->bev));
}

static void send_frame(struct cay_ws *ws, int opcode, const void *data, size_t n)
{
	unsigned char head[CAY_WS_HEAD_MAX], mask[4];
	auto_free unsigned char *masked = NULL;
	const unsigned char *p = data;
	size_t head_n;

	if (ws->is_client) {
		cay_random_bytes(mask, sizeof(mask));
		masked = cay_alloc(n);
		for (size_t i = 0; i < n; i++)
			masked[i] = p[i] ^ mask[i & 3];
		p = masked;
	}
	head_n = cay_ws_frame_head(head, opcode, n, ws->is_client ? mask : NULL);
	bufferevent_write(ws->bev, head, head_n);
	bufferevent_write(ws->bev, p, n);
}

bool cay_ws_send(struct cay_ws *ws, bool text, const void *data, size_t n)
{
	if (ws->state != WS_OPEN)
		return true;
	send_frame(ws, text ? CAY_WS_TEXT : CAY_WS_BINARY, data, n);
	ws->wants_drain = waiting(ws) > HIGH_WATER;
	return !ws->wants_drain;
}

static void wait_a_moment(struct cay_ws *ws)
{
	struct timeval tv = {.tv_sec = CLOSE_WAIT_MS / 1000};

	event_add(&ws->timer, &tv);
}

static void send_close(struct cay_ws *ws, int code, const char *reason)
{
	unsigned char payload[CAY_WS_CONTROL_MAX] = {(unsigned char)(code >> 8),
						     (unsigned char)code};
	size_t n = strnlen(reason, REASON_MAX);

	while (n && !cay_text_is_utf8(reason, n))
		n--;
	memcpy(payload + 2, reason, n);
	send_frame(ws, CAY_WS_CLOSE, payload, code == CAY_WS_NO_CODE ? 0 : n + 2);
}

/* Nothing is read any more; over when what waits has been sent. */
static void end(struct cay_ws *ws, int code)
{
	ws->state = WS_ENDING;
	ws->code = code;
	bufferevent_disable(ws->bev, EV_READ);
	bufferevent_setwatermark(ws->bev, EV_WRITE, 0, 0);
	wait_a_moment(ws);
}

void cay_ws_close(struct cay_ws *ws, int code, const char *reason)
{
	if (ws->state != WS_OPEN)
		return;
	ws->state = WS_CLOSING;
	send_close(ws, code, reason ? reason : "");
	if (ws->paused)
		cay_ws_resume(ws); /* the peer's close frame lies behind what has not been read */
	wait_a_moment(ws);
}

/* ---- receiving ---- */

static void on_peer_close(struct cay_ws *ws)
{
	const struct cay_buf *payload = &ws->reader.control;
	int code = cay_ws_close_code(payload);

	if (ws->state == WS_CLOSING) {
		end(ws, code ? code : CAY_WS_LOST);
		if (!waiting(ws))
			event_active(&ws->timer, EV_TIMEOUT, 0);
		return;
	}
	if (code && payload->len > 2 && !cay_text_is_utf8(payload->data + 2, payload->len - 2)) {
		send_close(ws, CAY_WS_BAD_DATA, "");
		end(ws, CAY_WS_LOST);
		return;
	}
	send_close(ws, code ? code : CAY_WS_PROTOCOL_ERROR, "");
	end(ws, code ? code : CAY_WS_LOST);
}

static void on_control(struct cay_ws *ws)
{
	switch (ws->reader.opcode) {
	case CAY_WS_CLOSE:
		on_peer_close(ws);
		break;
	case CAY_WS_PING:
		/* One who pings without reading the answers is answered less often. */
		if (ws->state == WS_OPEN && waiting(ws) <= HIGH_WATER)
			send_frame(ws, CAY_WS_PONG, ws->reader.control.data,
				   ws->reader.control.len);
		break;
	default:
		break;
	}
}

static void on_failure(struct cay_ws *ws)
{
	if (ws->state == WS_OPEN)
		send_close(ws, ws->reader.failure, "");
	end(ws, CAY_WS_LOST);
	if (!waiting(ws))
		event_active(&ws->timer, EV_TIMEOUT, 0);
}

/* False when the connection is gone. */
static bool on_message(struct cay_ws *ws)
{
	struct cay_buf *m = &ws->reader.message;
	bool gone = false;

	if (ws->state == WS_OPEN) {
		ws->gone = &gone;
		ws->ops->on_message(ws, ws->reader.is_text, m->data, m->len, ws->arg);
		if (gone)
			return false;
		ws->gone = NULL;
	}
	cay_buf_fini(m); /* memory of a large message is not kept */
	return true;
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct cay_ws *ws = arg;
	struct evbuffer_iovec v;
	enum cay_ws_event event;
	size_t used;

	while (!ws->paused && ws->state != WS_ENDING && evbuffer_get_length(in) > 0) {
		evbuffer_peek(in, -1, NULL, &v, 1);
		event = cay_ws_read(&ws->reader, v.iov_base, v.iov_len, &used);
		if (event == CAY_WS_EVENT_CONTROL)
			on_control(ws);
		else if (event == CAY_WS_EVENT_FAILED)
			on_failure(ws);
		else if (event == CAY_WS_EVENT_MESSAGE && !on_message(ws))
			return;
		evbuffer_drain(in, used);
	}
}

static void on_write(struct bufferevent *bev, void *arg)
{
	struct cay_ws *ws = arg;

	if (ws->state == WS_ENDING) {
		if (!waiting(ws))
			finish(ws);
	} else if (ws->wants_drain) {
		ws->wants_drain = false;
		if (ws->ops->on_drain)
			ws->ops->on_drain(ws, ws->arg);
	}
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct cay_ws *ws = arg;

	if (ws->state != WS_ENDING)
		ws->code = CAY_WS_LOST;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT))
		finish(ws);
}

/* The peer has not closed in time, or nothing is left to be sent. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	finish(arg);
}

void cay_ws_pause(struct cay_ws *ws)
{
	ws->paused = true;
	bufferevent_disable(ws->bev, EV_READ);
}

void cay_ws_resume(struct cay_ws *ws)
{
	if (!ws->paused || ws->state == WS_ENDING)
		return;
	ws->paused = false;
	bufferevent_enable(ws->bev, EV_READ);
	bufferevent_trigger(ws->bev, EV_READ,
			    BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

/* ---- life ---- */

static struct cay_ws *create(struct bufferevent *bev, bool is_client, size_t message_max,
			     const struct cay_ws_ops *ops, void *arg)
{
	struct cay_ws *ws = cay_alloc(sizeof(*ws));
	struct timeval write_timeout = {.tv_sec = WRITE_TIMEOUT_S};

	ws->bev = bev;
	ws->ops = ops;
	ws->arg = arg;
	ws->is_client = is_client;
	ws->code = CAY_WS_LOST;
	cay_ws_reader_init(&ws->reader, !is_client, message_max);
	evtimer_assign(&ws->timer, bufferevent_get_base(bev), on_timer, ws);
	bufferevent_setcb(bev, on_read, on_write, on_event, ws);
	bufferevent_setwatermark(bev, EV_WRITE, LOW_WATER, 0);
	bufferevent_set_timeouts(bev, NULL, &write_timeout);
	ws->paused = true;
	cay_ws_resume(ws); /* what came with the handshake is read in a turn of its own */
	return ws;
}

static bool is_key(const char *key)
{
	return key && strlen(key) == KEY_LENGTH && key[KEY_LENGTH - 1] == '=' &&
	       key[KEY_LENGTH - 2] == '=';
}

static int check_request(struct cay_http_req *req, struct cay_error *err)
{
	const struct cay_head *head = &req->head;
	const char *version = cay_head_get(head, "sec-websocket-version");

	if (!(req->match.route->flags & CAY_HTTP_UPGRADE) || strcmp(head->method, "GET") != 0 ||
	    !head->minor || req->length || !cay_head_has_token(head, "upgrade", "websocket") ||
	    !cay_head_has_token(head, "connection", "upgrade")) {
		cay_fail(err, CAY_E_INVALID, 0, "this route is a WebSocket");
		return cay_fail_hint(err, "send GET with Connection: Upgrade, Upgrade: websocket");
	}
	if (!version || strcmp(version, "13") != 0) {
		cay_http_set(req, "Sec-WebSocket-Version", "13");
		return cay_fail(err, CAY_E_INVALID, 0, "Sec-WebSocket-Version must be 13");
	}
	if (cay_head_count(head, "sec-websocket-key") != 1 ||
	    !is_key(cay_head_get(head, "sec-websocket-key")))
		return cay_fail(err, CAY_E_INVALID, 0,
				"Sec-WebSocket-Key must be 16 bytes in base64");
	return 0;
}

struct cay_ws *cay_ws_accept(struct cay_http_req *req, const char *protocol, size_t message_max,
			     const struct cay_ws_ops *ops, void *arg)
{
	auto_free char *head = NULL;
	struct cay_error err;
	char key[29];

	if (check_request(req, &err) < 0) {
		cay_http_reply_error(req, &err);
		return NULL;
	}
	cay_ws_accept_key(cay_head_get(&req->head, "sec-websocket-key"), key);
	head = cay_format("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
			  "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s%s%s\r\n",
			  key, protocol ? "Sec-WebSocket-Protocol: " : "", protocol ? protocol : "",
			  protocol ? "\r\n" : "");
	return create(cay_http_take_over(req, head, strlen(head)), false, message_max, ops, arg);
}

struct cay_ws *cay_ws_client(struct bufferevent *bev, size_t message_max,
			     const struct cay_ws_ops *ops, void *arg)
{
	return create(bev, true, message_max, ops, arg);
}
