/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process on a terminal: a WebSocket carries its bytes both ways as binary messages; size and
 * exit status travel beside them as JSON in text messages.
 */
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <signal.h>
#include <string.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/output.h"
#include "cli/remote.h"
#include "cli/terminal.h"
#include "net/ws.h"

enum {
	MESSAGE_MAX = 4 << 20,
	INPUT_CHUNK = 16 << 10,
	ERROR_BODY_MAX = 64 << 10,
};

/* Ctrl-C and the like are bytes in raw mode: these come from elsewhere, and end us. */
static const int ending[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

struct attach {
	struct cay_remote *process;
	struct cay_client *client;
	struct cay_call *call;
	struct cay_ws *ws;
	struct event *readable, *resized, *signals[CAY_LEN(ending)];
	struct cay_terminal terminal;
	struct cay_buf error_body;
	char accept[29];
	bool ended, failed;
	int status;
	struct cay_error err;
};

static void fail(struct attach *a, const struct cay_error *err)
{
	if (!a->failed)
		a->err = *err;
	a->failed = true;
	event_base_loopbreak(a->client->base);
}

/* ---- input ---- */

static void send_size(struct attach *a)
{
	auto_free char *text = NULL;
	unsigned rows, cols;

	cay_terminal_get_size(&rows, &cols);
	text = cay_format("{\"type\":\"resize\",\"rows\":%u,\"cols\":%u}", rows, cols);
	cay_ws_send(a->ws, true, text, strlen(text));
}

static void on_resized(evutil_socket_t fd CAY_UNUSED, short what CAY_UNUSED, void *arg)
{
	struct attach *a = arg;

	if (a->ws)
		send_size(a);
}

static void wait_for_input(struct attach *a)
{
	if (a->readable && event_add(a->readable, NULL) < 0)
		event_active(a->readable, EV_READ, 0);
}

static void on_readable(evutil_socket_t fd, short what CAY_UNUSED, void *arg)
{
	static const char eof[] = "{\"type\":\"eof\"}";
	struct attach *a = arg;
	char chunk[INPUT_CHUNK];
	ssize_t n = read(fd, chunk, sizeof(chunk));

	if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
		wait_for_input(a);
		return;
	}
	if (n <= 0) {
		event_free(a->readable);
		a->readable = NULL;
		cay_ws_send(a->ws, true, eof, strlen(eof));
		return;
	}
	if (cay_ws_send(a->ws, false, chunk, (size_t)n))
		wait_for_input(a);
}

/* ---- the connection ---- */

static void take_text(struct attach *a, const void *data, size_t n)
{
	auto_json json_t *j = NULL;
	struct cay_error err;
	const char *type;

	if (cay_json_parse(data, n, &j, &err) < 0) {
		fail(a, &err);
		return;
	}
	type = json_string_value(json_object_get(j, "type"));
	if (type && !strcmp(type, "exit")) {
		a->status = (int)json_integer_value(json_object_get(j, "exit_code"));
		a->ended = true;
		event_base_loopbreak(a->client->base);
	}
}

static void on_message(struct cay_ws *ws CAY_UNUSED, bool text, const void *data, size_t n,
		       void *arg)
{
	struct attach *a = arg;
	struct cay_error err = {};

	if (a->ended || a->failed)
		return;
	if (text) {
		take_text(a, data, n);
	} else if (cay_fd_write_all(STDOUT_FILENO, data, n) < 0) {
		cay_fail(&err, CAY_E_SYSTEM, errno, "cannot write the output");
		fail(a, &err);
	}
}

static void on_drain(struct cay_ws *ws CAY_UNUSED, void *arg)
{
	wait_for_input(arg);
}

static void on_close(struct cay_ws *ws CAY_UNUSED, int code, void *arg)
{
	struct attach *a = arg;
	struct cay_error err = {};

	a->ws = NULL;
	if (a->ended)
		return;
	cay_fail(&err, CAY_E_UNAVAILABLE, 0, "the sandbox has ended, or its server (%d)", code);
	fail(a, &err);
}

static void on_upgrade(struct cay_call *call, struct bufferevent *bev, void *arg)
{
	static const struct cay_ws_ops ops = {on_message, on_drain, on_close};
	struct attach *a = arg;
	const char *accept = cay_call_header(call, "Sec-WebSocket-Accept");
	struct cay_error err = {};

	if (!accept || strcmp(accept, a->accept) != 0) {
		bufferevent_free(bev);
		cay_fail(&err, CAY_E_UNAVAILABLE, 0, "the server's WebSocket answer is not valid");
		fail(a, &err);
		return;
	}
	a->ws = cay_ws_client(bev, MESSAGE_MAX, &ops, a);
	send_size(a);
	if (a->process->stdin_open) {
		a->readable = event_new(a->client->base, STDIN_FILENO, EV_READ, on_readable, a);
		wait_for_input(a);
	}
}

static void on_data(struct cay_call *call CAY_UNUSED, const void *data, size_t n, void *arg)
{
	struct attach *a = arg;

	cay_buf_append(&a->error_body, data, n);
}

static void on_done(struct cay_call *call, const struct cay_error *done, void *arg)
{
	struct attach *a = arg;
	struct cay_error err = *done;
	int status = cay_call_status(call);

	a->call = NULL;
	if (a->ws || a->ended)
		return;
	if (err.code == CAY_OK)
		cay_client_fail(a->client, status, a->error_body.data, a->error_body.len, &err);
	else
		cay_client_advise(a->client, &err);
	fail(a, &err);
}

static void on_ending(evutil_socket_t number, short what CAY_UNUSED, void *arg)
{
	struct attach *a = arg;

	a->status = 128 + (int)number;
	a->ended = true;
	event_base_loopbreak(a->client->base);
}

/* ---- the whole ---- */

/* A random key for the handshake, as base64 of 16 bytes (RFC 6455, 4.1), and the answer to expect.
 */
static void make_key(struct attach *a, char key[25])
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned char bits[22];

	cay_random_bytes(bits, sizeof(bits));
	for (size_t i = 0; i < sizeof(bits); i++)
		key[i] = digits[bits[i] & 63];
	/* The last digit carries two bits of 16 bytes; then the padding. */
	key[21] = digits[bits[21] & 48];
	memcpy(key + 22, "==", 3);
	cay_ws_accept_key(key, a->accept);
}

static void start(struct attach *a)
{
	auto_free char *target = cay_format("%s/attach", a->process->target);
	char key[25];
	const struct cay_header headers[] = {
		{"Connection", "Upgrade"},
		{"Upgrade", "websocket"},
		{"Sec-WebSocket-Version", "13"},
		{"Sec-WebSocket-Key", key},
		{},
	};
	struct cay_call_options options = {
		.method = "GET",
		.target = target,
		.headers = headers,
		.upgrade = true,
		.on_data = on_data,
		.on_upgrade = on_upgrade,
		.on_done = on_done,
		.arg = a,
	};

	make_key(a, key);
	a->resized = evsignal_new(a->client->base, SIGWINCH, on_resized, a);
	evsignal_add(a->resized, NULL);
	for (size_t i = 0; i < CAY_LEN(ending); i++) {
		a->signals[i] = evsignal_new(a->client->base, ending[i], on_ending, a);
		evsignal_add(a->signals[i], NULL);
	}
	a->call = cay_call_start(a->client->endpoint, &options);
}

static void finish(struct attach *a)
{
	cay_call_cancel(a->call);
	cay_ws_destroy(a->ws);
	if (a->readable)
		event_free(a->readable);
	event_free(a->resized);
	for (size_t i = 0; i < CAY_LEN(ending); i++)
		event_free(a->signals[i]);
	cay_terminal_restore(&a->terminal);
	cay_buf_fini(&a->error_body);
}

int cay_remote_attach(struct cay_remote *p, int *ret_status, struct cay_error *err)
{
	struct attach *a = cay_alloc(sizeof(*a));
	int result = 0;

	a->process = p;
	a->client = p->client;
	cay_buf_init(&a->error_body, ERROR_BODY_MAX);
	if (p->stdin_open && cay_terminal_set_raw(&a->terminal, STDIN_FILENO, err) < 0) {
		free(a);
		return -1;
	}
	start(a);
	while (!a->ended && !a->failed && event_base_loop(a->client->base, EVLOOP_ONCE) == 0)
		;
	if (a->failed) {
		*err = a->err;
		result = -1;
	} else {
		*ret_status = a->status;
	}
	finish(a);
	free(a);
	return result;
}
