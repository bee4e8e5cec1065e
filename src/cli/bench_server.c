/* SPDX-License-Identifier: Apache-2.0 */
/* A server of the benchmark's own, and HTTP to it; see bench_server.h. */
#include "cli/bench_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/place.h"

enum {
	START_TIMEOUT_MS = 10000,
	ANSWER_TIMEOUT_S = 30,
	ANSWER_MAX = 16 << 20,
	LOG_MAX = 64 << 10,
};

/* ---- the server ---- */

static int spawn_server(struct cay_bench_server *s, const char *program, int stderr_fd,
			struct cay_error *err)
{
	auto_free char *state = cay_format("--state=%s", s->state), *name = cay_strdup(program);
	char serve[] = "serve", listen[] = "--listen=127.0.0.1:0";
	char *const argv[] = {name, serve, listen, state, NULL};
	auto_strv char **env =
		cay_env_set(cay_strv_copy((const char *const *)environ), "CAY_API_KEY", s->key);
	posix_spawn_file_actions_t actions;
	int result;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, stderr_fd, 2);
	result = posix_spawn(&s->pid, program, &actions, NULL, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	if (result)
		return cay_fail(err, CAY_E_SYSTEM, result, "cannot execute %s", program);
	return 0;
}

/* Until it says "listening on http://127.0.0.1:PORT". */
static int wait_until_ready(struct cay_bench_server *s, struct cay_error *err)
{
	static const char ready[] = "listening on http://127.0.0.1:";
	uint64_t deadline = cay_clock_ms() + START_TIMEOUT_MS;
	auto_buf struct cay_buf log;
	const char *at, *end;

	cay_buf_init(&log, LOG_MAX);
	for (;;) {
		struct pollfd p = {.fd = s->log_fd, .events = POLLIN};
		char *room = cay_buf_reserve(&log, 4096);
		ssize_t n;

		if (!room || cay_clock_ms() > deadline || poll(&p, 1, START_TIMEOUT_MS) <= 0)
			return cay_fail(err, CAY_E_TIMEOUT, 0, "the server did not get ready");
		n = read(s->log_fd, room, 4096);
		if (n <= 0)
			return cay_fail(err, CAY_E_UNAVAILABLE, 0, "the server ended: %s",
					log.data);
		log.len += (size_t)n;
		log.data[log.len] = '\0';
		at = strstr(log.data, ready);
		end = at ? strchr(at, '\n') : NULL;
		if (end) {
			s->port = (unsigned)strtoul(at + strlen(ready), NULL, 10);
			s->url = cay_format("http://127.0.0.1:%u", s->port);
			return 0;
		}
	}
}

int cay_bench_server_start(struct cay_bench *b, struct cay_error *err)
{
	auto_free char *program = NULL;
	auto_close int stderr_fd = -1;
	struct cay_bench_server *s;
	char key[CAY_KEY_LEN + 1];
	int fds[2];

	if (b->server)
		return 0;
	if (cay_place_find_program("cay-server", &program, err) < 0)
		return -1;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "cannot make a pipe");
	stderr_fd = fds[1];
	s = cay_alloc(sizeof(*s));
	s->log_fd = fds[0];
	s->state = cay_format("%s/state", b->tmp);
	cay_id_random(key, CAY_KEY_LEN);
	s->key = cay_strdup(key);
	b->server = s;
	if (spawn_server(s, program, stderr_fd, err) < 0 ||
	    (close(TAKE_FD(stderr_fd)), wait_until_ready(s, err)) < 0) {
		cay_bench_server_stop(b);
		return -1;
	}
	return 0;
}

void cay_bench_server_stop(struct cay_bench *b)
{
	struct cay_bench_server *s = b->server;

	if (!s)
		return;
	if (s->pid > 0) {
		kill(s->pid, SIGTERM);
		while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close(s->log_fd);
	free(s->state);
	free(s->url);
	free(s->key);
	free(s);
	b->server = NULL;
}

/* ---- HTTP ---- */

static int connect_tcp(unsigned port, int *ret_fd, struct cay_error *err)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int one = 1;
	auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return cay_fail(err, CAY_E_UNAVAILABLE, errno, "cannot reach the server");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int cay_bench_http_open(struct cay_bench_http *h, const char *unix_path, unsigned port,
			const char *header, struct cay_error *err)
{
	const struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};

	h->header = header;
	h->fd = -1;
	cay_buf_init(&h->in, ANSWER_MAX);
	if ((unix_path ? cay_fd_connect_unix(unix_path, &h->fd, err)
		       : connect_tcp(port, &h->fd, err)) < 0)
		return -1;
	setsockopt(h->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	return 0;
}

void cay_bench_http_close(struct cay_bench_http *h)
{
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
	cay_buf_fini(&h->in);
}

static int receive(struct cay_bench_http *h, struct cay_error *err)
{
	char *room = cay_buf_reserve(&h->in, 64 << 10);
	ssize_t n = room ? read(h->fd, room, 64 << 10) : -1;

	if (n <= 0)
		return cay_fail(err, CAY_E_UNAVAILABLE, n < 0 ? errno : 0,
				"the server ended the connection");
	h->in.len += (size_t)n;
	h->in.data[h->in.len] = '\0';
	return 0;
}

/* Both servers answer JSON with a length; what has none has no body. */
static size_t content_length(const char *head, const char *end)
{
	static const char name[] = "content-length:";

	for (const char *p = head; p && p < end; p = strstr(p + 1, "\r\n"))
		if (!strncasecmp(p + 2, name, strlen(name)))
			return strtoul(p + 2 + strlen(name), NULL, 10);
	return 0;
}

static int read_answer(struct cay_bench_http *h, int *ret_status, size_t *ret_body,
		       struct cay_error *err)
{
	const char *end;
	size_t total;

	cay_buf_clear(&h->in);
	do {
		if (receive(h, err) < 0)
			return -1;
		end = strstr(h->in.data, "\r\n\r\n");
	} while (!end);
	*ret_body = (size_t)(end - h->in.data) + 4;
	total = *ret_body + content_length(strstr(h->in.data, "\r\n"), end);
	while (h->in.len < total)
		if (receive(h, err) < 0)
			return -1;
	*ret_status = h->in.len > 12 ? (int)strtol(h->in.data + 9, NULL, 10) : 0;
	return 0;
}

int cay_bench_http_call(struct cay_bench_http *h, const char *method, const char *target,
			const char *body, json_t **ret, uint64_t *ret_ns, struct cay_error *err)
{
	auto_free char *request = cay_format(
		"%s %s HTTP/1.1\r\nHost: localhost\r\n%s%sContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n\r\n%s",
		method, target, h->header ? h->header : "", h->header ? "\r\n" : "",
		body ? strlen(body) : 0, body ? body : "");
	uint64_t start = cay_clock_ns();
	size_t at;
	int status;

	if (cay_fd_write_all(h->fd, request, strlen(request)) < 0)
		return cay_fail(err, CAY_E_UNAVAILABLE, errno, "cannot write to the server");
	if (read_answer(h, &status, &at, err) < 0)
		return -1;
	if (ret_ns)
		*ret_ns = cay_clock_ns() - start;
	if (status < 200 || status > 299)
		return cay_fail(err, CAY_E_SYSTEM, 0, "%s %s: status %d: %.200s", method, target,
				status, h->in.data + at);
	if (ret)
		return cay_json_parse(h->in.data + at, h->in.len - at, ret, err);
	return 0;
}

/* ---- a sandbox ---- */

int cay_bench_sandbox_create(struct cay_bench *b, const char *workspace,
			     struct cay_bench_sandbox *ret, struct cay_error *err)
{
	struct cay_bench_server *server = b->server;
	auto_json json_t *answer = NULL;
	auto_free char *body = NULL, *socket = NULL;
	const char *key;

	*ret = (struct cay_bench_sandbox){.daemon.fd = -1, .agent.fd = -1};
	ret->key_header = cay_format("X-API-Key: %s", server->key);
	body = workspace
		       ? cay_format("{\"workspace\":{\"path\":\"%s\",\"mode\":\"rw\"}}", workspace)
		       : cay_strdup("{}");
	if (cay_bench_http_open(&ret->daemon, NULL, server->port, ret->key_header, err) < 0 ||
	    cay_bench_http_call(&ret->daemon, "POST", "/v1/sandboxes", body, &answer, NULL, err) <
		    0)
		goto failed;
	ret->id = cay_strdup(json_string_value(json_object_get(answer, "id")) ?: "");
	key = json_string_value(json_object_get(answer, "session_api_key"));
	ret->session_header = cay_format("X-Session-API-Key: %s", key ? key : "");
	socket = cay_format("%s/sandboxes/%s/agent.sock", server->state, ret->id);
	if (cay_bench_http_open(&ret->agent, socket, 0, ret->session_header, err) == 0)
		return 0;
failed:
	cay_bench_sandbox_destroy(ret);
	return -1;
}

void cay_bench_sandbox_destroy(struct cay_bench_sandbox *s)
{
	struct cay_error ignored;

	cay_bench_http_close(&s->agent);
	if (s->id && s->daemon.fd >= 0) {
		auto_free char *target = cay_format("/v1/sandboxes/%s", s->id);

		if (cay_bench_http_call(&s->daemon, "DELETE", target, NULL, NULL, NULL, &ignored) <
		    0)
			ignored.code = CAY_OK; /* the server's end takes it along */
	}
	cay_bench_http_close(&s->daemon);
	free(s->id);
	free(s->key_header);
	free(s->session_header);
	*s = (struct cay_bench_sandbox){.daemon.fd = -1, .agent.fd = -1};
}
