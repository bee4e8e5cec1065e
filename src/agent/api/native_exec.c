/* SPDX-License-Identifier: Apache-2.0 */
/* Native dialect: one-shot commands. */
#include <string.h>

#include "agent/api/native.h"
#include "agent/api/server.h"
#include "agent/exec.h"
#include "agent/service.h"
#include "base/json.h"
#include "base/mem.h"

enum {
	BODY_MAX = 20 << 20, /* JSON with stdin in it */
	STDIN_MAX = 16 << 20,
	TIMEOUT_MAX_S = 86400,
};

struct exec_input {
	json_t *command;
	const char *cwd;
	json_t *env;
	const char *stdin_text;
	double timeout_s;
	const char *user;
};

static const struct cay_json_field exec_fields[] = {
	CAY_JSON_FIELD(struct exec_input, command, CAY_JSON_ANY, .required = true),
	CAY_JSON_FIELD(struct exec_input, cwd, CAY_JSON_STRING),
	CAY_JSON_FIELD(struct exec_input, env, CAY_JSON_MAP),
	{.name = "stdin",
	 .kind = CAY_JSON_STRING,
	 .offset = offsetof(struct exec_input, stdin_text),
	 .max = STDIN_MAX},
	CAY_JSON_FIELD(struct exec_input, timeout_s, CAY_JSON_NUMBER, .min = 0.001,
		       .max = TIMEOUT_MAX_S),
	CAY_JSON_FIELD(struct exec_input, user, CAY_JSON_STRING, .max = 255),
};

static void on_done(struct cay_exec *e, const struct cay_exec_result *r, void *arg)
{
	struct cay_http_req *req = arg;
	const struct cay_buf *out = &r->output[CAY_STDOUT], *err = &r->output[CAY_STDERR];
	json_t *answer = json_object();

	(void)e;
	cay_native_put_end(answer, &r->end);
	json_object_set_new(answer, "stdout", cay_json_bytes(out->data, out->len));
	json_object_set_new(answer, "stderr", cay_json_bytes(err->data, err->len));
	json_object_set_new(answer, "timed_out", json_boolean(r->end.timed_out));
	if (r->truncated)
		json_object_set_new(answer, "truncated", json_true());
	json_object_set_new(answer, "duration_ms",
			    json_real((double)(r->duration_ns / 1000) / 1e3));
	cay_http_timing(req, "exec", r->duration_ns);
	cay_http_reply_json(req, 200, answer);
}

static void on_client_gone(struct cay_http_req *req, void *arg)
{
	(void)req;
	cay_exec_abandon(arg);
}

static int start(struct cay_http_req *req, struct cay_exec **ret, struct cay_error *err)
{
	const struct cay_agent_server *s = cay_http_user(req);
	struct exec_input in = {};
	auto_strv char **argv = NULL;
	auto_strv char **env = NULL;
	struct cay_exec_options options = {.on_done = on_done, .arg = req};

	if (cay_json_decode(cay_http_json(req), exec_fields, CAY_LEN(exec_fields), &in, "", 0,
			    err) < 0 ||
	    cay_native_read_user(s->service, in.user, err) < 0 ||
	    cay_native_read_cwd(s->service, &in.cwd, err) < 0 ||
	    cay_native_read_command(in.command, &argv, err) < 0 ||
	    cay_native_read_env(s->service, in.env, &env, err) < 0)
		return -1;
	options.argv = argv;
	options.env = env;
	options.cwd = in.cwd;
	options.input = in.stdin_text;
	options.input_n = in.stdin_text ? strlen(in.stdin_text) : 0;
	options.timeout_ms = (uint64_t)(in.timeout_s * 1000);
	return cay_exec_start(s->service, &options, ret, err);
}

static void post_exec(struct cay_http_req *req)
{
	struct cay_error err;
	struct cay_exec *e;

	if (start(req, &e, &err) < 0)
		cay_http_reply_error(req, &err);
	else
		cay_http_on_close(req, on_client_gone, e);
}

const struct cay_http_route cay_native_exec_routes[] = {
	{"POST", "/v1/exec", post_exec, CAY_HTTP_JSON, BODY_MAX,
	 "Executes a command and answers with its output and status"},
	{},
};
