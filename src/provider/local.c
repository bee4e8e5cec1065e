/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This machine as a provider: sandboxes of the local engine, made by the launcher process, with an
 * agent that answers on a unix socket in the sandbox's folder. Everything here waits on the event
 * loop. The launcher does one thing after another, so only a few requests are on their way to it at
 * a time; the rest waits here, in order, where it can still be taken back.
 */
#include <event2/event.h>
#include <fcntl.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/wait.h>

#include "base/agent_proto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/text.h"
#include "box/launcher.h"
#include "provider/provider.h"

enum {
	IN_FLIGHT_MAX = 4, /* requests at the launcher */
	LISTEN_BACKLOG = 1024,
	READY_TIMEOUT_S = 10, /* from PID 1 to an agent that answers */
	ENV_MAX = 48 << 10,   /* configuration as text; one message to the launcher is 64 KiB */
	LOG_TAIL_MAX = 200,
};

enum machine_state {
	QUEUED,    /* creation waits for its turn */
	LAUNCHING, /* the launcher makes it */
	STARTING,  /* PID 1 lives; its hello is awaited */
	READY,
	DESTROYING, /* waits for its turn, or the launcher destroys it */
	ENDED,      /* on_gone is called at the next turn of the loop */
};

struct cay_machine {
	TAILQ_ENTRY(cay_machine) all;
	TAILQ_ENTRY(cay_machine) queue; /* in local->waiting while `waits` */
	struct local *local;
	enum machine_state state;
	bool waits, destroy_wanted;
	uint64_t tag;
	char *name, *dir, *workspace, *url;
	struct cay_box_spec spec;
	json_t *config, *isolation;
	int listen_fd, log_fd, status_fd;
	struct event *hello, *later;
	uint64_t begun_ns, launched_ns;
	enum cay_reason reason;
	struct cay_error end;
	struct cay_machine_events events;
	void *arg;
};

TAILQ_HEAD(machines, cay_machine);

struct local {
	struct cay_provider provider;
	struct cay_provider_host host;
	struct cay_launcher *launcher;
	struct event *readable;
	struct machines all, waiting;
	unsigned in_flight;
	uint64_t last_tag;
};

static void send_waiting(struct local *l);

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void machine_free(struct cay_machine *m)
{
	if (m->hello)
		event_free(m->hello);
	if (m->later)
		event_free(m->later);
	close_fd(&m->listen_fd);
	close_fd(&m->log_fd);
	close_fd(&m->status_fd);
	json_decref(m->config);
	json_decref(m->isolation);
	free(m->name);
	free(m->dir);
	free(m->workspace);
	free(m->url);
	free(m);
}

/* ---- the end of a machine ---- */

static void report_end(evutil_socket_t fd, short what, void *arg)
{
	struct cay_machine *m = arg;

	TAILQ_REMOVE(&m->local->all, m, all);
	m->events.on_gone(m->reason, &m->end, m->arg);
	machine_free(m);
}

/* Nothing of it is left: says so from the loop, so that no caller finds its handle gone. */
static void end(struct cay_machine *m, enum cay_reason reason, const struct cay_error *err)
{
	if (m->state == ENDED)
		return;
	if (m->waits)
		TAILQ_REMOVE(&m->local->waiting, m, queue);
	m->waits = false;
	if (m->hello)
		event_del(m->hello);
	if (m->end.code != CAY_OK) /* we gave it up ourselves, and have said why */
		reason = CAY_REASON_PROVIDER;
	else if (err)
		m->end = *err;
	m->reason = reason;
	m->state = ENDED;
	event_active(m->later, EV_TIMEOUT, 0);
}

/* The last line of the agent's log explains a failed start better than a number. */
static void add_log_tail(const struct cay_machine *m, struct cay_error *err)
{
	auto_free char *path = cay_format("%s/agent.log", m->dir);
	auto_close int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	auto_buf struct cay_buf shown;
	char text[LOG_TAIL_MAX + 1];
	const char *line;
	ssize_t n;
	off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);

	cay_buf_init(&shown, 4 * sizeof(text));
	if (size <= 0)
		return;
	n = pread(fd, text, LOG_TAIL_MAX, size > LOG_TAIL_MAX ? size - LOG_TAIL_MAX : 0);
	for (; n > 0 && text[n - 1] == '\n'; n--)
		;
	if (n <= 0)
		return;
	text[n] = '\0';
	line = strrchr(text, '\n');
	line = line ? line + 1 : text;
	cay_text_quote(&shown, line, strlen(line), LOG_TAIL_MAX);
	cay_fail_hint(err, "the agent's log ends with: %s", shown.data);
}

/* PID 1 ended without having been asked to. */
static void on_exited(struct cay_machine *m, const struct cay_launcher_event *e)
{
	int status = e->exit_status;
	struct cay_error err = {};
	const char *when = m->state == READY ? "" : " before it was ready";

	if (e->oom)
		cay_fail(&err, CAY_E_UNAVAILABLE, 0, "the agent was killed for lack of memory%s",
			 when);
	else if (WIFSIGNALED(status))
		cay_fail(&err, CAY_E_UNAVAILABLE, 0, "the agent was ended by signal %d (%s)%s",
			 WTERMSIG(status), strsignal(WTERMSIG(status)), when);
	else
		cay_fail(&err, CAY_E_UNAVAILABLE, 0, "the agent ended with status %d%s",
			 WEXITSTATUS(status), when);
	if (m->state != READY)
		add_log_tail(m, &err);
	end(m, e->oom ? CAY_REASON_OOM : CAY_REASON_CRASHED, &err);
}

/* ---- requests to the launcher ---- */

static void enqueue(struct cay_machine *m)
{
	if (!m->waits)
		TAILQ_INSERT_TAIL(&m->local->waiting, m, queue);
	m->waits = true;
	send_waiting(m->local);
}

static int send_request(struct cay_machine *m, struct cay_error *err)
{
	struct local *l = m->local;
	int r;

	m->tag = ++l->last_tag;
	if (m->state == DESTROYING)
		return cay_launcher_destroy(l->launcher, m->tag, m->name, err);
	m->state = LAUNCHING;
	r = cay_launcher_create(l->launcher, m->tag, &m->spec, m->listen_fd, m->log_fd, m->config,
				err);
	/* Only the agent may hold its socket: when it ends, connections must fail, not wait. */
	close_fd(&m->listen_fd);
	close_fd(&m->log_fd);
	json_decref(TAKE_PTR(m->config));
	return r;
}

static void send_waiting(struct local *l)
{
	struct cay_machine *m;
	struct cay_error err = {};

	while (l->in_flight < IN_FLIGHT_MAX && (m = TAILQ_FIRST(&l->waiting))) {
		TAILQ_REMOVE(&l->waiting, m, queue);
		m->waits = false;
		if (send_request(m, &err) < 0)
			end(m, CAY_REASON_PROVIDER, &err);
		else
			l->in_flight++;
	}
}

static void local_destroy(struct cay_machine *m)
{
	m->destroy_wanted = true;
	switch (m->state) {
	case QUEUED:
		end(m, CAY_REASON_KILLED, NULL);
		break;
	case STARTING:
	case READY:
		if (m->hello)
			event_del(m->hello);
		m->state = DESTROYING;
		enqueue(m);
		break;
	case LAUNCHING: /* goes on when the launcher has answered */
	case DESTROYING:
	case ENDED:
		break;
	}
}

/* ---- what the launcher and the agent say ---- */

static void give_up(struct cay_machine *m)
{
	add_log_tail(m, &m->end);
	local_destroy(m);
}

static void on_hello(evutil_socket_t fd, short what, void *arg)
{
	struct cay_machine *m = arg;
	struct cay_agent_hello hello;
	struct cay_machine_ready ready;
	ssize_t n = what & EV_READ ? read(m->status_fd, &hello, sizeof(hello)) : -1;

	if (what & EV_TIMEOUT) {
		cay_fail(&m->end, CAY_E_UNAVAILABLE, 0, "the agent was not ready after %d s",
			 READY_TIMEOUT_S);
		give_up(m);
		return;
	}
	if (n <= 0) /* it ended: the launcher says how */
		return;
	if (n != (ssize_t)sizeof(hello) || hello.magic != CAY_AGENT_MAGIC ||
	    hello.proto_version != CAY_AGENT_PROTO_VERSION) {
		cay_fail(&m->end, CAY_E_INTERNAL, 0, "the agent speaks another protocol version");
		give_up(m);
		return;
	}
	/* From here on the launcher's word is enough; a descriptor less for each sandbox. */
	event_free(TAKE_PTR(m->hello));
	close_fd(&m->status_fd);
	m->state = READY;
	ready = (struct cay_machine_ready){
		.isolation = m->isolation,
		.launch_ns = m->launched_ns - m->begun_ns,
		.agent_ready_ns = cay_clock_ns() - m->launched_ns,
	};
	m->events.on_ready(&ready, m->arg);
}

static void on_created(struct cay_machine *m, struct cay_launcher_event *e)
{
	const struct timeval deadline = {.tv_sec = READY_TIMEOUT_S};

	m->launched_ns = cay_clock_ns();
	m->isolation = TAKE_PTR(e->box.report);
	m->status_fd = TAKE_FD(e->box.status_fd);
	m->state = STARTING;
	cay_fd_set_nonblock(m->status_fd, true);
	m->hello = event_new(m->local->host.base, m->status_fd, EV_READ, on_hello, m);
	event_add(m->hello, &deadline);
	if (m->destroy_wanted)
		local_destroy(m);
}

static struct cay_machine *by_event(struct local *l, const struct cay_launcher_event *e)
{
	struct cay_machine *m;

	TAILQ_FOREACH(m, &l->all, all)
	if (e->tag ? m->tag == e->tag : !strcmp(m->name, e->name))
		return m;
	return NULL;
}

/* What an event brought along and nobody took. */
static void drop_box(struct cay_launcher_event *e)
{
	if (e->kind != CAY_LAUNCHER_CREATED)
		return;
	close_fd(&e->box.status_fd);
	close_fd(&e->box.pidfd);
	json_decref(e->box.report);
	free(e->box.cgroup);
}

static void lose_all(struct local *l, bool queued_too, const struct cay_error *err)
{
	struct cay_machine *m;

	TAILQ_FOREACH(m, &l->all, all)
	if (m->state != QUEUED || queued_too)
		end(m, CAY_REASON_PROVIDER, err);
	l->in_flight = 0;
}

static void on_event(struct local *l, struct cay_launcher_event *e)
{
	struct cay_machine *m = by_event(l, e);

	if (e->tag && l->in_flight)
		l->in_flight--;
	if (!m || m->state == ENDED)
		return;
	switch (e->kind) {
	case CAY_LAUNCHER_CREATED:
		on_created(m, e);
		break;
	case CAY_LAUNCHER_FAILED:
		/* Destroying what has just ended by itself is no failure. */
		if (m->state == DESTROYING && e->error.code == CAY_E_NOT_FOUND)
			end(m, CAY_REASON_KILLED, NULL);
		else
			end(m, CAY_REASON_PROVIDER, &e->error);
		break;
	case CAY_LAUNCHER_DESTROYED:
		end(m, CAY_REASON_KILLED, NULL);
		break;
	case CAY_LAUNCHER_EXITED:
		if (m->state != DESTROYING)
			on_exited(m, e);
		else if (m->waits) /* the request to destroy has not been sent, and need not be */
			end(m, CAY_REASON_KILLED, NULL);
		break;
	case CAY_LAUNCHER_GONE:
		break;
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg);

static int launcher_open(struct local *l, struct cay_error *err)
{
	if (cay_launcher_start(l->host.agent_exe_fd, &l->launcher, err) < 0)
		return -1;
	l->readable = event_new(l->host.base, cay_launcher_fd(l->launcher), EV_READ | EV_PERSIST,
				on_readable, l);
	event_add(l->readable, NULL);
	return 0;
}

static void launcher_close(struct local *l)
{
	if (l->readable)
		event_free(TAKE_PTR(l->readable));
	cay_launcher_stop(TAKE_PTR(l->launcher));
}

/* Its sandboxes died with it. What waits gets a new one; otherwise the next create starts it, so
 * that a launcher that cannot live is not started in a loop. */
static void on_launcher_gone(struct local *l)
{
	struct cay_error err = {};

	cay_fail(&err, CAY_E_UNAVAILABLE, 0,
		 "the launcher process ended, and its sandboxes with it");
	lose_all(l, false, &err);
	launcher_close(l);
	if (!TAILQ_EMPTY(&l->waiting) && launcher_open(l, &err) < 0)
		lose_all(l, true, &err);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	static const struct cay_launcher_event none = {.box = {.pidfd = -1, .status_fd = -1}};
	struct local *l = arg;
	struct cay_launcher_event e = none;

	for (; l->launcher && cay_launcher_next_event(l->launcher, &e) > 0; e = none) {
		if (e.kind == CAY_LAUNCHER_GONE)
			on_launcher_gone(l);
		else
			on_event(l, &e);
		drop_box(&e);
	}
	send_waiting(l);
}

/* ---- operations ---- */

static int local_open(const struct cay_provider_host *host, struct cay_provider **ret,
		      struct cay_error *err)
{
	struct local *l = cay_alloc(sizeof(*l));

	l->provider.ops = &cay_provider_local_ops;
	l->host = *host;
	TAILQ_INIT(&l->all);
	TAILQ_INIT(&l->waiting);
	if (launcher_open(l, err) < 0 ||
	    cay_launcher_prepare(l->launcher, l->host.cache_dir, err) < 0) {
		launcher_close(l);
		free(l);
		return -1;
	}
	*ret = &l->provider;
	return 0;
}

static struct local *local_of(struct cay_provider *p)
{
	return CAY_CONTAINER_OF(p, struct local, provider);
}

static void local_close(struct cay_provider *p)
{
	struct cay_machine *m;
	struct local *l;

	if (!p)
		return;
	l = local_of(p);
	launcher_close(l);
	while ((m = TAILQ_FIRST(&l->all))) {
		TAILQ_REMOVE(&l->all, m, all);
		machine_free(m);
	}
	free(l);
}

static int local_health(struct cay_provider *p, uint64_t *ret_latency_ns, struct cay_error *err)
{
	struct local *l = local_of(p);
	uint64_t begun_ns = cay_clock_ns();

	if (!l->launcher && launcher_open(l, err) < 0)
		return -1;
	*ret_latency_ns = cay_clock_ns() - begun_ns;
	return 0;
}

static int local_validate(struct cay_provider *p, struct cay_error *err)
{
	uint64_t latency_ns;

	return local_health(p, &latency_ns, err);
}

/* The configuration of base/agent_proto.h, without what the engine adds. */
static json_t *agent_config(const struct cay_machine_spec *spec)
{
	json_t *env = json_object();
	const char *const *base = cay_box_default_env();

	for (; *base; base++) {
		const char *eq = strchr(*base, '=');
		auto_free char *name = cay_strndup(*base, (size_t)(eq - *base));

		json_object_set_new(env, name, json_string(eq + 1));
	}
	if (spec->env)
		json_object_update(env, (json_t *)(uintptr_t)spec->env);
	return json_pack("{s:s, s:s, s:s, s:i, s:i, s:o, s:s}", "working_dir", "/workspace",
			 "username", CAY_AGENT_USER, "home", CAY_AGENT_HOME, "uid", CAY_AGENT_UID,
			 "gid", CAY_AGENT_GID, "env", env, "session_api_key",
			 spec->session_api_key);
}

static int check_config_size(const json_t *config, struct cay_error *err)
{
	size_t n = json_dumpb(config, NULL, 0, JSON_COMPACT);

	if (n <= ENV_MAX)
		return 0;
	cay_fail(err, CAY_E_LIMIT, 0, "field 'env' is too large: %zu bytes, at most about %d", n,
		 ENV_MAX);
	return cay_fail_hint(err, "put large values into a file of the workspace");
}

static int open_files(struct cay_machine *m, struct cay_error *err)
{
	auto_free char *socket = cay_format("%s/agent.sock", m->dir);
	auto_free char *log = cay_format("%s/agent.log", m->dir);

	m->url = cay_format("unix:%s", socket);
	if (cay_fd_listen_unix(socket, LISTEN_BACKLOG, &m->listen_fd, err) < 0)
		return -1;
	m->log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (m->log_fd < 0)
		return cay_fail(err, cay_error_from_errno(errno), errno, "open '%s'", log);
	return 0;
}

static struct cay_machine *local_create(struct cay_provider *p, const struct cay_machine_spec *spec,
					const struct cay_machine_events *events, void *arg,
					struct cay_error *err)
{
	struct local *l = local_of(p);
	struct cay_machine *m;

	if (!l->launcher && launcher_open(l, err) < 0)
		return NULL;
	m = cay_alloc(sizeof(*m));
	*m = (struct cay_machine){
		.local = l,
		.begun_ns = cay_clock_ns(),
		.name = cay_strdup(spec->id),
		.dir = cay_strdup(spec->dir),
		.workspace = spec->workspace ? cay_strdup(spec->workspace) : NULL,
		.config = agent_config(spec),
		.listen_fd = -1,
		.log_fd = -1,
		.status_fd = -1,
		.events = *events,
		.arg = arg,
	};
	m->spec = (struct cay_box_spec){
		.name = m->name,
		.cache_dir = l->host.cache_dir,
		.workspace = m->workspace,
		.workspace_read_only = spec->workspace_read_only,
		.net = spec->net == CAY_MACHINE_NET_HOST ? CAY_BOX_NET_HOST : CAY_BOX_NET_NONE,
		.memory_bytes = spec->memory_bytes,
		.pids = spec->pids,
		.cpus = spec->cpus,
	};
	if (cay_box_spec_check(&m->spec, err) < 0 || check_config_size(m->config, err) < 0 ||
	    open_files(m, err) < 0) {
		machine_free(m);
		return NULL;
	}
	m->later = event_new(l->host.base, -1, 0, report_end, m);
	TAILQ_INSERT_TAIL(&l->all, m, all);
	enqueue(m);
	return m;
}

static const char *local_endpoint(struct cay_machine *m)
{
	return m->url;
}

const struct cay_provider_ops cay_provider_local_ops = {
	.name = "local",
	.summary = "sandboxes on this machine: Linux namespaces, overlay, seccomp, cgroups",
	.caps = CAY_PROVIDER_WORKSPACE | CAY_PROVIDER_LIMITS | CAY_PROVIDER_NO_NETWORK |
		CAY_PROVIDER_HOST_NETWORK,
	.open = local_open,
	.close = local_close,
	.validate = local_validate,
	.health = local_health,
	.create = local_create,
	.destroy = local_destroy,
	.endpoint = local_endpoint,
};
