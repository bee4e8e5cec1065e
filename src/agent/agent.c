/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"

#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include "agent/api/server.h"
#include "agent/service.h"
#include "base/agent_proto.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"

/* ---- start ---- */

/* A write to somebody who has gone is an error of that write. SIGTERM and SIGINT come through the
 * loop. */
static int block_signals(struct cay_error *err)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t mask;
	int fd;

	sigaction(SIGPIPE, &ignore, NULL);
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? cay_fail(err, CAY_E_SYSTEM, errno, "signalfd") : fd;
}

/* Descriptors 0 to 2 are taken, so that no other of ours can become one of them. */
static int open_standard(struct cay_error *err)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (fd < 0)
			return cay_fail(err, CAY_E_SYSTEM, errno, "open /dev/null");
	} while (fd <= STDERR_FILENO);
	close(fd);
	return 0;
}

static int read_config_file(struct cay_agent_config *config, const char *path,
			    struct cay_error *err)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return cay_fail(err, cay_error_from_errno(errno), errno, "open '%.200s'", path);
	return cay_agent_config_read(config, fd, err);
}

static int inherit_config(struct cay_agent_config *config, struct cay_error *err)
{
	int status;

	for (int fd = CAY_AGENT_LISTEN_FD; fd < CAY_AGENT_FIRST_EXTRA_FD; fd++)
		if (cay_fd_set_cloexec(fd, true) < 0)
			return cay_fail(err, CAY_E_INVALID, errno, "descriptor %d", fd);
	status = cay_agent_config_read(config, CAY_AGENT_CONFIG_FD, err);
	close(CAY_AGENT_CONFIG_FD);
	return status;
}

static int make_working_dir(const char *dir, struct cay_error *err)
{
	auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int made = cay_path_mkdirs(root, dir, 0755, CAY_PATH_IN_ROOT);

	if (made < 0)
		return cay_fail(err, cay_error_from_errno(errno), errno,
				"the working folder '%.200s'", dir);
	return 0;
}

static int bare_config(const struct cay_agent_options *o, struct cay_agent_config *config,
		       struct cay_error *err)
{
	const char *key = getenv("SESSION_API_KEY");

	if (key && *key)
		config->session_api_key = cay_strdup(key);
	if (o->config && read_config_file(config, o->config, err) < 0)
		return -1;
	if (o->working_dir && cay_agent_config_set_working_dir(config, o->working_dir, err) < 0)
		return -1;
	return make_working_dir(config->working_dir, err);
}

/* ---- listening ---- */

static int listen_at(struct cay_http_server *http, const char *where, struct cay_error *err)
{
	const char *colon = strrchr(where, ':');
	auto_free char *address = NULL;
	uint16_t taken;
	int64_t port;

	if (cay_text_starts_with(where, "unix:"))
		return cay_http_listen_unix(http, where + strlen("unix:"), err);
	if (!colon)
		return cay_fail(err, CAY_E_INVALID, 0,
				"'%.100s' is neither unix:PATH nor ADDRESS:PORT", where);
	if (cay_text_int(colon + 1, "the port", 1, UINT16_MAX, &port, err) < 0)
		return -1;
	address = where[0] == '[' && colon > where && colon[-1] == ']'
			  ? cay_strndup(where + 1, (size_t)(colon - where) - 2)
			  : cay_strndup(where, (size_t)(colon - where));
	return cay_http_listen_tcp(http, address, (uint16_t)port, &taken, err);
}

static int listen_all(const struct cay_agent_options *o, struct cay_http_server *http,
		      struct cay_error *err)
{
	if (o->inherit)
		return cay_http_listen_fd(http, CAY_AGENT_LISTEN_FD, err);
	for (size_t i = 0; i < o->n_listen; i++)
		if (listen_at(http, o->listen[i], err) < 0)
			return -1;
	return 0;
}

/* The descriptor stays open: its end of file means that we are gone. */
static int say_hello(struct cay_error *err)
{
	const struct cay_agent_hello hello = {.magic = CAY_AGENT_MAGIC,
					      .proto_version = CAY_AGENT_PROTO_VERSION};

	if (cay_fd_write_all(CAY_AGENT_STATUS_FD, &hello, sizeof(hello)) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "say that the agent is ready");
	return 0;
}

/* ---- run ---- */

static void on_end_signal(int fd, short what, void *arg)
{
	struct signalfd_siginfo info;

	(void)what;
	if (read(fd, &info, sizeof(info)) == sizeof(info))
		event_base_loopbreak(arg);
}

static int serve(const struct cay_agent_options *o, struct cay_service *service, int signal_fd,
		 struct cay_error *err)
{
	struct cay_agent_server *server = NULL;
	struct event *end;
	int status;

	if (cay_agent_server_create(service, &server, err) < 0)
		return -1;
	status = listen_all(o, server->http, err);
	if (status == 0 && o->inherit)
		status = say_hello(err);
	if (status == 0) {
		end = event_new(service->base, signal_fd, EV_READ, on_end_signal, service->base);
		event_add(end, NULL);
		event_base_dispatch(service->base);
		event_free(end);
	}
	cay_agent_server_destroy(server);
	return status;
}

int cay_agent_run(const struct cay_agent_options *options, struct cay_error *err)
{
	auto_close int signal_fd = -1;
	struct cay_agent_config config;
	struct cay_service service;
	int status;

	cay_service_begin(&service);
	umask(022);
	if (open_standard(err) < 0)
		return -1;
	signal_fd = block_signals(err);
	if (signal_fd < 0)
		return -1;
	cay_agent_config_init(&config);
	status = options->inherit ? inherit_config(&config, err)
				  : bare_config(options, &config, err);
	if (status == 0)
		status = cay_service_init(&service, &config, err);
	if (status == 0)
		status = serve(options, &service, signal_fd, err);
	cay_agent_config_fini(&config);
	cay_service_fini(&service);
	return status;
}
