/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP client, against the real server and against one whose bytes the test writes. */
#include <sys/stat.h>

#include "base/mem.h"

#include "call_test.h"

static int served;
static char last_peer[100];

static void hello(struct cay_http_req *req)
{
	served++;
	snprintf(last_peer, sizeof(last_peer), "%s", cay_http_peer(req));
	cay_http_set(req, "X-Seen", cay_http_header(req, "x-key") ? "key" : "none");
	cay_http_reply(req, 200, "text/plain", "hello", 5);
}

static void echo(struct cay_http_req *req)
{
	size_t n;
	const char *body = cay_http_body(req, &n);

	cay_http_reply(req, 201, NULL, body, n);
}

static void echo_json(struct cay_http_req *req)
{
	cay_http_reply_json(req, 200, json_incref(cay_http_json(req)));
}

static void fails(struct cay_http_req *req)
{
	struct cay_error err;

	cay_fail(&err, CAY_E_NO_COMMAND, 0, "no such thing");
	cay_fail_hint(&err, "look elsewhere");
	cay_http_reply_error(req, &err);
}

static void plain_failure(struct cay_http_req *req)
{
	cay_http_reply(req, 401, "text/plain", "go away", 7);
}

static void nothing(struct cay_http_req *req)
{
	cay_http_reply_empty(req, 204);
}

static struct cay_http_req *held;

static void on_close(struct cay_http_req *req, void *arg)
{
	held = NULL;
}

static void hold(struct cay_http_req *req)
{
	held = req;
	cay_http_on_close(req, on_close, NULL);
}

static const struct cay_http_route routes[] = {
	{"GET", "/", hello},
	{"POST", "/echo", echo, CAY_HTTP_BODY},
	{"POST", "/json", echo_json, CAY_HTTP_JSON},
	{"GET", "/fails", fails},
	{"GET", "/plain", plain_failure},
	{"GET", "/nothing", nothing},
	{"GET", "/hold", hold},
	{},
};

static void gets_and_reuses(void)
{
	struct record one = {.header_name = "x-seen"}, two = {.header_name = "x-seen"};
	struct cay_endpoint *e;
	char first_peer[100];

	start_routes(routes);
	e = endpoint_of_server();
	record_start(&one, e, &(struct cay_call_options){.target = "/"});
	record_wait(&one);
	CHECK_INT(one.status, 200);
	CHECK_INT(one.err.code, CAY_OK);
	CHECK_STR(one.body.data, "hello");
	CHECK_STR(one.header, "none");
	memcpy(first_peer, last_peer, sizeof(last_peer));
	cay_endpoint_set(e, "X-Key", "a");
	cay_endpoint_set(e, "x-key", "b");
	record_start(&two, e, &(struct cay_call_options){.target = "/"});
	record_wait(&two);
	CHECK_STR(two.header, "key");
	CHECK_STR(last_peer, first_peer);
	CHECK_INT(cay_http_server_connections(server), 1);
	cay_buf_fini(&one.body);
	cay_buf_fini(&two.body);
	cay_endpoint_destroy(e);
	stop();
}

static void keeps_few_idle_connections(void)
{
	struct record r[12] = {};
	struct cay_endpoint *e;

	start_routes(routes);
	e = endpoint_of_server();
	for (size_t i = 0; i < CAY_LEN(r); i++)
		record_start(&r[i], e, &(struct cay_call_options){.target = "/"});
	for (size_t i = 0; i < CAY_LEN(r); i++) {
		record_wait(&r[i]);
		CHECK_STR(r[i].body.data, "hello");
		cay_buf_fini(&r[i].body);
	}
	while (cay_http_server_connections(server) > 8)
		turn();
	settle();
	CHECK_INT(cay_http_server_connections(server), 8);
	cay_endpoint_destroy(e);
	stop();
}

static void speaks_over_a_unix_socket(void)
{
	char dir[] = "/tmp/cay-net-XXXXXX";
	auto_free char *deep = NULL;
	auto_free char *path = NULL;
	auto_free char *url = NULL;
	struct record r = {};
	struct cay_endpoint *e;
	struct cay_error err;
	struct stat st;

	start_routes(routes);
	CHECK(mkdtemp(dir) != NULL);
	deep = cay_format("%s/%0100d", dir, 0);
	CHECK_INT(mkdir(deep, 0700), 0);
	path = cay_format("%s/x.sock", deep); /* longer than sun_path */
	url = cay_format("unix:%s", path);
	CHECK_INT(cay_http_listen_unix(server, path, &err), 0);
	CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	e = endpoint(url);
	record_start(&r, e, &(struct cay_call_options){.target = "/"});
	record_wait(&r);
	CHECK_INT(r.status, 200);
	CHECK(has(last_peer, "unix uid "));
	cay_buf_fini(&r.body);
	cay_endpoint_destroy(e);
	unlink(path);
	rmdir(deep);
	rmdir(dir);
	stop();
}

static void speaks_ipv6(void)
{
	struct record r = {};
	struct cay_endpoint *e;
	struct cay_error err;
	uint16_t port;
	char url[50];

	start_routes(routes);
	if (cay_http_listen_tcp(server, "::1", 0, &port, &err) < 0) {
		stop();
		SKIP("no IPv6 loopback here");
	}
	snprintf(url, sizeof(url), "http://[::1]:%u", port);
	e = endpoint(url);
	record_start(&r, e, &(struct cay_call_options){.target = "/"});
	record_wait(&r);
	CHECK_INT(r.status, 200);
	CHECK(has(last_peer, "[::1]:"));
	cay_buf_fini(&r.body);
	cay_endpoint_destroy(e);
	stop();
}

static void sends_bodies(void)
{
	struct record whole = {}, sized = {}, chunked = {}, none = {};
	struct cay_endpoint *e;

	start_routes(routes);
	e = endpoint_of_server();
	record_start(&whole, e,
		     &(struct cay_call_options){
			     .method = "POST", .target = "/echo", .body = "abc", .body_n = 3});
	record_start(&sized, e,
		     &(struct cay_call_options){
			     .method = "POST", .target = "/echo", .stream_length = 6});
	cay_call_send(sized.call, "abc", 3);
	cay_call_send(sized.call, "def", 3);
	cay_call_send_end(sized.call);
	record_start(&chunked, e,
		     &(struct cay_call_options){
			     .method = "POST", .target = "/echo", .stream_length = -1});
	cay_call_send(chunked.call, "abc", 3);
	settle();
	cay_call_send(chunked.call, "def", 3);
	cay_call_send_end(chunked.call);
	record_start(&none, e, &(struct cay_call_options){.method = "POST", .target = "/echo"});
	record_wait(&whole);
	record_wait(&sized);
	record_wait(&chunked);
	record_wait(&none);
	CHECK_STR(whole.body.data, "abc");
	CHECK_STR(sized.body.data, "abcdef");
	CHECK_STR(chunked.body.data, "abcdef");
	CHECK_INT(none.status, 201);
	cay_buf_fini(&whole.body);
	cay_buf_fini(&sized.body);
	cay_buf_fini(&chunked.body);
	cay_endpoint_destroy(e);
	stop();
}

static void check_failure(struct cay_endpoint *e, const char *target, unsigned timeout_ms,
			  enum cay_error_code code, const char *msg)
{
	struct record r = {};

	record_start(&r, e, &(struct cay_call_options){.target = target, .timeout_ms = timeout_ms});
	CHECK_INT(r.dones, 0); /* never from within the start */
	record_wait(&r);
	CHECK_INT(r.err.code, code);
	CHECK(has(r.err.msg, msg));
	cay_buf_fini(&r.body);
}

static void reports_failures(void)
{
	struct cay_endpoint *e;
	struct cay_error err;
	char url[50];
	uint16_t port;
	int sock;

	start_routes(routes);
	e = endpoint_of_server();
	check_failure(e, "/hold", 30, CAY_E_TIMEOUT, "30 ms");
	check_failure(e, "no-slash", 0, CAY_E_INVALID, "target");
	check_failure(e, "/a b", 0, CAY_E_INVALID, "target");
	cay_endpoint_set(e, "X-Key", "a\r\nX-Evil: b");
	check_failure(e, "/", 0, CAY_E_INVALID, "X-Key");
	cay_endpoint_destroy(e);
	e = endpoint("unix:/nonexistent/x.sock");
	check_failure(e, "/", 0, CAY_E_UNAVAILABLE, "/nonexistent/x.sock");
	cay_endpoint_destroy(e);
	sock = raw_listen(&port);
	close(sock); /* nobody listens there now */
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", port);
	e = endpoint(url);
	check_failure(e, "/", 0, CAY_E_UNAVAILABLE, "refused");
	cay_endpoint_destroy(e);
	CHECK_INT(cay_endpoint_create(base, "ftp://x", &e, &err), -1);
	stop();
}

static void cancels(void)
{
	struct record r = {}, at_head = {.cancel_at_head = true};
	struct cay_endpoint *e;

	start_routes(routes);
	e = endpoint_of_server();
	held = NULL;
	record_start(&r, e, &(struct cay_call_options){.target = "/hold"});
	while (!held)
		turn();
	cay_call_cancel(r.call);
	while (held) /* the server sees the connection go */
		turn();
	CHECK_INT(r.dones, 0);
	record_start(&at_head, e, &(struct cay_call_options){.target = "/"});
	record_wait(&at_head);
	CHECK_INT(at_head.body.len, 0);
	record_start(&r, e, &(struct cay_call_options){.target = "/hold"});
	cay_endpoint_destroy(e); /* cancels */
	CHECK_INT(r.dones, 0);
	stop();
}

static void pauses(void)
{
	struct record r = {.pause_at_data = true};
	struct cay_endpoint *e;
	struct client s;
	uint16_t port;
	char url[50];
	int sock;

	start_routes(routes);
	sock = raw_listen(&port);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", port);
	e = endpoint(url);
	record_start(&r, e, &(struct cay_call_options){.target = "/"});
	raw_accept(&s, sock);
	client_wait(&s, "\r\n\r\n");
	client_send(&s,
		    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
		    "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n");
	while (!r.body.len)
		turn();
	settle();
	CHECK_STR(r.body.data, "a");
	cay_call_resume(r.call);
	settle();
	CHECK_STR(r.body.data, "ab");
	CHECK_INT(r.dones, 0);
	r.pause_at_data = false;
	cay_call_resume(r.call);
	record_wait(&r);
	CHECK_STR(r.body.data, "abc");
	CHECK_INT(r.heads, 1);
	cay_buf_fini(&r.body);
	client_close(&s);
	close(sock);
	cay_endpoint_destroy(e);
	stop();
}

/* Answers that are not good HTTP, and answers that end with the connection. */
static const struct bad_answer {
	const char *text;
	enum cay_error_code code;
	const char *body;
} bad_answers[] = {
	{"HTTP/1.1 200 OK\r\n\r\nto the end", CAY_OK, "to the end"},
	{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", CAY_E_UNAVAILABLE, "ab"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", CAY_E_UNAVAILABLE,
	 "ab"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", CAY_E_UNAVAILABLE, ""},
	{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
	 CAY_E_UNAVAILABLE, ""},
	{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc", CAY_E_UNAVAILABLE,
	 ""},
	{"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", CAY_E_UNAVAILABLE, ""},
	{"HTTP/1.1 20", CAY_E_UNAVAILABLE, ""},
	{"HTTP/1.1 xyz\r\n\r\n", CAY_E_UNAVAILABLE, ""},
	{"HTTP/2.0 200 OK\r\n\r\n", CAY_E_UNAVAILABLE, ""},
	{"SSH-2.0-OpenSSH\r\n\r\n", CAY_E_UNAVAILABLE, ""},
	{"HTTP/1.1 101 Switching\r\n\r\n", CAY_E_UNAVAILABLE, ""},
	{"", CAY_E_UNAVAILABLE, ""},
	{"HTTP/1.1 204 No Content\r\n\r\n", CAY_OK, ""},
	{"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", CAY_OK, ""},
};

static void survives_bad_answers(void)
{
	struct cay_endpoint *e;
	struct client s;
	uint16_t port;
	char url[50];
	int sock;

	start_routes(routes);
	sock = raw_listen(&port);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", port);
	for (size_t i = 0; i < CAY_LEN(bad_answers); i++) {
		struct record r = {};

		e = endpoint(url);
		record_start(&r, e, &(struct cay_call_options){.target = "/"});
		raw_accept(&s, sock);
		client_wait(&s, "\r\n\r\n");
		client_send(&s, bad_answers[i].text);
		client_close(&s);
		record_wait(&r);
		if (r.err.code != bad_answers[i].code)
			printf("# answer was %s\n", bad_answers[i].text);
		CHECK_INT(r.err.code, bad_answers[i].code);
		CHECK_STR(r.body.data, bad_answers[i].body);
		cay_buf_fini(&r.body);
		cay_endpoint_destroy(e);
	}
	close(sock);
	stop();
}

/* A kept connection that the server closes just as the next request comes. */
static void tries_again_where_a_kept_connection_was_stale(void)
{
	struct record one = {}, two = {};
	struct cay_endpoint *e;
	struct client s, t;
	uint16_t port;
	char url[50];
	int sock;

	start_routes(routes);
	sock = raw_listen(&port);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", port);
	e = endpoint(url);
	record_start(&one, e, &(struct cay_call_options){.target = "/"});
	raw_accept(&s, sock);
	client_wait(&s, "\r\n\r\n");
	client_send(&s, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
	record_wait(&one);
	record_start(&two, e,
		     &(struct cay_call_options){
			     .method = "POST", .target = "/two", .stream_length = -1});
	cay_call_send(two.call, "body", 4);
	cay_call_send_end(two.call);
	client_wait(&s, "body");
	client_close(&s);
	raw_accept(&t, sock);
	client_wait(&t, "0\r\n\r\n");
	CHECK(has(t.in.data, "POST /two HTTP/1.1\r\n"));
	CHECK(has(t.in.data, "\r\n\r\n4\r\nbody\r\n0\r\n\r\n"));
	client_send(&t, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2");
	record_wait(&two);
	CHECK_INT(two.err.code, CAY_OK);
	CHECK_STR(two.body.data, "2");
	client_close(&t);
	cay_buf_fini(&one.body);
	cay_buf_fini(&two.body);
	cay_endpoint_destroy(e);
	close(sock);
	stop();
}

static void exchanges_json(void)
{
	struct cay_endpoint *e;
	struct cay_error err = {};
	json_t *v = NULL;

	start_routes(routes);
	e = endpoint_of_server();
	CHECK_INT(cay_endpoint_json(e, "POST", "/json", json_pack("{s:i}", "a", 1), 5000, &v, &err),
		  0);
	CHECK_INT(json_integer_value(json_object_get(v, "a")), 1);
	json_decref(v);
	CHECK_INT(cay_endpoint_json(e, "GET", "/fails", NULL, 5000, &v, &err), -1);
	CHECK_INT(err.code, CAY_E_NO_COMMAND);
	CHECK_STR(err.msg, "no such thing");
	CHECK_STR(err.hint, "look elsewhere");
	CHECK_INT(cay_endpoint_json(e, "GET", "/plain", NULL, 5000, &v, &err), -1);
	CHECK_INT(err.code, CAY_E_UNAUTHORIZED);
	CHECK_INT(cay_endpoint_json(e, "GET", "/", NULL, 5000, &v, &err), -1);
	CHECK_INT(err.code, CAY_E_UNAVAILABLE);
	CHECK_INT(cay_endpoint_json(e, "GET", "/nothing", NULL, 5000, &v, &err), 0);
	CHECK(v == NULL);
	CHECK_INT(cay_endpoint_json(e, "GET", "/hold", NULL, 20, &v, &err), -1);
	CHECK_INT(err.code, CAY_E_TIMEOUT);
	cay_endpoint_destroy(e);
	stop();
}

TAP_MAIN({"gets_and_reuses", gets_and_reuses},
	 {"keeps_few_idle_connections", keeps_few_idle_connections},
	 {"speaks_over_a_unix_socket", speaks_over_a_unix_socket}, {"speaks_ipv6", speaks_ipv6},
	 {"sends_bodies", sends_bodies}, {"reports_failures", reports_failures},
	 {"cancels", cancels}, {"pauses", pauses}, {"survives_bad_answers", survives_bad_answers},
	 {"tries_again_where_a_kept_connection_was_stale",
	  tries_again_where_a_kept_connection_was_stale},
	 {"exchanges_json", exchanges_json})
