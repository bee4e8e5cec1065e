/* SPDX-License-Identifier: Apache-2.0 */
/* Native dialect: health, forwarding, and what its other files share. */
#include "agent/api/native.h"

#include <event2/bufferevent.h>
#include <signal.h>
#include <string.h>
#include <strings.h>

#include "agent/api/server.h"
#include "agent/child.h"
#include "agent/forward.h"
#include "agent/service.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "net/client.h"

enum { ARGUMENTS_MAX = 4096 };

/* ---- shared ---- */

int cay_native_read_command(const json_t *command, char ***ret, struct cay_error *err)
{
	const json_t *item;
	size_t i;

	if (json_is_string(command) && json_string_length(command) > 0) {
		*ret = cay_service_shell_argv(json_string_value(command));
		return 0;
	}
	if (!json_is_array(command) || json_array_size(command) == 0) {
		cay_fail(err, CAY_E_INVALID, 0,
			 "field 'command' must be a non-empty array of strings, or a string");
		return cay_fail_hint(err, "for example [\"ls\", \"-l\"], or \"ls -l | wc\" for the "
					  "shell");
	}
	if (json_array_size(command) > ARGUMENTS_MAX)
		return cay_fail(err, CAY_E_INVALID, 0,
				"field 'command' has %zu entries; at most %d are allowed",
				json_array_size(command), ARGUMENTS_MAX);
	json_array_foreach (command, i, item) {
		if (!json_is_string(item))
			return cay_fail(err, CAY_E_INVALID, 0,
					"field 'command' must hold only strings");
	}
	if (json_string_length(json_array_get(command, 0)) == 0)
		return cay_fail(err, CAY_E_INVALID, 0, "field 'command' names no program");
	*ret = cay_json_strv((json_t *)(uintptr_t)command);
	return 0;
}

int cay_native_read_env(const struct cay_service *s, const json_t *env, char ***ret,
			struct cay_error *err)
{
	char **v = cay_strv_copy((const char *const *)s->config.env);
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)env, name, value) {
		if (!*name || strchr(name, '=')) {
			cay_strv_free(v);
			return cay_fail(err, CAY_E_INVALID, 0,
					"field 'env' has the bad name '%.80s'", name);
		}
		v = cay_env_set(v, name, json_string_value(value));
	}
	*ret = v;
	return 0;
}

int cay_native_read_cwd(const struct cay_service *s, const char **cwd, struct cay_error *err)
{
	if (*cwd)
		return cay_path_check_absolute(*cwd, strlen(*cwd), "field 'cwd'", err);
	*cwd = s->config.working_dir;
	return 0;
}

int cay_native_read_user(const struct cay_service *s, const char *user, struct cay_error *err)
{
	if (!user || !strcmp(user, s->config.username))
		return 0;
	cay_fail(err, CAY_E_UNSUPPORTED, 0, "commands run as '%s', not as '%.80s'",
		 s->config.username, user);
	return cay_fail_hint(err, "leave out 'user'");
}

void cay_native_put_end(json_t *obj, const struct cay_child_end *end)
{
	const char *name = end->signal ? sigabbrev_np(end->signal) : NULL;

	json_object_set_new(obj, "exit_code", json_integer(end->exit_code));
	if (name)
		json_object_set_new(obj, "signal", json_sprintf("SIG%s", name));
	else if (end->signal)
		json_object_set_new(obj, "signal", json_sprintf("SIG%d", end->signal));
	if (end->oom)
		json_object_set_new(obj, "oom", json_true());
	if (end->timed_out)
		json_object_set_new(obj, "timed_out", json_true());
}

/* ---- health ---- */

static void get_health(struct cay_http_req *req)
{
	const struct cay_agent_server *s = cay_http_user(req);
	double uptime = (double)(cay_clock_ns() - s->started_ns) / 1e9;

	cay_http_reply_json(req, 200,
			    json_pack("{s:s, s:s, s:f}", "status", "ok", "version", CAY_VERSION,
				      "uptime_s", uptime));
}

/* ---- forward ---- */

static const char switching[] = "HTTP/1.1 101 Switching Protocols\r\n"
				"Connection: Upgrade\r\n"
				"Upgrade: tcp\r\n"
				"\r\n";

struct forwarding {
	struct cay_http_req *req;
	struct cay_forward *connect; /* NULL: over */
};

static void on_connected(int fd, const struct cay_error *err, void *arg)
{
	struct forwarding *f = arg;
	struct event_base *base = cay_http_base(f->req);
	struct bufferevent *inside, *client;

	if (fd < 0) {
		cay_http_reply_error(f->req, err);
	} else {
		inside = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
		client = cay_http_take_over(f->req, switching, sizeof(switching) - 1);
		cay_relay(client, inside, NULL, NULL);
	}
	free(f);
}

static void on_client_gone(struct cay_http_req *req, void *arg)
{
	struct forwarding *f = arg;

	(void)req;
	cay_forward_cancel(f->connect);
	free(f);
}

static void get_forward(struct cay_http_req *req)
{
	const char *upgrade = cay_http_header(req, "Upgrade");
	struct forwarding *f;
	struct cay_error err;
	int64_t port;

	if (cay_text_int(cay_http_param(req, "port"), "the port", 1, 65535, &port, &err) < 0) {
		cay_http_reply_error(req, &err);
		return;
	}
	if (!upgrade || strcasecmp(upgrade, "tcp")) {
		cay_fail(&err, CAY_E_INVALID, 0, "a stream to a port is an upgrade");
		cay_fail_hint(&err, "send Connection: Upgrade and Upgrade: tcp");
		cay_http_reply_error(req, &err);
		return;
	}
	f = cay_alloc(sizeof(*f));
	f->req = req;
	cay_http_on_close(req, on_client_gone, f);
	/* NULL: answered already, and f is gone. */
	struct cay_forward *connect =
		cay_forward_connect(cay_http_base(req), (uint16_t)port, on_connected, f);
	if (connect)
		f->connect = connect;
}

const struct cay_http_route cay_native_routes[] = {
	{"GET", "/v1/forward/{port}", get_forward, CAY_HTTP_UPGRADE, 0,
	 "A TCP stream to a port inside the sandbox (Upgrade: tcp)"},
	{"GET", "/v1/health", get_health, 0, 0, "Whether the agent answers, and since when"},
	{},
};
