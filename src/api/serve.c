/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's life. One of the few files outside cli/ that write to the terminal. */
#include "api/serve.h"

#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "api/api.h"
#include "api/serve_options.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/place.h"
#include "base/text.h"
#include "manager/state.h"

enum {
	DRAIN_S = 10, /* for running requests; then again for the sandboxes */
	HELP_MAX = 8192,
	URL_MAX = 512,
};

/* Where MFD_EXEC is unknown (before Linux 6.3) memfds are executable anyway. */
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

struct daemon {
	struct cay_serve_options options;
	struct cay_state state;
	char *cache_dir;
	struct event_base *base;
	struct cay_api api;
	char key[CAY_STATE_KEY_MAX + 1];
	int agent_fd;
	struct event *sigterm, *sigint, *deadline;
	enum { RUNNING, DRAINING, ENDING } phase;
	bool sandboxes_gone;
	struct cay_buf urls; /* one line each */
};

/* ---- the end ---- */

static void set_deadline(struct daemon *d)
{
	const struct timeval limit = {.tv_sec = DRAIN_S};

	event_add(d->deadline, &limit);
}

/* What streamed out of sandboxes has ended with them; its last bytes may still be on their way. */
static void leave_when_done(void *arg)
{
	struct daemon *d = arg;

	if (d->sandboxes_gone && !cay_http_server_connections(d->api.server))
		event_base_loopbreak(d->base);
}

static void on_sandboxes_gone(void *arg)
{
	struct daemon *d = arg;

	d->sandboxes_gone = true;
	cay_http_server_drain(d->api.server, leave_when_done, d);
	leave_when_done(d);
}

static void end_sandboxes(void *arg)
{
	struct daemon *d = arg;

	if (d->phase != DRAINING)
		return;
	d->phase = ENDING;
	set_deadline(d);
	cay_manager_shutdown(d->api.manager, on_sandboxes_gone, d);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	if (d->phase == DRAINING) {
		cay_log(CAY_LOG_WARN, "serve", "requests still run after %d s; not waiting longer",
			DRAIN_S);
		end_sandboxes(d);
	} else {
		/* Sandboxes that are left die with the launcher. */
		cay_log(CAY_LOG_WARN, "serve", "%s after %d s; not waiting longer",
			d->sandboxes_gone ? "answers are not taken" : "sandboxes are not gone",
			DRAIN_S);
		event_base_loopbreak(d->base);
	}
}

/* Once: finish what runs. Twice: at once. */
static void on_signal(evutil_socket_t sig, short what, void *arg)
{
	struct daemon *d = arg;

	if (d->phase != RUNNING) {
		event_base_loopbreak(d->base);
		return;
	}
	cay_log(CAY_LOG_INFO, "serve", "stopping on signal %d", (int)sig);
	d->phase = DRAINING;
	set_deadline(d);
	cay_api_drain(&d->api, end_sandboxes, d);
}

/* ---- the start ---- */

/* The agent as a sealed file in memory: executed by descriptor, and nobody can change it. */
static int make_agent_file(const void *agent, size_t n, int *ret_fd, struct cay_error *err)
{
	const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	auto_close int fd = memfd_create("cay-agent", flags | MFD_EXEC);
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)agent;

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("cay-agent", flags);
	if (fd < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "memfd_create for the agent");
	if (cay_fd_write_all(fd, agent, n) < 0 || fchmod(fd, 0555) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "write the agent's file in memory");
	/* Our own copy is not needed in memory any more. */
	begin = (begin + page - 1) / page * page;
	if ((uintptr_t)agent + n > begin)
		madvise((void *)begin, ((uintptr_t)agent + n - begin) / page * page, MADV_DONTNEED);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* A sandbox and a client take a few descriptors each; the soft limit is often 1024. */
static void raise_descriptor_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static int read_key(struct daemon *d, struct cay_error *err)
{
	const char *key = getenv("CAY_API_KEY");

	if (!key)
		return cay_state_api_key(&d->state, d->key, err);
	if (cay_state_check_key(key, "CAY_API_KEY", err) < 0)
		return -1;
	snprintf(d->key, sizeof(d->key), "%s", key);
	/* Not for the processes that we start. */
	unsetenv("CAY_API_KEY");
	return 0;
}

static int open_state(struct daemon *d, struct cay_error *err)
{
	auto_free char *fallback = cay_place_state_dir();
	const char *path = d->options.state ? d->options.state : fallback;
	unsigned swept = 0;

	if (!path) {
		cay_fail(err, CAY_E_INVALID, 0, "no home folder is known");
		return cay_fail_hint(err, "name a state folder with --state DIR");
	}
	if (cay_state_open(path, &d->state, &swept, err) < 0 ||
	    cay_place_make_cache_dir(&d->cache_dir, err) < 0)
		return -1;
	if (swept)
		cay_log(CAY_LOG_INFO, "serve", "removed the folders of %u dead sandboxes", swept);
	return 0;
}

static void accept_host(struct daemon *d, const char *host)
{
	d->api.access.hosts = cay_strv_append(d->api.access.hosts, host);
	if (!strcmp(host, "0.0.0.0") || !strcmp(host, "::"))
		d->api.access.any_address = true;
}

static void set_access(struct daemon *d)
{
	static const char *const loopback[] = {"localhost", "127.0.0.1", "::1"};

	d->api.access.api_key = d->key;
	for (size_t i = 0; i < CAY_LEN(loopback); i++)
		accept_host(d, loopback[i]);
	for (char **h = d->options.allow_hosts; h && *h; h++)
		accept_host(d, *h);
}

static int listen_on(struct daemon *d, const char *where, struct cay_error *err)
{
	char host[64];
	uint16_t port;

	if (cay_text_starts_with(where, "unix:")) {
		cay_buf_printf(&d->urls, "%s\n", where);
		return cay_http_listen_unix(d->api.server, where + 5, err);
	}
	if (cay_serve_parse_address(where, host, &port, err) < 0 ||
	    cay_http_listen_tcp(d->api.server, host, port, &port, err) < 0)
		return -1;
	accept_host(d, host);
	cay_buf_printf(&d->urls, strchr(host, ':') ? "http://[%s]:%u\n" : "http://%s:%u\n", host,
		       port);
	return 0;
}

static int start(struct daemon *d, const void *agent, size_t agent_n, struct cay_error *err)
{
	struct cay_manager_options manager = {
		.state = &d->state,
		.max_sandboxes = d->options.max_sandboxes,
	};

	if (open_state(d, err) < 0 || read_key(d, err) < 0 ||
	    make_agent_file(agent, agent_n, &d->agent_fd, err) < 0)
		return -1;
	d->base = event_base_new();
	if (!d->base)
		return cay_fail(err, CAY_E_SYSTEM, errno, "make the event loop");
	manager.base = d->base;
	manager.cache_dir = d->cache_dir;
	manager.agent_exe_fd = d->agent_fd;
	if (cay_manager_create(&manager, &d->api.manager, err) < 0)
		return -1;
	set_access(d);
	d->api.started_ns = cay_clock_ns();
	if (cay_api_create(d->base, &d->api, err) < 0)
		return -1;
	for (char **where = d->options.listen; *where; where++)
		if (listen_on(d, *where, err) < 0)
			return -1;
	return 0;
}

static void run(struct daemon *d)
{
	d->sigterm = evsignal_new(d->base, SIGTERM, on_signal, d);
	d->sigint = evsignal_new(d->base, SIGINT, on_signal, d);
	d->deadline = evtimer_new(d->base, on_deadline, d);
	event_add(d->sigterm, NULL);
	event_add(d->sigint, NULL);
	for (char *line = d->urls.data, *end; (end = strchr(line, '\n')); line = end + 1)
		fprintf(stderr, "cay: listening on %.*s\n", (int)(end - line), line);
	event_base_dispatch(d->base);
}

static void finish(struct daemon *d)
{
	struct event *events[] = {d->sigterm, d->sigint, d->deadline};

	cay_http_server_destroy(d->api.server);
	cay_manager_destroy(d->api.manager);
	for (size_t i = 0; i < CAY_LEN(events); i++)
		if (events[i])
			event_free(events[i]);
	if (d->base)
		event_base_free(d->base);
	for (char **where = d->options.listen; where && *where; where++)
		if (d->base && cay_text_starts_with(*where, "unix:"))
			unlink(*where + 5);
	cay_cleanup_close(&d->agent_fd);
	cay_state_close(&d->state);
	free(d->cache_dir);
	cay_strv_free(d->api.access.hosts);
	cay_buf_fini(&d->urls);
	explicit_bzero(d->key, sizeof(d->key));
	cay_serve_options_fini(&d->options);
}

static int report(const struct cay_error *err)
{
	fprintf(stderr, "cay: %s\n", err->msg);
	if (err->hint[0])
		fprintf(stderr, "cay: hint: %s\n", err->hint);
	return cay_error_exit_status(err->code);
}

static int show_help(void)
{
	auto_buf struct cay_buf help;

	cay_buf_init(&help, HELP_MAX);
	cay_serve_options_help(&help);
	return fputs(help.data, stdout) < 0 || fflush(stdout) != 0;
}

int cay_serve(char *const *argv, const void *agent, size_t agent_n)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct daemon d = {
		.agent_fd = -1,
		.state = {.dir_fd = -1, .lock_fd = -1, .sandboxes_fd = -1},
	};
	struct cay_error err = {};
	int status = 0;

	if (cay_serve_options_parse(argv, &d.options, &err) < 0)
		return report(&err);
	if (d.options.help) {
		cay_serve_options_fini(&d.options);
		return show_help();
	}
	cay_log_setup(d.options.log_level, d.options.log_json);
	cay_buf_init(&d.urls, URL_MAX * 16);
	sigaction(SIGPIPE, &ignore, NULL);
	umask(077);
	raise_descriptor_limit();
	if (start(&d, agent, agent_n, &err) < 0)
		status = report(&err);
	else
		run(&d);
	finish(&d);
	return status;
}
