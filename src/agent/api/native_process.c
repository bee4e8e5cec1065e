/* SPDX-License-Identifier: Apache-2.0 */
/* Native dialect: processes, their output as a stream of events, their input and signals. */
#include <signal.h>
#include <string.h>

#include "agent/api/native.h"
#include "agent/api/server.h"
#include "agent/process.h"
#include "agent/pty.h"
#include "agent/service.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

enum {
	TIMEOUT_MAX_S = 86400,
	EVENT_BYTES = 16 << 10, /* of output in one event */
	SIGNAL_MAX = 64,
};

static struct cay_process *find(const struct cay_http_req *req, struct cay_error *err)
{
	const struct cay_agent_server *s = cay_http_user(req);
	const char *text = cay_http_param(req, "pid");
	struct cay_process *p = NULL;
	int64_t pid;

	if (cay_text_int(text, "the pid", 1, INT32_MAX, &pid, err) < 0)
		return NULL;
	p = cay_process_find(s->processes, (pid_t)pid);
	if (!p) {
		cay_fail(err, CAY_E_NOT_FOUND, 0, "no process %lld was started here",
			 (long long)pid);
		cay_fail_hint(err, "GET /v1/processes lists them");
	}
	return p;
}

/* The process of a request, or NULL after an error has been answered. */
static struct cay_process *find_or_answer(struct cay_http_req *req)
{
	struct cay_error err;
	struct cay_process *p = find(req, &err);

	if (!p)
		cay_http_reply_error(req, &err);
	return p;
}

static int fail_ended(const struct cay_process *p, struct cay_error *err)
{
	return cay_fail(err, CAY_E_BUSY, 0, "process %d has ended", (int)p->pid);
}

/* ---- start, show, forget ---- */

static json_t *describe(const struct cay_process *p)
{
	json_t *command = json_array(), *j;
	char date[CAY_CLOCK_TEXT_MAX];

	for (char **arg = p->argv; *arg; arg++)
		json_array_append_new(command, cay_json_bytes(*arg, strlen(*arg)));
	j = json_pack("{s:i, s:o, s:s, s:s, s:I, s:I, s:I}", "pid", (int)p->pid, "command", command,
		      "state", p->child ? "running" : "exited", "started_at",
		      cay_clock_text(p->started_unix_ms, date), "stdout_bytes",
		      (json_int_t)p->ring.bytes[CAY_STDOUT], "stderr_bytes",
		      (json_int_t)p->ring.bytes[CAY_STDERR], "dropped_bytes",
		      (json_int_t)p->ring.start);
	if (p->has_terminal)
		json_object_set_new(j, "pty", json_true());
	if (p->child)
		return j;
	cay_native_put_end(j, &p->end);
	json_object_set_new(j, "ended_at", json_string(cay_clock_text(p->ended_unix_ms, date)));
	return j;
}

struct pty_input {
	int64_t rows, cols;
};

static const struct cay_json_field pty_fields[] = {
	CAY_JSON_FIELD(struct pty_input, cols, CAY_JSON_INT, .required = true, .min = 1,
		       .max = CAY_PTY_COLS_MAX),
	CAY_JSON_FIELD(struct pty_input, rows, CAY_JSON_INT, .required = true, .min = 1,
		       .max = CAY_PTY_ROWS_MAX),
};

struct start_input {
	json_t *command;
	const char *cwd;
	json_t *env;
	json_t *pty;
	bool input, lossless;
	double timeout_s;
	const char *user;
};

static const struct cay_json_field start_fields[] = {
	CAY_JSON_FIELD(struct start_input, command, CAY_JSON_ANY, .required = true),
	CAY_JSON_FIELD(struct start_input, cwd, CAY_JSON_STRING),
	CAY_JSON_FIELD(struct start_input, env, CAY_JSON_MAP),
	CAY_JSON_FIELD(struct start_input, lossless, CAY_JSON_BOOL),
	CAY_JSON_FIELD(struct start_input, pty, CAY_JSON_OBJECT),
	{.name = "stdin", .kind = CAY_JSON_BOOL, .offset = offsetof(struct start_input, input)},
	CAY_JSON_FIELD(struct start_input, timeout_s, CAY_JSON_NUMBER, .min = 0.001,
		       .max = TIMEOUT_MAX_S),
	CAY_JSON_FIELD(struct start_input, user, CAY_JSON_STRING, .max = 255),
};

static int start(struct cay_http_req *req, struct cay_process **ret, struct cay_error *err)
{
	const struct cay_agent_server *s = cay_http_user(req);
	struct pty_input size = {};
	struct cay_child_pty pty;
	struct start_input in = {};
	auto_strv char **argv = NULL;
	auto_strv char **env = NULL;
	struct cay_process_options options = {};

	if (cay_json_decode(cay_http_json(req), start_fields, CAY_LEN(start_fields), &in, "", 0,
			    err) < 0 ||
	    (in.pty &&
	     cay_json_decode(in.pty, pty_fields, CAY_LEN(pty_fields), &size, "pty.", 0, err) < 0) ||
	    cay_native_read_user(s->service, in.user, err) < 0 ||
	    cay_native_read_cwd(s->service, &in.cwd, err) < 0 ||
	    cay_native_read_command(in.command, &argv, err) < 0 ||
	    cay_native_read_env(s->service, in.env, &env, err) < 0)
		return -1;
	pty = (struct cay_child_pty){.rows = (unsigned)size.rows, .cols = (unsigned)size.cols};
	options.argv = argv;
	options.env = env;
	options.cwd = in.cwd;
	options.pty = in.pty ? &pty : NULL;
	options.input = in.input;
	options.lossless = in.lossless;
	options.timeout_ms = (uint64_t)(in.timeout_s * 1000);
	return cay_process_start(s->processes, &options, ret, err);
}

static void post_process(struct cay_http_req *req)
{
	struct cay_process *p;
	struct cay_error err;

	if (start(req, &p, &err) < 0)
		cay_http_reply_error(req, &err);
	else
		cay_http_reply_json(req, 201, describe(p));
}

static void list_processes(struct cay_http_req *req)
{
	const struct cay_agent_server *s = cay_http_user(req);
	json_t *list = json_array();

	for (struct cay_process *p = cay_process_first(s->processes); p; p = p->next)
		json_array_append_new(list, describe(p));
	cay_http_reply_json(req, 200, json_pack("{s:o}", "processes", list));
}

static void get_process(struct cay_http_req *req)
{
	struct cay_process *p = find_or_answer(req);

	if (p)
		cay_http_reply_json(req, 200, describe(p));
}

static void delete_process(struct cay_http_req *req)
{
	struct cay_process *p = find_or_answer(req);

	if (!p)
		return;
	cay_process_forget(p);
	cay_http_reply_json(req, 200, json_object());
}

/* ---- signal, resize ---- */

struct signal_input {
	json_t *signal;
};

static const struct cay_json_field signal_fields[] = {
	CAY_JSON_FIELD(struct signal_input, signal, CAY_JSON_ANY, .required = true),
};

int cay_native_read_signal(const json_t *value, int *ret, struct cay_error *err)
{
	const char *name = json_string_value(value), *known;

	if (json_is_integer(value) && json_integer_value(value) >= 1 &&
	    json_integer_value(value) <= SIGNAL_MAX) {
		*ret = (int)json_integer_value(value);
		return 0;
	}
	if (name && cay_text_starts_with(name, "SIG"))
		name += 3;
	for (int sig = 1; name && sig <= SIGNAL_MAX; sig++) {
		known = sigabbrev_np(sig);
		if (known && !strcmp(known, name)) {
			*ret = sig;
			return 0;
		}
	}
	cay_fail(err, CAY_E_INVALID, 0, "field 'signal' is not a signal's name or number");
	return cay_fail_hint(err, "for example \"TERM\", \"SIGINT\" or 9");
}

static void post_signal(struct cay_http_req *req)
{
	struct cay_process *p = find_or_answer(req);
	struct signal_input in = {};
	struct cay_error err;
	int sig;

	if (!p)
		return;
	if (cay_json_decode(cay_http_json(req), signal_fields, CAY_LEN(signal_fields), &in, "", 0,
			    &err) < 0 ||
	    cay_native_read_signal(in.signal, &sig, &err) < 0)
		cay_http_reply_error(req, &err);
	else if (!p->child)
		cay_http_reply_error(req, (fail_ended(p, &err), &err));
	else if (cay_child_signal(p->child, sig) < 0)
		cay_http_reply_error(req, (cay_fail(&err, cay_error_from_errno(errno), errno,
						    "signal process %d", (int)p->pid),
					   &err));
	else
		cay_http_reply_json(req, 200, json_object());
}

static void post_resize(struct cay_http_req *req)
{
	struct cay_process *p = find_or_answer(req);
	struct pty_input in = {};
	struct cay_error err;

	if (!p)
		return;
	if (cay_json_decode(cay_http_json(req), pty_fields, CAY_LEN(pty_fields), &in, "", 0, &err) <
	    0) {
		cay_http_reply_error(req, &err);
	} else if (!p->child) {
		cay_http_reply_error(req, (fail_ended(p, &err), &err));
	} else if (cay_child_resize(p->child, (unsigned)in.rows, (unsigned)in.cols) < 0) {
		cay_fail(&err, CAY_E_INVALID, 0, "process %d has no terminal", (int)p->pid);
		cay_fail_hint(&err, "start it with \"pty\"");
		cay_http_reply_error(req, &err);
	} else {
		cay_http_reply_json(req, 200, json_object());
	}
}

/* ---- input ---- */

struct input {
	struct cay_process_follower follower;
	struct cay_process *process; /* NULL: it has been forgotten */
	struct cay_http_req *req;
	uint64_t written;
	bool eof;
};

static void on_input_news(struct cay_process_follower *f)
{
	(void)f;
}

static void on_input_drain(struct cay_process_follower *f)
{
	cay_http_resume(((struct input *)f)->req);
}

static void on_input_process_gone(struct cay_process_follower *f)
{
	struct input *in = (struct input *)f;

	in->process = NULL;
	cay_http_resume(in->req);
}

static int on_input_data(struct cay_http_req *req, const void *data, size_t n, void *arg,
			 struct cay_error *err)
{
	struct input *in = arg;

	if (!in->process || !in->process->child)
		return cay_fail(err, CAY_E_BUSY, 0, "the process has ended");
	in->written += n;
	if (!cay_child_write(in->process->child, data, n))
		cay_http_pause(req);
	return 0;
}

static void free_input(struct input *in)
{
	if (in->process)
		cay_process_unfollow(in->process, &in->follower);
	free(in);
}

static void on_input_end(struct cay_http_req *req, void *arg)
{
	struct input *in = arg;

	if (in->eof && in->process && in->process->child)
		cay_child_close_input(in->process->child);
	cay_http_reply_json(req, 200, json_pack("{s:I}", "written", (json_int_t)in->written));
	free_input(in);
}

static void on_input_client_gone(struct cay_http_req *req, void *arg)
{
	(void)req;
	free_input(arg);
}

static void post_stdin(struct cay_http_req *req)
{
	static const struct cay_http_body_ops ops = {.on_data = on_input_data,
						     .on_end = on_input_end};
	struct cay_process *p = find_or_answer(req);
	struct cay_error err;
	struct input *in;
	int64_t eof;

	if (!p)
		return;
	if (cay_http_query_int(req, "eof", 0, 1, 0, &eof, &err) < 0) {
		cay_http_reply_error(req, &err);
		return;
	}
	if (!p->child || !cay_child_input_open(p->child)) {
		if (p->child) {
			cay_fail(&err, CAY_E_BUSY, 0, "process %d has no open input", (int)p->pid);
			cay_fail_hint(&err, "start it with \"stdin\": true or with \"pty\"");
		} else {
			fail_ended(p, &err);
		}
		cay_http_reply_error(req, &err);
		return;
	}
	in = cay_alloc(sizeof(*in));
	*in = (struct input){.follower = {.on_news = on_input_news,
					  .on_drain = on_input_drain,
					  .on_gone = on_input_process_gone},
			     .process = p,
			     .req = req,
			     .eof = eof};
	cay_process_follow(p, &in->follower);
	cay_http_on_close(req, on_input_client_gone, in);
	cay_http_receive(req, &ops, in);
}

/* ---- output ---- */

struct output {
	struct cay_process_follower follower;
	struct cay_process *process;
	struct cay_http_req *req;
	uint64_t offset;
	int only; /* a stream, or -1 for both */
	bool base64;
	bool full; /* the connection takes no more now */
};

static void close_output(struct output *o)
{
	cay_process_unfollow(o->process, &o->follower);
	free(o);
}

static void send_event(struct output *o, const char *event, json_t *data)
{
	auto_free char *text = cay_json_text(data);
	char id[24];

	json_decref(data);
	snprintf(id, sizeof(id), "%llu", (unsigned long long)o->offset);
	o->full = !cay_http_sse_send(o->req, event, id, text, strlen(text));
}

static json_t *output_data(const struct output *o, const struct cay_ring_span *span)
{
	json_t *j =
		json_pack("{s:s, s:I}", "stream", span->stream == CAY_STDOUT ? "stdout" : "stderr",
			  "offset", (json_int_t)span->offset);
	auto_buf struct cay_buf b;

	if (!o->base64) {
		json_object_set_new(j, "data", cay_json_bytes(span->data, span->n));
		return j;
	}
	cay_buf_init(&b, EVENT_BYTES * 2);
	cay_base64_encode(span->data, span->n, &b);
	json_object_set_new(j, "base64", json_string(b.data));
	return j;
}

/* Sends the next piece; false when there is none now. */
static bool send_piece(struct output *o)
{
	const struct cay_ring *ring = &o->process->ring;
	char bytes[EVENT_BYTES];
	struct cay_ring_span span;
	json_t *data;

	if (o->offset < ring->start) {
		json_int_t dropped = (json_int_t)(ring->start - o->offset);

		o->offset = ring->start;
		send_event(o, "dropped", json_pack("{s:I}", "bytes", dropped));
		return true;
	}
	cay_ring_read(ring, o->offset, !o->base64, o->process->child, bytes, sizeof(bytes), &span);
	if (span.n == 0)
		return false;
	o->offset = span.offset + span.n;
	if (o->only >= 0 && (int)span.stream != o->only)
		return true;
	data = output_data(o, &span);
	send_event(o, "output", data);
	return true;
}

/* False: it is over, and o with it. */
static bool pump(struct output *o)
{
	json_t *end;

	while (!o->full)
		if (!send_piece(o))
			break;
	if (o->full || o->process->child)
		return true;
	end = json_object();
	cay_native_put_end(end, &o->process->end);
	send_event(o, "exit", end);
	cay_http_end(o->req);
	close_output(o);
	return false;
}

static void on_output_news(struct cay_process_follower *f)
{
	pump((struct output *)f);
}

static void on_output_drain(struct cay_http_req *req, void *arg)
{
	struct output *o = arg;

	(void)req;
	o->full = false;
	if (pump(o))
		cay_process_read_on(o->process);
}

static void on_output_client_gone(struct cay_http_req *req, void *arg)
{
	(void)req;
	close_output(arg);
}

static void on_output_process_gone(struct cay_process_follower *f)
{
	struct output *o = (struct output *)f;

	cay_http_end(o->req);
	free(o);
}

static int read_output_query(struct cay_http_req *req, struct output *o, struct cay_error *err)
{
	const char *stream = cay_http_query_get(req, "stream");
	const char *encoding = cay_http_query_get(req, "encoding");
	const char *last = cay_http_header(req, "Last-Event-ID");
	int64_t offset = 0, resumed = 0;

	if (cay_http_query_int(req, "offset", 0, INT64_MAX, 0, &offset, err) < 0)
		return -1;
	/* A client that comes back by itself (EventSource) keeps the query of the first time. */
	if (last && *last && cay_text_int(last, "Last-Event-ID", 0, INT64_MAX, &resumed, err) < 0)
		return -1;
	o->offset = (uint64_t)CAY_MAX(offset, resumed);
	o->only = -1;
	if (stream && !strcmp(stream, "stdout"))
		o->only = CAY_STDOUT;
	else if (stream && !strcmp(stream, "stderr"))
		o->only = CAY_STDERR;
	else if (stream && strcmp(stream, "both"))
		return cay_fail(err, CAY_E_INVALID, 0,
				"stream must be stdout, stderr or both, got '%.40s'", stream);
	if (encoding && strcmp(encoding, "base64") && strcmp(encoding, "text"))
		return cay_fail(err, CAY_E_INVALID, 0,
				"encoding must be text or base64, got '%.40s'", encoding);
	o->base64 = encoding && !strcmp(encoding, "base64");
	return 0;
}

static void get_output(struct cay_http_req *req)
{
	struct cay_process *p = find_or_answer(req);
	struct output *o, query = {};
	struct cay_error err;

	if (!p)
		return;
	if (read_output_query(req, &query, &err) < 0) {
		cay_http_reply_error(req, &err);
		return;
	}
	o = cay_alloc(sizeof(*o));
	*o = query;
	o->follower = (struct cay_process_follower){.on_news = on_output_news,
						    .on_gone = on_output_process_gone};
	o->process = p;
	o->follower.offset = &o->offset;
	o->req = req;
	o->offset = CAY_MIN(o->offset, p->ring.end);
	cay_process_follow(p, &o->follower);
	cay_http_on_close(req, on_output_client_gone, o);
	cay_http_on_drain(req, on_output_drain, o);
	cay_http_sse_start(req);
	if (pump(o))
		cay_process_read_on(o->process);
}

static void get_attach(struct cay_http_req *req)
{
	struct cay_process *p = find_or_answer(req);

	if (p)
		cay_native_attach(req, p);
}

const struct cay_http_route cay_native_process_routes[] = {
	{"GET", "/v1/processes", list_processes, 0, 0, "The processes that were started here"},
	{"POST", "/v1/processes", post_process, CAY_HTTP_JSON, 0, "Starts a process"},
	{"DELETE", "/v1/processes/{pid}", delete_process, 0, 0, "Kills and forgets a process"},
	{"GET", "/v1/processes/{pid}", get_process, 0, 0, "State, status and counters"},
	{"GET", "/v1/processes/{pid}/attach", get_attach, CAY_HTTP_UPGRADE, 0,
	 "Input, output, signals and resizing over a WebSocket"},
	{"GET", "/v1/processes/{pid}/output", get_output, 0, 0,
	 "The output as server-sent events, from an offset on"},
	{"POST", "/v1/processes/{pid}/resize", post_resize, CAY_HTTP_JSON, 0,
	 "Sets the terminal's size"},
	{"POST", "/v1/processes/{pid}/signal", post_signal, CAY_HTTP_JSON, 0,
	 "Sends a signal to the process group"},
	{"POST", "/v1/processes/{pid}/stdin", post_stdin, CAY_HTTP_STREAM, 0,
	 "Writes to the input; eof=1 closes it afterwards"},
	{},
};
