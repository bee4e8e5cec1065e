/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process on pipes: its output arrives as server-sent events on one request, our standard input
 * leaves as one POST after another on a second connection, so that at most one chunk is in memory.
 */
#include <event2/event.h>
#include <signal.h>
#include <string.h>

#include "base/base64.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/output.h"
#include "cli/remote.h"
#include "cli/sse.h"

enum {
	EVENT_MAX = 4 << 20,
	INPUT_CHUNK = 64 << 10,
	ERROR_BODY_MAX = 64 << 10,
};

static const int forwarded[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

struct stream {
	struct cay_remote *process;
	struct cay_client *client;
	struct cay_sse sse;
	struct cay_call *output, *input, *signal;
	struct event *readable, *signals[CAY_LEN(forwarded)];
	struct cay_buf error_body;
	char chunk[INPUT_CHUNK];
	bool ended, failed;
	int status;
	uint64_t dropped;
	struct cay_error err;
};

static void stop(struct stream *s)
{
	event_base_loopbreak(s->client->base);
}

static void fail(struct stream *s, const struct cay_error *err)
{
	if (!s->failed)
		s->err = *err;
	s->failed = true;
	stop(s);
}

/* ---- output ---- */

static void write_output(struct stream *s, const json_t *event)
{
	const char *name = json_string_value(json_object_get(event, "stream"));
	const json_t *text = json_object_get(event, "base64");
	int fd = name && !strcmp(name, "stderr") ? STDERR_FILENO : STDOUT_FILENO;
	struct cay_error err = {};
	auto_buf struct cay_buf bytes;

	cay_buf_init(&bytes, EVENT_MAX);
	if (!json_is_string(text) ||
	    cay_base64_decode(json_string_value(text), json_string_length(text), &bytes) < 0) {
		cay_fail(&err, CAY_E_INTERNAL, 0, "an output event of the server cannot be read");
		fail(s, &err);
	} else if (cay_fd_write_all(fd, bytes.data, bytes.len) < 0) {
		cay_fail(&err, CAY_E_SYSTEM, errno, "cannot write the output");
		fail(s, &err);
	}
}

static void on_event(const char *event, const char *data, size_t n, void *arg)
{
	struct stream *s = arg;
	auto_json json_t *j = NULL;
	struct cay_error err;

	if (s->ended || s->failed)
		return;
	if (cay_json_parse(data, n, &j, &err) < 0) {
		fail(s, &err);
	} else if (!strcmp(event, "output")) {
		write_output(s, j);
	} else if (!strcmp(event, "dropped")) {
		s->dropped += (uint64_t)json_integer_value(json_object_get(j, "bytes"));
	} else if (!strcmp(event, "exit")) {
		s->status = (int)json_integer_value(json_object_get(j, "exit_code"));
		s->ended = true;
		stop(s);
	}
}

static void on_output_data(struct cay_call *call, const void *data, size_t n, void *arg)
{
	struct stream *s = arg;
	struct cay_error err = {};

	if (cay_call_status(call) != 200)
		cay_buf_append(&s->error_body, data, n);
	else if (cay_sse_feed(&s->sse, data, n, &err) < 0)
		fail(s, &err);
}

static void on_output_done(struct cay_call *call, const struct cay_error *done, void *arg)
{
	struct stream *s = arg;
	struct cay_error err = *done;
	int status = cay_call_status(call);

	s->output = NULL;
	if (s->ended)
		return;
	if (err.code == CAY_OK && status != 200)
		cay_client_fail(s->client, status, s->error_body.data, s->error_body.len, &err);
	else
		cay_fail(&err, CAY_E_UNAVAILABLE, 0, "the sandbox has ended, or its server");
	fail(s, &err);
}

/* ---- input ---- */

static void send_input(struct stream *s, const void *data, size_t n);

static void read_input(evutil_socket_t fd, short what CAY_UNUSED, void *arg)
{
	struct stream *s = arg;
	ssize_t n = read(fd, s->chunk, sizeof(s->chunk));

	if (n >= 0 || (errno != EINTR && errno != EAGAIN))
		send_input(s, s->chunk, n > 0 ? (size_t)n : 0);
	else
		event_add(s->readable, NULL);
}

/* The end of the input, too, is a POST: an empty one. A process that reads no more, or has ended,
 * refuses; that is its business and no error. */
static void on_input_done(struct cay_call *call, const struct cay_error *err, void *arg)
{
	struct stream *s = arg;
	bool more = err->code == CAY_OK && cay_call_status(call) < 300;

	s->input = NULL;
	if (more && s->readable && event_add(s->readable, NULL) < 0)
		event_active(s->readable, EV_READ, 0);
}

static void send_input(struct stream *s, const void *data, size_t n)
{
	auto_free char *target = cay_format("%s/stdin%s", s->process->target, n ? "" : "?eof=1");
	struct cay_call_options options = {
		.method = "POST",
		.target = target,
		.body = data,
		.body_n = n,
		.on_done = on_input_done,
		.arg = s,
	};

	if (!n) {
		event_free(s->readable);
		s->readable = NULL;
	}
	s->input = cay_call_start(s->client->endpoint, &options);
}

/* Regular files cannot be waited for (epoll_ctl(2), EPERM): they are always readable. */
static void start_input(struct stream *s)
{
	s->readable = event_new(s->client->base, STDIN_FILENO, EV_READ, read_input, s);
	if (event_add(s->readable, NULL) < 0)
		event_active(s->readable, EV_READ, 0);
}

/* ---- signals ---- */

static void on_signal_done(struct cay_call *call CAY_UNUSED, const struct cay_error *err CAY_UNUSED,
			   void *arg)
{
	struct stream *s = arg;

	s->signal = NULL;
}

/* One at a time: a second Ctrl-C while the first is on its way says nothing new. */
static void on_signal(evutil_socket_t number, short what CAY_UNUSED, void *arg)
{
	static const struct cay_header headers[] = {{"Content-Type", "application/json"}, {}};
	struct stream *s = arg;
	auto_free char *target = cay_format("%s/signal", s->process->target);
	auto_free char *body = cay_format("{\"signal\":%d}", (int)number);
	struct cay_call_options options = {
		.method = "POST",
		.target = target,
		.headers = headers,
		.body = body,
		.body_n = strlen(body),
		.on_done = on_signal_done,
		.arg = s,
	};

	if (!s->signal)
		s->signal = cay_call_start(s->client->endpoint, &options);
}

/* ---- the whole ---- */

static void start(struct stream *s)
{
	auto_free char *target = cay_format("%s/output?encoding=base64", s->process->target);
	struct cay_call_options options = {
		.method = "GET",
		.target = target,
		.on_data = on_output_data,
		.on_done = on_output_done,
		.arg = s,
	};

	for (size_t i = 0; i < CAY_LEN(forwarded); i++) {
		s->signals[i] = evsignal_new(s->client->base, forwarded[i], on_signal, s);
		evsignal_add(s->signals[i], NULL);
	}
	s->output = cay_call_start(s->client->endpoint, &options);
	if (s->process->stdin_open)
		start_input(s);
}

static void finish(struct stream *s)
{
	cay_call_cancel(s->output);
	cay_call_cancel(s->input);
	cay_call_cancel(s->signal);
	if (s->readable)
		event_free(s->readable);
	for (size_t i = 0; i < CAY_LEN(forwarded); i++)
		event_free(s->signals[i]);
	cay_sse_fini(&s->sse);
	cay_buf_fini(&s->error_body);
}

int cay_remote_stream(struct cay_remote *p, int *ret_status, struct cay_error *err)
{
	struct stream *s = cay_alloc(sizeof(*s));
	int result = 0;

	s->process = p;
	s->client = p->client;
	cay_sse_init(&s->sse, EVENT_MAX, on_event, s);
	cay_buf_init(&s->error_body, ERROR_BODY_MAX);
	start(s);
	while (!s->ended && !s->failed && event_base_loop(s->client->base, EVLOOP_ONCE) == 0)
		;
	if (s->dropped)
		cay_output_note("%llu bytes of output came faster than they could be read and "
				"were dropped",
				(unsigned long long)s->dropped);
	if (s->failed) {
		*err = s->err;
		result = -1;
	} else {
		*ret_status = s->status;
	}
	finish(s);
	free(s);
	return result;
}
