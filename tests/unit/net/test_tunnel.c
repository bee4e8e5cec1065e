/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to what lies behind a server that upgrades to a stream: the test is what lies behind. */
#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "call_test.h"

static struct bufferevent *stream; /* our end, once somebody has come through */
static unsigned streams;

static void to_stream(struct cay_http_req *req)
{
	static const char head[] = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
				   "Upgrade: tcp\r\n\r\n";

	CHECK_STR(cay_http_header(req, "upgrade"), "tcp");
	CHECK_STR(cay_http_header(req, "x-key"), "k");
	stream = cay_http_take_over(req, head, sizeof(head) - 1);
	bufferevent_enable(stream, EV_READ | EV_WRITE);
	streams++;
}

static void refuse(struct cay_http_req *req)
{
	struct cay_error err;

	cay_fail(&err, CAY_E_UNAVAILABLE, 0, "nobody listens on port 9");
	cay_http_reply_error(req, &err);
}

static const struct cay_http_route routes[] = {
	{"GET", "/forward/80", to_stream, CAY_HTTP_STREAM | CAY_HTTP_UPGRADE},
	{"GET", "/forward/9", refuse, CAY_HTTP_STREAM | CAY_HTTP_UPGRADE},
	{},
};

static struct cay_endpoint *outer, *tunnel;

static void start_tunnel(const char *target)
{
	start_routes(routes);
	outer = endpoint_of_server();
	cay_endpoint_set(outer, "X-Key", "k");
	tunnel = cay_endpoint_create_tunnel(outer, target);
	streams = 0;
}

static void stop_tunnel(void)
{
	cay_endpoint_destroy(tunnel);
	cay_endpoint_destroy(outer);
	if (stream)
		bufferevent_free(stream);
	stream = NULL;
	settle();
	stop();
}

/* Takes what has come through so far. */
static const char *received(void)
{
	static char text[1000];
	size_t n = bufferevent_read(stream, text, sizeof(text) - 1);

	text[n] = '\0';
	return text;
}

static void wait_for_bytes(size_t n)
{
	while (!stream || evbuffer_get_length(bufferevent_get_input(stream)) < n)
		turn();
}

static void carries_calls_and_is_reused(void)
{
	static const char request[] = "GET /x HTTP/1.1\r\nHost: inner\r\n\r\n";
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	static const struct cay_header headers[] = {{"Host", "inner"}, {}};

	start_tunnel("/forward/80");
	for (int i = 0; i < 3; i++) {
		struct record r = {};

		record_start(&r, tunnel,
			     &(struct cay_call_options){.target = "/x", .headers = headers});
		wait_for_bytes(sizeof(request) - 1);
		CHECK_STR(received(), request);
		bufferevent_write(stream, answer, sizeof(answer) - 1);
		record_wait(&r);
		CHECK_INT(r.err.code, CAY_OK);
		CHECK_INT(r.status, 200);
		CHECK_STR(r.body.data, "ok");
		cay_buf_fini(&r.body);
	}
	CHECK_INT(streams, 1);
	stop_tunnel();
}

static void a_refusal_is_the_answer(void)
{
	struct record r = {};

	start_tunnel("/forward/9");
	record_start(&r, tunnel, &(struct cay_call_options){.target = "/x"});
	record_wait(&r);
	CHECK_INT(r.err.code, CAY_OK);
	CHECK_INT(r.status, 503);
	CHECK(has(r.body.data, "\"unavailable\""));
	CHECK(has(r.body.data, "nobody listens on port 9"));
	cay_buf_fini(&r.body);
	stop_tunnel();
}

static void says_when_the_outer_server_is_gone(void)
{
	struct record r = {};

	start_tunnel("/forward/80");
	cay_http_server_destroy(server);
	server = NULL;
	record_start(&r, tunnel, &(struct cay_call_options){.target = "/x"});
	record_wait(&r);
	CHECK_INT(r.status, 503);
	CHECK(has(r.body.data, "connect to 127.0.0.1"));
	cay_buf_fini(&r.body);
	stop_tunnel();
}

static void may_be_destroyed_before_it_is_open(void)
{
	struct record r = {};

	start_tunnel("/forward/80");
	record_start(&r, tunnel, &(struct cay_call_options){.target = "/x"});
	cay_endpoint_destroy(tunnel);
	tunnel = NULL;
	settle();
	CHECK_INT(r.dones, 0);
	cay_buf_fini(&r.body);
	stop_tunnel();
}

static void the_streams_end_ends_the_call(void)
{
	struct record r = {};

	start_tunnel("/forward/80");
	record_start(&r, tunnel, &(struct cay_call_options){.target = "/x"});
	wait_for_bytes(1);
	bufferevent_free(stream);
	stream = NULL;
	record_wait(&r);
	CHECK_INT(r.err.code, CAY_E_UNAVAILABLE);
	cay_buf_fini(&r.body);
	stop_tunnel();
}

TAP_MAIN({"carries_calls_and_is_reused", carries_calls_and_is_reused},
	 {"a_refusal_is_the_answer", a_refusal_is_the_answer},
	 {"says_when_the_outer_server_is_gone", says_when_the_outer_server_is_gone},
	 {"may_be_destroyed_before_it_is_open", may_be_destroyed_before_it_is_open},
	 {"the_streams_end_ends_the_call", the_streams_end_ends_the_call})
