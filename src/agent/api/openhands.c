/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/api/openhands.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/time.h>

#include "agent/api/openhands_files.h"
#include "agent/api/openhands_run.h"
#include "agent/api/server.h"
#include "agent/service.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"

enum {
	BODY_MAX = 64 << 20, /* a file's content is in it */
	QUEUE_MAX = 64,      /* actions that wait */
	DETAIL_MAX = 1 << 20,
	SMALL_FILE_MAX = 4096, /* of /proc */
};

/* An action that waits for its turn, or runs. */
struct turn {
	struct cay_openhands *owner;
	struct cay_http_req *req; /* NULL: the client has gone */
	json_t *event, *args;     /* what the action borrows from */
	struct cay_oh_action action;
	struct cay_oh_session *own; /* of an action with is_static */
	bool begun;
	struct turn *next;
};

struct cay_openhands {
	struct cay_service *service;
	struct cay_oh_session *session;
	struct turn *first, **last; /* the first one runs */
	size_t n;
	bool advancing;
	uint64_t started_ns, last_action_ns;
	uint64_t cpu_ns, cpu_at_ns; /* of the last look at our own use of the processor */
};

static struct cay_openhands *openhands(const struct cay_http_req *req)
{
	return ((const struct cay_agent_server *)cay_http_user(req))->openhands;
}

/* ---- answers ---- */

static void answer_detail(struct cay_http_req *req, int status, const char *detail)
{
	cay_http_reply_json(req, status,
			    json_pack("{s:o}", "detail", cay_json_bytes(detail, strlen(detail))));
}

static void answer_internal(struct cay_http_req *req, const char *why)
{
	auto_free char *detail = cay_format("Internal server error: %s", why);

	answer_detail(req, 500, detail);
}

/* `errors` is a list in Python's notation. */
static void answer_invalid(struct cay_http_req *req, const char *errors)
{
	cay_http_reply_json(req, 422,
			    json_pack("{s:s, s:o}", "detail", "Invalid request parameters",
				      "errors", cay_json_bytes(errors, strlen(errors))));
}

static void answer_missing(struct cay_http_req *req, const char *type, const char *where,
			   const char *message, const json_t *input)
{
	struct cay_buf b;

	cay_buf_init(&b, DETAIL_MAX);
	cay_buf_printf(&b, "[{'type': '%s', 'loc': (%s), 'msg': '%s', 'input': ", type, where,
		       message);
	cay_oh_repr(input, &b);
	cay_buf_puts(&b, "}]");
	answer_invalid(req, b.data);
	cay_buf_fini(&b);
}

/* The body of /execute_action is not JSON. */
static void answer_malformed(struct cay_http_req *req, const struct cay_error *err)
{
	auto_json json_t *message = json_string(err->msg);
	struct cay_buf b;

	cay_buf_init(&b, DETAIL_MAX);
	cay_buf_puts(&b,
		     "[{'type': 'json_invalid', 'loc': ('body', 0), 'msg': 'JSON decode error', "
		     "'input': {}, 'ctx': {'error': ");
	cay_oh_repr(message, &b);
	cay_buf_puts(&b, "}}]");
	answer_invalid(req, b.data);
	cay_buf_fini(&b);
}

void cay_openhands_answer_error(struct cay_http_req *req, const struct cay_error *err)
{
	switch (err->code) {
	case CAY_E_UNAUTHORIZED:
		answer_detail(req, 403, "Invalid API Key");
		break;
	case CAY_E_NOT_FOUND:
		answer_detail(req, 404, "Not Found");
		break;
	case CAY_E_METHOD:
		answer_detail(req, 405, "Method Not Allowed");
		break;
	default:
		if (err->code == CAY_E_INVALID && !strcmp(cay_http_path(req), "/execute_action"))
			answer_malformed(req, err);
		else
			answer_detail(req, cay_error_http_status(err->code), err->msg);
	}
}

/* ---- actions, one at a time ---- */

static void advance(struct cay_openhands *o);

static void free_turn(struct turn *t)
{
	cay_oh_session_destroy(t->own);
	json_decref(t->args);
	json_decref(t->event);
	free(t);
}

/* detail: what went wrong where there is no observation. */
static void end_turn(struct cay_openhands *o, json_t *observation, const char *detail)
{
	struct turn *t = o->first;

	o->first = t->next;
	if (!o->first)
		o->last = &o->first;
	o->n--;
	o->last_action_ns = cay_clock_ns();
	if (t->req && observation)
		cay_http_reply_json(t->req, 200, observation);
	else if (t->req)
		answer_internal(t->req, detail ? detail : "");
	else
		json_decref(observation);
	free_turn(t);
	advance(o);
}

static void on_run_done(json_t *observation, void *arg)
{
	end_turn(arg, observation, NULL);
}

static void run(struct cay_openhands *o, struct turn *t, struct cay_buf *detail)
{
	const char *cwd = cay_oh_arg_string(&t->action, "cwd");

	if (cay_oh_arg_true(&t->action, "is_static"))
		t->own = cay_oh_session_create(o->service, cwd);
	cay_oh_session_run(t->own ? t->own : o->session, &t->action, on_run_done, o);
}

static void read_file(struct cay_openhands *o, struct turn *t, struct cay_buf *detail)
{
	json_t *result =
		cay_oh_read(o->service, cay_oh_session_cwd(o->session), &t->action, detail);

	end_turn(o, result, detail->data);
}

static void write_file(struct cay_openhands *o, struct turn *t, struct cay_buf *detail)
{
	json_t *result =
		cay_oh_write(o->service, cay_oh_session_cwd(o->session), &t->action, detail);

	end_turn(o, result, detail->data);
}

static void browse(struct cay_openhands *o, struct turn *t, struct cay_buf *detail)
{
	end_turn(o, cay_oh_error("Browser functionality is not supported or disabled.", ""), NULL);
}

static void run_ipython(struct cay_openhands *o, struct turn *t, struct cay_buf *detail)
{
	end_turn(o, NULL, "JupyterRequirement not found. Unable to run IPython action.");
}

static void edit(struct cay_openhands *o, struct turn *t, struct cay_buf *detail)
{
	end_turn(o,
		 cay_oh_error("Action edit is not supported in the current runtime.",
			      "AGENT_ERROR$BAD_ACTION"),
		 NULL);
}

/* What is executed. Other kinds of actions are known, and nothing that a server executes. */
static const struct {
	const char *type;
	void (*execute)(struct cay_openhands *o, struct turn *t, struct cay_buf *detail);
} executors[] = {
	{"browse", browse},    {"browse_interactive", browse},
	{"edit", edit},        {"read", read_file},
	{"run", run},          {"run_ipython", run_ipython},
	{"write", write_file},
};

static void execute(struct cay_openhands *o, struct turn *t)
{
	auto_buf struct cay_buf detail;

	cay_buf_init(&detail, DETAIL_MAX);
	o->last_action_ns = cay_clock_ns();
	for (size_t i = 0; i < CAY_LEN(executors); i++) {
		if (!strcmp(executors[i].type, t->action.type)) {
			executors[i].execute(o, t, &detail);
			return;
		}
	}
	cay_buf_printf(&detail, "'ActionExecutor' object has no attribute '%s'", t->action.type);
	end_turn(o, NULL, detail.data);
}

/* Begins the first turn that is not begun, and the next ones as long as they end at once. */
static void advance(struct cay_openhands *o)
{
	if (o->advancing)
		return;
	o->advancing = true;
	while (o->first && !o->first->begun) {
		o->first->begun = true;
		if (o->first->req)
			execute(o, o->first);
		else
			end_turn(o, NULL, NULL);
	}
	o->advancing = false;
}

static void on_client_gone(struct cay_http_req *req, void *arg)
{
	struct turn *t = arg;

	(void)req;
	t->req = NULL;
}

static void enqueue(struct cay_openhands *o, struct cay_http_req *req, struct turn *t)
{
	t->owner = o;
	t->req = req;
	*o->last = t;
	o->last = &t->next;
	o->n++;
	cay_http_on_close(req, on_client_gone, t);
	advance(o);
}

static void post_execute_action(struct cay_http_req *req)
{
	struct cay_openhands *o = openhands(req);
	json_t *body = cay_http_json(req), *event = json_object_get(body, "action");
	auto_buf struct cay_buf detail;
	struct turn *t;

	cay_buf_init(&detail, DETAIL_MAX);
	if (!json_is_object(body)) {
		answer_missing(
			req, "model_attributes_type", "'body',",
			"Input should be a valid dictionary or object to extract fields from",
			body);
	} else if (!event) {
		answer_missing(req, "missing", "'body', 'action'", "Field required", body);
	} else if (!json_is_object(event)) {
		answer_missing(req, "dict_type", "'body', 'action'",
			       "Input should be a valid dictionary", event);
	} else if (o->n >= QUEUE_MAX) {
		answer_detail(req, 429, "Too many actions are waiting");
	} else {
		t = cay_alloc(sizeof(*t));
		t->event = json_incref(event);
		if (cay_oh_action_parse(event, &t->action, &t->args, &detail) == 0) {
			enqueue(o, req, t);
		} else {
			answer_internal(req, detail.data);
			free_turn(t);
		}
	}
}

/* ---- alive, server_info ---- */

static void get_alive(struct cay_http_req *req)
{
	cay_http_reply_json(req, 200, json_pack("{s:s}", "status", "ok"));
}

/* "name: value" of a small file of /proc; 0 where it cannot be read. */
static json_int_t proc_value(const char *path, const char *name)
{
	auto_buf struct cay_buf text;
	struct cay_error err;
	const char *at;

	cay_buf_init(&text, SMALL_FILE_MAX);
	if (cay_fd_read_file(path, &text, &err) < 0)
		return 0;
	at = strstr(text.data, name);
	return at ? strtoll(at + strlen(name), NULL, 10) : 0;
}

static double cpu_percent(struct cay_openhands *o)
{
	uint64_t now = cay_clock_ns(), used, wall = now - o->cpu_at_ns;
	struct rusage u;
	double percent;

	getrusage(RUSAGE_SELF, &u);
	used = (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000 +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000;
	percent = wall ? 100.0 * (double)(used - o->cpu_ns) / (double)wall : 0;
	o->cpu_ns = used;
	o->cpu_at_ns = now;
	return percent;
}

static json_t *memory_info(void)
{
	json_int_t rss = 0, vms = 0;
	auto_buf struct cay_buf text;
	struct sysinfo total = {};
	long page = sysconf(_SC_PAGESIZE);
	struct cay_error err;
	char *end;

	cay_buf_init(&text, SMALL_FILE_MAX);
	if (cay_fd_read_file("/proc/self/statm", &text, &err) == 0) {
		vms = strtoll(text.data, &end, 10) * page;
		rss = strtoll(end, NULL, 10) * page;
	}
	sysinfo(&total);
	return json_pack("{s:I, s:I, s:f}", "rss", rss, "vms", vms, "percent",
			 total.totalram
				 ? 100.0 * (double)rss / ((double)total.totalram * total.mem_unit)
				 : 0.0);
}

static json_t *disk_info(void)
{
	json_int_t total, used, available;
	struct statvfs fs = {};

	if (statvfs("/", &fs) < 0)
		fs.f_frsize = 1;
	total = (json_int_t)(fs.f_blocks * fs.f_frsize);
	used = (json_int_t)((fs.f_blocks - fs.f_bfree) * fs.f_frsize);
	available = (json_int_t)(fs.f_bavail * fs.f_frsize);
	return json_pack(
		"{s:I, s:I, s:I, s:f}", "total", total, "used", used, "free", available, "percent",
		used + available ? 100.0 * (double)used / (double)(used + available) : 0.0);
}

static void get_server_info(struct cay_http_req *req)
{
	struct cay_openhands *o = openhands(req);
	uint64_t now = cay_clock_ns();
	json_t *io =
		json_pack("{s:I, s:I}", "read_bytes", proc_value("/proc/self/io", "read_bytes: "),
			  "write_bytes", proc_value("/proc/self/io", "\nwrite_bytes: "));
	json_t *resources = json_pack("{s:f, s:o, s:o, s:o}", "cpu_percent", cpu_percent(o),
				      "memory", memory_info(), "disk", disk_info(), "io", io);

	cay_http_reply_json(req, 200,
			    json_pack("{s:f, s:f, s:o}", "uptime",
				      (double)(now - o->started_ns) / 1e9, "idle_time",
				      (double)(now - o->last_action_ns) / 1e9, "resources",
				      resources));
}

/* ---- the object ---- */

struct cay_openhands *cay_openhands_create(struct cay_service *service)
{
	struct cay_openhands *o = cay_alloc(sizeof(*o));
	uint64_t now = cay_clock_ns();

	*o = (struct cay_openhands){.service = service,
				    .session = cay_oh_session_create(service, NULL),
				    .started_ns = now,
				    .last_action_ns = now,
				    .cpu_at_ns = now};
	o->last = &o->first;
	return o;
}

void cay_openhands_destroy(struct cay_openhands *o)
{
	if (!o)
		return;
	cay_oh_session_destroy(o->session);
	while (o->first) {
		struct turn *t = o->first;

		o->first = t->next;
		free_turn(t);
	}
	free(o);
}

const struct cay_http_route cay_openhands_routes[] = {
	{"GET", "/alive", get_alive, CAY_HTTP_OPEN, 0, "OpenHands: whether actions are accepted"},
	{"POST", "/execute_action", post_execute_action, CAY_HTTP_JSON, BODY_MAX,
	 "OpenHands: executes an action, answers with an observation"},
	{"GET", "/server_info", get_server_info, CAY_HTTP_OPEN, 0,
	 "OpenHands: uptime, idle time and resources"},
	{},
};
