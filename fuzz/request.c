/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's bytes into the HTTP server, through a socket: heads, framing, routes, every way to take
 * a body, pipelining. What comes back must not depend on how the bytes were split, and nothing may
 * be left when the client has gone.
 */
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "net/http_impl.h"

#include "fuzz.h"

enum {
	INPUT_MAX = 32 << 10, /* fits the socket: one writer and reader in one thread */
	TURNS = 6,
	STEPS = 4,
};

static struct event_base *base;
static struct cay_http_server *server;

/* One date in all answers, so that they can be compared. */
static void set_date(struct cay_http_req *req)
{
	cay_http_set(req, "Date", "now");
}

static void answer_error(struct cay_http_req *req, const struct cay_error *err)
{
	set_date(req);
	cay_http_reply_error(req, err);
}

static void read_all(struct cay_http_req *req)
{
	const char *name, *value;
	struct cay_error err;
	size_t at = 0;
	int64_t number;

	while (cay_http_header_next(req, &at, &name, &value))
		MUST(strlen(name) > 0 && cay_http_header(req, name));
	MUST(cay_http_path(req)[0] == '/' && strlen(cay_http_param(req, "id")) < INPUT_MAX);
	cay_http_query_get(req, "a");
	if (cay_http_query_int(req, "n", -5, 5, 0, &number, &err) == 0)
		MUST(number >= -5 && number <= 5);
}

static void plain(struct cay_http_req *req)
{
	read_all(req);
	set_date(req);
	cay_http_reply(req, 200, "text/plain", "ok", 2);
}

static void body(struct cay_http_req *req)
{
	size_t n;
	const char *data = cay_http_body(req, &n);

	read_all(req);
	MUST(n <= 1000);
	set_date(req);
	cay_http_reply(req, 200, NULL, data, n);
}

static void json(struct cay_http_req *req)
{
	set_date(req);
	cay_http_reply_json(req, 200, json_incref(cay_http_json(req)));
}

static int on_data(struct cay_http_req *req, const void *data, size_t n, void *arg,
		   struct cay_error *err)
{
	MUST(n > 0);
	if (memchr(data, '!', n))
		return cay_fail(err, CAY_E_DENIED, 0, "refused");
	return 0;
}

static void on_end(struct cay_http_req *req, void *arg)
{
	set_date(req);
	cay_http_start(req, 200, NULL, -1);
	cay_http_send(req, "end", 3);
	cay_http_end(req);
}

static const struct cay_http_body_ops ops = {on_data, on_end};

static void stream(struct cay_http_req *req)
{
	read_all(req);
	cay_http_receive(req, &ops, NULL);
}

static void early(struct cay_http_req *req)
{
	set_date(req);
	cay_http_reply_empty(req, 204);
}

static void upgrade(struct cay_http_req *req)
{
	static const char head[] = "HTTP/1.1 101 Switching Protocols\r\n\r\n";

	set_date(req);
	if (cay_http_content_length(req) || !cay_http_header(req, "upgrade")) {
		cay_http_reply_empty(req, 204);
		return;
	}
	bufferevent_free(cay_http_take_over(req, head, sizeof(head) - 1));
}

static const struct cay_http_route routes[] = {
	{"GET", "/", plain},
	{"*", "/x/{id}", plain},
	{"*", "/rest/{rest*}", plain, CAY_HTTP_STREAM},
	{"POST", "/body", body, CAY_HTTP_BODY, 1000},
	{"POST", "/json", json, CAY_HTTP_JSON, 1000},
	{"PUT", "/stream", stream, CAY_HTTP_STREAM, 5000},
	{"PUT", "/early", early, CAY_HTTP_STREAM},
	{"GET", "/up", upgrade, CAY_HTTP_UPGRADE},
	{},
};

static void set_up(void)
{
	static const struct cay_http_route *const tables[] = {routes, NULL};
	struct cay_http_server_options o = {
		.tables = tables, .limits = cay_http_limits_default, .answer_error = answer_error};
	struct cay_error err;

	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	base = event_base_new();
	o.base = base;
	o.limits.head_bytes = 4096;
	o.limits.target_bytes = 1024;
	o.limits.header_count = 30;
	MUST(cay_http_server_create(&o, &server, &err) == 0);
}

static void turn(void)
{
	for (int i = 0; i < TURNS; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void collect(int fd, struct cay_buf *out)
{
	char data[4096];
	ssize_t n;

	while ((n = recv(fd, data, sizeof(data), MSG_DONTWAIT)) > 0)
		cay_buf_append(out, data, (size_t)n);
}

/* The answers to the input, sent in one piece or in several. */
static void run(const uint8_t *data, size_t n, bool split, struct cay_buf *out)
{
	struct pieces p = {.state = (uint32_t)n};
	int pair[2];
	size_t k;

	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	cay_conn_create(server, pair[0], true);
	for (int step = 0; n && split && step < STEPS; step++) {
		k = piece(&p, n);
		send(pair[1], data, k, MSG_NOSIGNAL);
		data += k;
		n -= k;
		turn();
	}
	send(pair[1], data, n, MSG_NOSIGNAL);
	turn();
	collect(pair[1], out);
	turn();
	collect(pair[1], out);
	close(pair[1]);
	turn();
	MUST(cay_http_server_connections(server) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct cay_buf whole, split;

	if (!server)
		set_up();
	if (n > INPUT_MAX)
		return 0;
	cay_buf_init(&whole, 64 << 20);
	cay_buf_init(&split, 64 << 20);
	run(data, n, false, &whole);
	run(data, n, true, &split);
	MUST(whole.len == split.len && !memcmp(whole.data, split.data, whole.len));
	cay_buf_fini(&whole);
	cay_buf_fini(&split);
	return 0;
}
