/* SPDX-License-Identifier: Apache-2.0 */
/* A server in front of another: both on one loop, or an upstream whose bytes the test writes. */
#include "call_test.h"

static struct cay_endpoint *upstream;
static int told_status, told;

static void tell(int status, void *arg)
{
	told++;
	told_status = status;
}

static void forward(struct cay_http_req *req)
{
	static const struct cay_header extra[] = {
		{"X-Added", "yes"}, {"X-Secret", NULL}, {"X-Replaced", "new"}, {}};
	char target[300];

	snprintf(target, sizeof(target), "/up/%s%s%s", cay_http_param(req, "rest"),
		 *cay_http_query(req) ? "?" : "", cay_http_query(req));
	cay_proxy(req, upstream, target, extra, tell, NULL);
}

static const struct cay_http_route routes[] = {
	{"*", "/proxy/{rest*}", forward, CAY_HTTP_STREAM | CAY_HTTP_UPGRADE},
	{},
};

static int raw;

static void start_proxy(void)
{
	char url[50];
	uint16_t port;

	start_routes(routes);
	raw = raw_listen(&port);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", port);
	upstream = endpoint(url);
	told = told_status = 0;
}

static void stop_proxy(void)
{
	cay_http_server_destroy(server);
	server = NULL;
	cay_endpoint_destroy(upstream);
	close(raw);
	stop();
}

static void hands_on_heads_and_bodies(void)
{
	struct client c, u;

	start_proxy();
	client_open(&c);
	client_send(&c,
		    "POST /proxy/a%2fb?x=%zz HTTP/1.1\r\nHost: h\r\nX-Secret: s\r\n"
		    "X-Replaced: old\r\nX-Kept: k\r\nConnection: X-Hop, keep-alive\r\nX-Hop: h\r\n"
		    "TE: trailers\r\nContent-Length: 4\r\n\r\nbody");
	raw_accept(&u, raw);
	client_wait(&u, "body");
	CHECK(has(u.in.data, "POST /up/a%2fb?x=%zz HTTP/1.1\r\nHost: h\r\nX-Kept: k\r\n"
			     "X-Added: yes\r\nX-Replaced: new\r\nContent-Length: 4\r\n\r\nbody"));
	client_send(&u, "HTTP/1.1 201 Created\r\nServer-Timing: a;dur=1\r\nSet-Cookie: a\r\n"
			"Set-Cookie: b\r\nKeep-Alive: x\r\nContent-Length: 6\r\n\r\nanswer");
	client_wait(&c, "answer");
	CHECK(has(c.in.data, "HTTP/1.1 201 Created\r\n"));
	CHECK(has(c.in.data, "Content-Length: 6\r\nServer-Timing: a;dur=1\r\nSet-Cookie: a\r\n"
			     "Set-Cookie: b\r\n\r\nanswer"));
	CHECK(!strstr(c.in.data, "Keep-Alive"));
	CHECK_INT(told_status, 201);
	/* Both connections go on. */
	cay_buf_clear(&c.in);
	cay_buf_clear(&u.in);
	client_send(&c, "HEAD /proxy/ HTTP/1.1\r\nHost: h\r\n\r\n");
	client_wait(&u, "\r\n\r\n");
	CHECK(has(u.in.data, "HEAD /up/ HTTP/1.1\r\n"));
	client_send(&u, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
	client_wait(&c, "\r\n\r\n");
	CHECK(has(c.in.data, "Content-Length: 1000\r\n"));
	CHECK(!c.ended);
	CHECK_INT(told, 2);
	client_close(&u);
	client_close(&c);
	stop_proxy();
}

static void streams_chunks_as_they_come(void)
{
	struct client c, u;

	start_proxy();
	client_open(&c);
	client_send(&c, "PUT /proxy/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
			"3\r\nabc\r\n");
	raw_accept(&u, raw);
	client_wait(&u, "3\r\nabc\r\n");
	CHECK(has(u.in.data, "Transfer-Encoding: chunked\r\n"));
	client_send(&c, "2\r\nde\r\n");
	client_wait(&u, "2\r\nde\r\n");
	client_send(&c, "0\r\n\r\n");
	client_wait(&u, "0\r\n\r\n");
	client_send(&u, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
	client_wait(&c, "2\r\nhi\r\n");
	client_send(&u, "0\r\n\r\n");
	client_wait(&c, "0\r\n\r\n");
	CHECK_INT(told_status, 200);
	client_close(&u);
	client_close(&c);
	stop_proxy();
}

static void answers_for_an_upstream_that_is_gone(void)
{
	struct client c, u;

	start_proxy();
	client_open(&c);
	client_send(&c, "GET /proxy/x HTTP/1.1\r\nHost: h\r\n\r\n");
	raw_accept(&u, raw);
	client_close(&u);
	client_wait(&c, "\"unavailable\"");
	CHECK(has(c.in.data, "HTTP/1.1 503 "));
	CHECK_INT(told, 1);
	CHECK_INT(told_status, 0);
	/* In the middle of the answer: the client sees that it is cut. */
	client_send(&c, "GET /proxy/x HTTP/1.1\r\nHost: h\r\n\r\n");
	raw_accept(&u, raw);
	client_wait(&u, "\r\n\r\n");
	client_send(&u, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
	client_wait(&c, "half");
	client_close(&u);
	client_wait_end(&c);
	client_close(&c);
	CHECK_INT(told, 2);
	stop_proxy();
}

static void cancels_when_the_client_goes(void)
{
	struct client c, u;

	start_proxy();
	client_open(&c);
	client_send(&c, "GET /proxy/x HTTP/1.1\r\nHost: h\r\n\r\n");
	raw_accept(&u, raw);
	client_wait(&u, "\r\n\r\n");
	client_close(&c);
	client_wait_end(&u);
	CHECK_INT(told, 1);
	client_close(&u);
	stop_proxy();
}

/* The upstream answers before it has read the body, and closes. */
static void hands_on_an_early_refusal(void)
{
	static char piece[64 << 10];
	struct client c, u;

	start_proxy();
	client_open(&c);
	client_send(&c, "PUT /proxy/x HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n");
	raw_accept(&u, raw);
	client_wait(&u, "\r\n\r\n");
	client_send_n(&c, piece, sizeof(piece));
	client_send(&u,
		    "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno");
	client_close(&u);
	client_wait_end(&c);
	CHECK(has(c.in.data, "HTTP/1.1 403 Forbidden\r\n"));
	CHECK(has(c.in.data, "\r\n\r\nno"));
	CHECK_INT(told_status, 403);
	client_close(&c);
	stop_proxy();
}

#define UPGRADE "Connection: Upgrade\r\nUpgrade: raw\r\n"

static void joins_after_an_upgrade(void)
{
	struct client c, u;

	start_proxy();
	client_open(&c);
	client_send(&c, "GET /proxy/ws HTTP/1.1\r\nHost: h\r\n" UPGRADE "\r\nearly");
	raw_accept(&u, raw);
	client_wait(&u, "\r\n\r\n");
	CHECK(has(u.in.data, UPGRADE));
	client_send(&u, "HTTP/1.1 101 Switching Protocols\r\n" UPGRADE "X-Y: z\r\n\r\nfirst");
	client_wait(&c, "first");
	CHECK(has(c.in.data, "HTTP/1.1 101 Switching Protocols\r\n" UPGRADE "X-Y: z\r\n\r\nfirst"));
	client_wait(&u, "early");
	client_send(&c, "up");
	client_wait(&u, "earlyup");
	client_send(&u, "down");
	client_wait(&c, "firstdown");
	CHECK_INT(cay_http_server_connections(server), 0);
	/* One direction ends; the other goes on until it ends too. */
	shutdown(c.fd, SHUT_WR);
	client_wait_end(&u);
	client_send(&u, "last");
	client_wait(&c, "last");
	CHECK_INT(told, 0);
	client_close(&u);
	client_wait_end(&c);
	CHECK_INT(told, 1);
	CHECK_INT(told_status, 101);
	client_close(&c);
	stop_proxy();
}

static void hands_on_a_refused_upgrade(void)
{
	struct client c, u;

	start_proxy();
	client_open(&c);
	client_send(&c, "GET /proxy/ws HTTP/1.1\r\nHost: h\r\n" UPGRADE "\r\n");
	raw_accept(&u, raw);
	client_wait(&u, "\r\n\r\n");
	client_send(&u, "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno");
	client_wait(&c, "\r\n\r\nno");
	CHECK(!c.ended);
	client_close(&u);
	client_close(&c);
	stop_proxy();
}

/* Neither direction may run ahead of a reader that does not read. */
static void holds_back_both_ways(void)
{
	static char piece[64 << 10];
	struct client c, u;
	size_t sent = 0;
	ssize_t k;

	start_proxy();
	client_open(&c);
	client_send(&c, "GET /proxy/big HTTP/1.1\r\nHost: h\r\n\r\n");
	event_del(c.event); /* the client does not read any more */
	raw_accept(&u, raw);
	client_wait(&u, "\r\n\r\n");
	client_send(&u, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
	for (int idle = 0; idle < 50;) {
		k = send(u.fd, piece, sizeof(piece), MSG_DONTWAIT | MSG_NOSIGNAL);
		idle = k < 0 ? idle + 1 : 0;
		sent += k < 0 ? 0 : (size_t)k;
		settle();
	}
	CHECK(sent < 16 << 20); /* what the sockets' buffers and the high-water mark hold */
	event_add(c.event, NULL);
	while (c.in.len < sent)
		turn();
	client_close(&u);
	client_wait_end(&c);
	client_close(&c);

	client_open(&c);
	client_send(&c, "PUT /proxy/big HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n");
	raw_accept(&u, raw);
	client_wait(&u, "\r\n\r\n");
	event_del(u.event);
	sent = 0;
	for (int idle = 0; idle < 50;) {
		k = send(c.fd, piece, sizeof(piece), MSG_DONTWAIT | MSG_NOSIGNAL);
		idle = k < 0 ? idle + 1 : 0;
		sent += k < 0 ? 0 : (size_t)k;
		settle();
	}
	CHECK(sent < 16 << 20);
	event_add(u.event, NULL);
	cay_buf_clear(&u.in);
	while (u.in.len < sent)
		turn();
	client_close(&c);
	client_wait_end(&u);
	client_close(&u);
	stop_proxy();
}

TAP_MAIN({"hands_on_heads_and_bodies", hands_on_heads_and_bodies},
	 {"streams_chunks_as_they_come", streams_chunks_as_they_come},
	 {"answers_for_an_upstream_that_is_gone", answers_for_an_upstream_that_is_gone},
	 {"cancels_when_the_client_goes", cancels_when_the_client_goes},
	 {"hands_on_an_early_refusal", hands_on_an_early_refusal},
	 {"joins_after_an_upgrade", joins_after_an_upgrade},
	 {"hands_on_a_refused_upgrade", hands_on_a_refused_upgrade},
	 {"holds_back_both_ways", holds_back_both_ways})
