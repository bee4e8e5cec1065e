/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Native dialect: a process over a WebSocket. Binary messages are its input and output; text
 * messages are JSON: from the client {"type":"resize"|"signal"|"eof"}, to it {"type":"exit"} before
 * the close, and {"type":"dropped"} where the ring has lost output.
 */
#include <string.h>

#include "agent/api/native.h"
#include "agent/process.h"
#include "agent/pty.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "net/ws.h"

enum {
	MESSAGE_MAX = 1 << 20,
	PIECE = 16 << 10,
	CLOSE_NORMAL = 1000,
	CLOSE_GOING_AWAY = 1001,
	CLOSE_POLICY = 1008,
	REASON_MAX = 123, /* RFC 6455, 5.5 */
};

struct attach {
	struct cay_process_follower follower;
	struct cay_process *process; /* NULL once it is over */
	struct cay_ws *ws;
	uint64_t offset;
	bool full;
};

static void detach(struct attach *a)
{
	if (a->process)
		cay_process_unfollow(a->process, &a->follower);
	a->process = NULL;
}

static void send_json(struct attach *a, json_t *j)
{
	auto_free char *text = cay_json_text(j);

	json_decref(j);
	a->full = !cay_ws_send(a->ws, true, text, strlen(text));
}

/* ---- output ---- */

static bool send_piece(struct attach *a)
{
	const struct cay_ring *ring = &a->process->ring;
	struct cay_ring_span span;

	if (a->offset < ring->start) {
		json_int_t dropped = (json_int_t)(ring->start - a->offset);

		a->offset = ring->start;
		send_json(a, json_pack("{s:s, s:I}", "type", "dropped", "bytes", dropped));
		return true;
	}
	cay_ring_peek(ring, a->offset, &span);
	if (span.n == 0)
		return false;
	span.n = CAY_MIN(span.n, (size_t)PIECE);
	a->offset += span.n;
	a->full = !cay_ws_send(a->ws, false, span.data, span.n);
	return true;
}

static void pump(struct attach *a)
{
	json_t *end;

	if (!a->process)
		return;
	while (!a->full)
		if (!send_piece(a))
			break;
	if (a->full || a->process->child)
		return;
	end = json_pack("{s:s}", "type", "exit");
	cay_native_put_end(end, &a->process->end);
	send_json(a, end);
	detach(a);
	cay_ws_close(a->ws, CLOSE_NORMAL, "");
}

static void on_news(struct cay_process_follower *f)
{
	pump((struct attach *)f);
}

static void on_ws_drain(struct cay_ws *ws, void *arg)
{
	struct attach *a = arg;

	(void)ws;
	a->full = false;
	pump(a);
	if (a->process)
		cay_process_read_on(a->process);
}

/* ---- input ---- */

static void on_input_drain(struct cay_process_follower *f)
{
	cay_ws_resume(((struct attach *)f)->ws);
}

struct control_input {
	const char *type;
	json_t *signal;
	int64_t rows, cols;
};

static const struct cay_json_field control_fields[] = {
	CAY_JSON_FIELD(struct control_input, cols, CAY_JSON_INT, .min = 1, .max = CAY_PTY_COLS_MAX),
	CAY_JSON_FIELD(struct control_input, rows, CAY_JSON_INT, .min = 1, .max = CAY_PTY_ROWS_MAX),
	CAY_JSON_FIELD(struct control_input, signal, CAY_JSON_ANY),
	CAY_JSON_FIELD(struct control_input, type, CAY_JSON_STRING, .required = true, .max = 32),
};

static int control(struct cay_process *p, const char *data, size_t n, struct cay_error *err)
{
	struct control_input in = {};
	auto_json json_t *obj = NULL;
	int sig;

	if (cay_json_parse(data, n, &obj, err) < 0 ||
	    cay_json_decode(obj, control_fields, CAY_LEN(control_fields), &in, "", 0, err) < 0)
		return -1;
	if (!strcmp(in.type, "eof")) {
		cay_child_close_input(p->child);
	} else if (!strcmp(in.type, "resize") && in.rows && in.cols) {
		cay_child_resize(p->child, (unsigned)in.rows, (unsigned)in.cols);
	} else if (!strcmp(in.type, "signal") && in.signal) {
		if (cay_native_read_signal(in.signal, &sig, err) < 0)
			return -1;
		cay_child_signal(p->child, sig);
	} else {
		return cay_fail(err, CAY_E_INVALID, 0,
				"a message is {\"type\":\"resize\",\"rows\",\"cols\"}, "
				"{\"type\":\"signal\",\"signal\"} or {\"type\":\"eof\"}");
	}
	return 0;
}

static void on_message(struct cay_ws *ws, bool text, const void *data, size_t n, void *arg)
{
	struct attach *a = arg;
	struct cay_error err;

	if (!a->process || !a->process->child)
		return;
	if (!text) {
		if (!cay_child_write(a->process->child, data, n))
			cay_ws_pause(ws);
		return;
	}
	if (control(a->process, data, n, &err) < 0) {
		err.msg[CAY_MIN((size_t)REASON_MAX, sizeof(err.msg) - 1)] = '\0';
		detach(a);
		cay_ws_close(ws, CLOSE_POLICY,
			     cay_text_is_utf8(err.msg, strlen(err.msg)) ? err.msg
									: "malformed message");
	}
}

static void on_process_gone(struct cay_process_follower *f)
{
	struct attach *a = (struct attach *)f;

	a->process = NULL;
	cay_ws_close(a->ws, CLOSE_GOING_AWAY, "the process was deleted");
}

static void on_ws_close(struct cay_ws *ws, int code, void *arg)
{
	(void)ws;
	(void)code;
	detach(arg);
	free(arg);
}

void cay_native_attach(struct cay_http_req *req, struct cay_process *p)
{
	static const struct cay_ws_ops ops = {
		.on_message = on_message, .on_drain = on_ws_drain, .on_close = on_ws_close};
	struct cay_error err;
	struct attach *a;
	int64_t offset;

	if (cay_http_query_int(req, "offset", 0, INT64_MAX, 0, &offset, &err) < 0) {
		cay_http_reply_error(req, &err);
		return;
	}
	a = cay_alloc(sizeof(*a));
	a->follower = (struct cay_process_follower){
		.on_news = on_news, .on_drain = on_input_drain, .on_gone = on_process_gone};
	a->offset = CAY_MIN((uint64_t)offset, p->ring.end);
	a->ws = cay_ws_accept(req, NULL, MESSAGE_MAX, &ops, a);
	if (!a->ws) {
		free(a);
		return;
	}
	a->process = p;
	a->follower.offset = &a->offset;
	cay_process_follow(p, &a->follower);
	pump(a);
	if (a->process)
		cay_process_read_on(a->process);
}
