/* SPDX-License-Identifier: Apache-2.0 */
/* The server as a client sees it: routing, answers, keep-alive, pipelining, refusals. */
#include "net_test.h"

static struct cay_http_req *held;
static int closed;

static void hello(struct cay_http_req *req)
{
	cay_http_reply(req, 200, "text/plain", "hello", 5);
}

static void echo_params(struct cay_http_req *req)
{
	char text[300];
	const char *q = cay_http_query_get(req, "q");

	snprintf(text, sizeof(text), "id=%s rest=%s q=%s path=%s", cay_http_param(req, "id"),
		 cay_http_param(req, "rest"), q ? q : "-", cay_http_path(req));
	cay_http_set(req, "X-Extra", "yes");
	cay_http_timing(req, "work", 1500000);
	cay_http_reply(req, 200, "text/plain", text, strlen(text));
}

static void echo_body(struct cay_http_req *req)
{
	size_t n;
	const char *body = cay_http_body(req, &n);

	cay_http_reply(req, 200, NULL, body, n);
}

static void echo_json(struct cay_http_req *req)
{
	cay_http_reply_json(req, 200, json_pack("[O?]", cay_http_json(req)));
}

static void headers(struct cay_http_req *req)
{
	const char *x = cay_http_header(req, "x-a");
	char text[200];

	snprintf(text, sizeof(text), "x-a=%s peer=%s length=%d", x ? x : "-", cay_http_peer(req),
		 (int)cay_http_content_length(req));
	CHECK(cay_http_header(req, "X-A") == x);
	cay_http_reply(req, 200, NULL, text, strlen(text));
}

static void on_close(struct cay_http_req *req, void *arg)
{
	held = NULL;
	closed++;
}

static void hold(struct cay_http_req *req)
{
	held = req;
	cay_http_on_close(req, on_close, NULL);
}

static void number(struct cay_http_req *req)
{
	struct cay_error err;
	int64_t n;

	if (cay_http_query_int(req, "n", 1, 10, 5, &n, &err) < 0) {
		cay_http_reply_error(req, &err);
		return;
	}
	cay_http_reply_json(req, 200, json_integer(n));
}

static void nothing(struct cay_http_req *req)
{
	cay_http_reply_empty(req, 204);
}

static const struct cay_http_route routes[] = {
	{"GET", "/", hello},
	{"GET", "/x/{id}", echo_params},
	{"DELETE", "/x/{id}", nothing},
	{"*", "/r/{id}/{rest*}", echo_params},
	{"POST", "/body", echo_body, CAY_HTTP_BODY, 1000},
	{"POST", "/json", echo_json, CAY_HTTP_JSON},
	{"POST", "/json_opt", echo_json, CAY_HTTP_JSON_OPT},
	{"GET", "/headers", headers},
	{"GET", "/hold", hold},
	{"GET", "/number", number},
	{},
};

#define CLOSE "Host: x\r\nConnection: close\r\n\r\n"

static void check_answer(const char *request, int status, const char *part)
{
	char *answer = ask(request);

	if (status_of(answer) != status)
		printf("# request was: %s\n# answer: %s\n", request, answer);
	CHECK_INT(status_of(answer), status);
	CHECK(has(answer, part));
	free(answer);
}

static void answers(void)
{
	char *answer;

	start_routes(routes);
	answer = ask("GET / HTTP/1.1\r\n" CLOSE);
	CHECK_INT(strncmp(answer, "HTTP/1.1 200 OK\r\nDate: ", 23), 0);
	CHECK(has(answer, " GMT\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"
			  "Connection: close\r\n\r\nhello"));
	free(answer);
	answer = ask("HEAD / HTTP/1.1\r\n" CLOSE);
	CHECK(has(answer, "Content-Length: 5\r\nConnection: close\r\n\r\n"));
	CHECK(!strstr(answer, "hello"));
	free(answer);
	answer = ask("DELETE /x/1 HTTP/1.1\r\n" CLOSE);
	CHECK_INT(status_of(answer), 204);
	CHECK(!strstr(answer, "Content-Length"));
	free(answer);
	stop();
}

static void routes_and_decodes(void)
{
	start_routes(routes);
	check_answer("GET /x/a%20b?q=1+2%2B HTTP/1.1\r\n" CLOSE, 200,
		     "X-Extra: yes\r\nServer-Timing: work;dur=1.500\r\n\r\n"
		     "id=a b rest= q=1 2+ path=/x/a b");
	check_answer("PATCH /r/1/p%20q/%2Fz?q=a%00&q=%zz&q=ok HTTP/1.1\r\n" CLOSE, 200,
		     "rest=p%20q/%2Fz q=ok");
	check_answer("GET /r/1?q HTTP/1.1\r\n" CLOSE, 200, "id=1 rest= q= path=/r/1");
	check_answer("GET /none HTTP/1.1\r\n" CLOSE, 404, "\"not_found\"");
	check_answer("PUT /x/1 HTTP/1.1\r\n" CLOSE, 405, "Allow: GET, HEAD, DELETE\r\n");
	check_answer("GET /x/1%2f2 HTTP/1.1\r\n" CLOSE, 400, "encoded");
	check_answer("GET /x/../y HTTP/1.1\r\n" CLOSE, 400, "invalid_argument");
	check_answer("GET /x/%00 HTTP/1.1\r\n" CLOSE, 400, "NUL");
	check_answer("GET /x/1?q=%00 HTTP/1.1\r\n" CLOSE, 400, "NUL");
	check_answer("GET /number HTTP/1.1\r\n" CLOSE, 200, "\r\n\r\n5");
	check_answer("GET /number?n=7 HTTP/1.1\r\n" CLOSE, 200, "\r\n\r\n7");
	check_answer("GET /number?n=11 HTTP/1.1\r\n" CLOSE, 400, "query parameter 'n'");
	check_answer("GET /number?n=1e HTTP/1.1\r\n" CLOSE, 400, "query parameter 'n'");
	stop();
}

static void collects_bodies(void)
{
	start_routes(routes);
	check_answer("POST /body HTTP/1.1\r\nContent-Length: 3\r\n" CLOSE "abc", 200,
		     "\r\n\r\nabc");
	check_answer("POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE
		     "3;ext=1\r\nabc\r\n0a\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n",
		     200, "\r\n\r\nabc0123456789");
	check_answer("POST /body HTTP/1.1\r\n" CLOSE, 200, "Content-Length: 0\r\n");
	check_answer("POST /body HTTP/1.1\r\nContent-Length: 1001\r\n" CLOSE, 413, "too_large");
	stop();
}

static void limits_chunked_bodies(void)
{
	char request[1400];
	size_t n;

	start_routes(routes);
	n = (size_t)snprintf(request, sizeof(request),
			     "POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE
			     "3e9\r\n");
	memset(request + n, 'x', 1001);
	memcpy(request + n + 1001, "\r\n0\r\n\r\n", 8);
	check_answer(request, 413, "larger than 1000 bytes");
	stop();
}

static void parses_json(void)
{
	start_routes(routes);
	check_answer("POST /json HTTP/1.1\r\nContent-Length: 7\r\n" CLOSE "{\"a\":1}", 200,
		     "[{\"a\":1}]");
	check_answer("POST /json HTTP/1.1\r\nContent-Length: 2\r\n" CLOSE "{x", 400,
		     "malformed JSON");
	check_answer("POST /json HTTP/1.1\r\n" CLOSE, 400, "JSON body");
	check_answer("POST /json_opt HTTP/1.1\r\n" CLOSE, 200, "\r\n\r\n[null]");
	check_answer("POST /json_opt HTTP/1.1\r\nContent-Length: 1\r\n" CLOSE "7", 200,
		     "\r\n\r\n[7]");
	stop();
}

static void joins_headers(void)
{
	start_routes(routes);
	check_answer("GET /headers HTTP/1.1\r\nX-A: 1\r\nx-a:  2 \r\nX-a:\r\n" CLOSE, 200,
		     "x-a=1, 2,  peer=127.0.0.1:");
	check_answer("GET /headers HTTP/1.1\r\n" CLOSE, 200, "x-a=- peer");
	stop();
}

/* What makes two readers disagree, and what is no HTTP/1.1: one line each. */
static const struct refusal {
	const char *request, *why;
} refusals[] = {
	{"POST /body HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n" CLOSE, ""},
	{"POST /body HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n" CLOSE "abc", ""},
	{"POST /body HTTP/1.1\r\nContent-Length: 3, 3\r\n" CLOSE "abc", ""},
	{"POST /body HTTP/1.1\r\nContent-Length: +3\r\n" CLOSE "abc", ""},
	{"POST /body HTTP/1.1\r\nContent-Length: -3\r\n" CLOSE "abc", ""},
	{"POST /body HTTP/1.1\r\nContent-Length:\r\n" CLOSE "abc", ""},
	{"POST /body HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n" CLOSE "abc", ""},
	{"POST /body HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n" CLOSE, ""},
	{"POST /body HTTP/1.1\r\nTransfer-Encoding: identity\r\n" CLOSE, ""},
	{"POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
	 "chunked\r\n" CLOSE,
	 ""},
	{"POST /body HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ""},
	{"POST /body HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n" CLOSE, ""},
	{"GET / HTTP/1.1\r\nX: a\r\n b\r\n" CLOSE, "folded"},
	{"GET / HTTP/1.1\r\nX : a\r\n" CLOSE, "name"},
	{"GET / HTTP/1.1\r\n: a\r\n" CLOSE, "name"},
	{"GET / HTTP/1.1\r\nX\r\n" CLOSE, "colon"},
	{"GET / HTTP/1.1\r\nX: a\rb\r\n" CLOSE, "control"},
	{"GET / HTTP/1.1\r\nX: a\x01"
	 "b\r\n" CLOSE,
	 "control"},
	{"GET / HTTP/1.1\nHost: x\n\n", "CR LF"},
	{"GET / HTTP/1.1\r\nHost: x\nX: y\r\n\r\n", "CR LF"},
	{"GET / HTTP/1.1\r\nHost: x\r\n\n", "CR LF"},
	{"GET / HTTP/1.1\r\nX: y\r\n\r\n", "Host"},
	{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "Host"},
	{"GET / HTTP/1.1\r\nAuthorization: a\r\nAuthorization: b\r\n" CLOSE, "Authorization"},
	{"GET /\r\n\r\n", ""},
	{"GET / HTTP/0.9\r\n\r\n", ""},
	{"GET / HTTP/2.0\r\n" CLOSE, ""},
	{"GET  / HTTP/1.1\r\n" CLOSE, ""},
	{"GET / HTTP/1.1 \r\n" CLOSE, ""},
	{" GET / HTTP/1.1\r\n" CLOSE, ""},
	{"GET /a b HTTP/1.1\r\n" CLOSE, ""},
	{"GET /\x80 HTTP/1.1\r\n" CLOSE, "request line"},
	{"NONSENSE / HTTP/1.1\r\n" CLOSE, ""},
	{"GET http://x/ HTTP/1.1\r\n" CLOSE, "whole URL"},
	{"OPTIONS * HTTP/1.1\r\n" CLOSE, ""},
	{"CONNECT x:80 HTTP/1.1\r\n" CLOSE, ""},
	{"\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n", ""},
	{"POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE "x\r\n", "chunked"},
	{"POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE "3\r\nabcd", "chunked"},
	{"POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE "3\nabc\r\n", "chunked"},
	{"POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE "\r\n", "chunked"},
	{"POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE "1000000000000000\r\n",
	 "chunked"},
};

static void refuses_ambiguity(void)
{
	start_routes(routes);
	for (size_t i = 0; i < CAY_LEN(refusals); i++)
		check_answer(refusals[i].request, 400, refusals[i].why);
	while (cay_http_server_connections(server))
		turn();
	stop();
}

static void keeps_alive(void)
{
	struct client c;

	start_routes(routes);
	client_open(&c);
	for (int i = 0; i < 3; i++) {
		client_send(&c, "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
		client_wait(&c, "hello");
		CHECK(!strstr(c.in.data, "Connection:"));
		cay_buf_clear(&c.in);
	}
	/* An error with a known body does not end the connection either. */
	client_send(&c, "POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody");
	client_wait(&c, "not_found");
	client_send(&c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	client_wait(&c, "hello");
	CHECK(!c.ended);
	client_close(&c);
	stop();
}

static void keeps_http_1_0_alive_only_if_asked(void)
{
	struct client c;
	char *answer;

	start_routes(routes);
	answer = ask("GET / HTTP/1.0\r\n\r\n");
	CHECK(has(answer, "Connection: close\r\n"));
	free(answer);
	client_open(&c);
	client_send(&c, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	client_wait(&c, "hello");
	CHECK(has(c.in.data, "Connection: keep-alive\r\n"));
	client_send(&c, "GET /x/2 HTTP/1.0\r\n\r\n");
	client_wait_end(&c);
	CHECK(has(c.in.data, "id=2"));
	client_close(&c);
	stop();
}

static void answers_pipelined_requests_in_order(void)
{
	struct client c;
	struct cay_http_req *req;
	const char *one, *two, *three;

	start_routes(routes);
	held = NULL;
	client_open(&c);
	client_send(&c,
		    "GET /x/one HTTP/1.1\r\nHost: x\r\n\r\nGET /hold HTTP/1.1\r\nHost: x\r\n\r\n"
		    "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nthree"
		    "GET /x/four HTTP/1.1\r\n" CLOSE);
	client_wait(&c, "id=one");
	settle();
	CHECK(held != NULL);
	CHECK(!strstr(c.in.data, "three"));
	req = held;
	cay_http_reply(req, 200, NULL, "two", 3);
	client_wait_end(&c);
	one = strstr(c.in.data, "id=one");
	two = strstr(c.in.data, "two");
	three = strstr(c.in.data, "three");
	CHECK(one && two && three && one < two && two < three && strstr(three, "id=four"));
	client_close(&c);
	stop();
}

static void takes_bytes_one_at_a_time(void)
{
	static const char request[] =
		"POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		"3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: x\r\n\r\n"
		"GET /x/next HTTP/1.1\r\n" CLOSE;
	struct client c;

	start_routes(routes);
	client_open(&c);
	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		client_send_n(&c, request + i, 1);
		settle();
	}
	client_wait_end(&c);
	CHECK(has(c.in.data, "\r\n\r\nabcde"));
	CHECK(has(c.in.data, "id=next"));
	client_close(&c);
	stop();
}

static void tells_of_a_client_that_went_away(void)
{
	struct client c;

	start_routes(routes);
	closed = 0;
	held = NULL;
	client_open(&c);
	client_send(&c, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
	while (!held)
		turn();
	client_close(&c);
	while (held)
		turn();
	CHECK_INT(closed, 1);
	CHECK_INT(cay_http_server_connections(server), 0);
	stop();
}

static void tells_when_the_server_stops(void)
{
	struct client c;

	start_routes(routes);
	closed = 0;
	held = NULL;
	client_open(&c);
	client_send(&c, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
	while (!held)
		turn();
	cay_http_server_destroy(server);
	server = NULL;
	CHECK_INT(closed, 1);
	client_wait_end(&c);
	client_close(&c);
	stop();
}

static void set_flag(void *arg)
{
	*(bool *)arg = true;
}

static void drains(void)
{
	struct client idle, busy;
	bool done = false;

	start_routes(routes);
	held = NULL;
	client_open(&idle);
	client_open(&busy);
	client_send(&idle, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	client_wait(&idle, "hello");
	client_send(&busy, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n" CLOSE);
	while (!held)
		turn();
	cay_http_server_drain(server, set_flag, &done);
	client_wait_end(&idle);
	CHECK(!done);
	cay_http_reply(held, 200, NULL, "last", 4);
	client_wait_end(&busy);
	CHECK(has(busy.in.data, "Connection: close\r\n"));
	CHECK(has(busy.in.data, "last"));
	CHECK(!strstr(busy.in.data, "hello"));
	client_close(&busy);
	while (!done)
		turn();
	client_close(&idle);
	stop();
}

static int admit(struct cay_http_req *req, const struct cay_http_route *route,
		 struct cay_error *err)
{
	const char *key = cay_http_header(req, "x-key");

	if (key && !strcmp(key, "k"))
		return 0;
	return cay_fail(err, CAY_E_UNAUTHORIZED, 0, "no key");
}

static void answer_error(struct cay_http_req *req, const struct cay_error *err)
{
	cay_http_reply(req, cay_error_http_status(err->code), "text/plain", err->msg,
		       strlen(err->msg));
}

static int counted, counted_status;

static void count(struct cay_http_req *req, int status, uint64_t duration_ns)
{
	counted++;
	counted_status = status;
	CHECK(duration_ns < 20000000000u);
}

static void has_hooks(void)
{
	const struct cay_http_route *const tables[] = {routes, NULL};

	start(&(struct cay_http_server_options){
		.tables = tables, .admit = admit, .answer_error = answer_error, .done = count});
	counted = 0;
	check_answer("GET / HTTP/1.1\r\nX-Key: k\r\n" CLOSE, 200, "hello");
	CHECK_INT(counted, 1);
	CHECK_INT(counted_status, 200);
	check_answer("GET /none HTTP/1.1\r\n" CLOSE, 401, "\r\n\r\nno key");
	check_answer("GET /none HTTP/1.1\r\nX-Key: k\r\n" CLOSE, 404, "\r\n\r\nthere is no route");
	check_answer("GET / HTTP/1.1\r\nbad header\r\n\r\n", 400, "\r\n\r\nbad character");
	CHECK_INT(counted, 4);
	stop();
}

TAP_MAIN({"answers", answers}, {"routes_and_decodes", routes_and_decodes},
	 {"collects_bodies", collects_bodies}, {"limits_chunked_bodies", limits_chunked_bodies},
	 {"parses_json", parses_json}, {"joins_headers", joins_headers},
	 {"refuses_ambiguity", refuses_ambiguity}, {"keeps_alive", keeps_alive},
	 {"keeps_http_1_0_alive_only_if_asked", keeps_http_1_0_alive_only_if_asked},
	 {"answers_pipelined_requests_in_order", answers_pipelined_requests_in_order},
	 {"takes_bytes_one_at_a_time", takes_bytes_one_at_a_time},
	 {"tells_of_a_client_that_went_away", tells_of_a_client_that_went_away},
	 {"tells_when_the_server_stops", tells_when_the_server_stops}, {"drains", drains},
	 {"has_hooks", has_hooks})
