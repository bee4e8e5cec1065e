/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket: frames written by the test against the server's end, and our two ends together. */
#include "net/ws.h"

#include <event2/bufferevent.h>

#include "net/ws_frame.h"

#include "call_test.h"

enum { MESSAGE_MAX = 100000 };

static struct cay_ws *server_ws;
static int messages, closes, close_code, drains;
static bool hold_reading, destroy_in_message;
static struct cay_buf last;

static void on_message(struct cay_ws *ws, bool text, const void *data, size_t n, void *arg)
{
	messages++;
	cay_buf_clear(&last);
	cay_buf_append(&last, data, n);
	if (destroy_in_message) {
		cay_ws_destroy(ws);
		server_ws = NULL;
		return;
	}
	if (n == 3 && !memcmp(data, "bye", 3))
		cay_ws_close(ws, 4001, "as asked");
	else
		cay_ws_send(ws, text, data, n);
	if (hold_reading)
		cay_ws_pause(ws);
}

static void on_drain(struct cay_ws *ws, void *arg)
{
	drains++;
}

static void on_close(struct cay_ws *ws, int code, void *arg)
{
	closes++;
	close_code = code;
	server_ws = NULL;
}

static const struct cay_ws_ops echo_ops = {on_message, on_drain, on_close};

static void echo(struct cay_http_req *req)
{
	server_ws = cay_ws_accept(req, cay_http_header(req, "sec-websocket-protocol"), MESSAGE_MAX,
				  &echo_ops, NULL);
}

static const struct cay_http_route routes[] = {
	{"GET", "/ws", echo, CAY_HTTP_UPGRADE},
	{"GET", "/plain", echo},
	{},
};

#define HANDSHAKE                                                                                  \
	"Host: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"                     \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static void begin(void)
{
	start_routes(routes);
	messages = closes = close_code = drains = 0;
	hold_reading = destroy_in_message = false;
	server_ws = NULL;
	cay_buf_init(&last, 1 << 20);
}

static void finish(void)
{
	cay_buf_fini(&last);
	stop();
}

static void open_ws(struct client *c)
{
	client_open(c);
	client_send(c, "GET /ws HTTP/1.1\r\n" HANDSHAKE "\r\n");
	client_wait(c, "\r\n\r\n");
	CHECK(has(c->in.data, "HTTP/1.1 101 "));
	cay_buf_clear(&c->in);
}

/* One frame from the client, masked. */
static void send_frame(struct client *c, int first_byte, const void *data, size_t n)
{
	static const unsigned char mask[4] = {1, 2, 3, 4};
	unsigned char head[CAY_WS_HEAD_MAX];
	size_t head_n = cay_ws_frame_head(head, 0, n, mask);
	struct cay_buf b;

	head[0] = (unsigned char)first_byte;
	cay_buf_init(&b, 1 << 20);
	cay_buf_append(&b, head, head_n);
	for (size_t i = 0; i < n; i++)
		cay_buf_putc(&b, (char)(((const unsigned char *)data)[i] ^ mask[i & 3]));
	client_send_n(c, b.data, b.len);
	cay_buf_fini(&b);
}

static void expect(struct client *c, const char *bytes, size_t n)
{
	while (!c->ended && c->in.len < n)
		turn();
	CHECK_INT(c->in.len, n);
	CHECK(c->in.len == n && !memcmp(c->in.data, bytes, n));
	cay_buf_clear(&c->in);
}

#define EXPECT(c, text) expect(c, text, sizeof(text) - 1)

static void shakes_hands(void)
{
	char key[29];
	char *answer;
	struct client c;

	begin();
	cay_ws_accept_key("dGhlIHNhbXBsZSBub25jZQ==", key); /* RFC 6455, 1.3 */
	CHECK_STR(key, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	client_open(&c);
	client_send(&c, "GET /ws HTTP/1.1\r\n" HANDSHAKE "Sec-WebSocket-Protocol: p\r\n\r\n"
			"\x81\x82\x01\x02\x03\x04\x69\x6b"); /* a first message at once */
	client_wait(&c, "\r\n\r\n\x81\x02hi");
	CHECK(has(c.in.data, "Upgrade: websocket\r\nConnection: Upgrade\r\n"
			     "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
			     "Sec-WebSocket-Protocol: p\r\n\r\n"));
	client_close(&c);
	while (!closes)
		turn();
	CHECK_INT(close_code, CAY_WS_LOST);
	answer = ask("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	CHECK_INT(status_of(answer), 400);
	free(answer);
	answer = ask("GET /plain HTTP/1.1\r\n" HANDSHAKE "Connection: close\r\n\r\n");
	CHECK_INT(status_of(answer), 400);
	free(answer);
	answer = ask("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\n"
		     "Upgrade: websocket\r\nSec-WebSocket-Version: 8\r\n\r\n");
	CHECK(has(answer, "Sec-WebSocket-Version: 13\r\n"));
	free(answer);
	answer = ask("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\n"
		     "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
		     "Sec-WebSocket-Key: short\r\n\r\n");
	CHECK_INT(status_of(answer), 400);
	free(answer);
	finish();
}

static void echoes(void)
{
	static char large[70000];
	unsigned char head[10] = {0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70};
	struct client c;

	begin();
	open_ws(&c);
	send_frame(&c, 0x81, "h\xc3\xa9", 3);
	EXPECT(&c, "\x81\x03h\xc3\xa9");
	send_frame(&c, 0x82, "\xff\x00\xfe", 3);
	EXPECT(&c, "\x82\x03\xff\x00\xfe");
	send_frame(&c, 0x81, "", 0);
	EXPECT(&c, "\x81\x00");
	send_frame(&c, 0x82, large, 126);
	while (c.in.len < 130)
		turn();
	CHECK(!memcmp(c.in.data, "\x82\x7e\x00\x7e", 4));
	cay_buf_clear(&c.in);
	send_frame(&c, 0x82, large, sizeof(large));
	while (c.in.len < sizeof(large) + 10)
		turn();
	CHECK(!memcmp(c.in.data, head, 10));
	cay_buf_clear(&c.in);
	/* Three fragments, the character across two of them, with a ping between. */
	send_frame(&c, 0x01, "a\xc3", 2);
	send_frame(&c, 0x89, "ping", 4);
	send_frame(&c, 0x00, "\xa9", 1);
	send_frame(&c, 0x8a, "unasked pong", 12);
	send_frame(&c, 0x80, "b", 1);
	EXPECT(&c, "\x8a\x04ping\x81\x04"
		   "a\xc3\xa9"
		   "b");
	CHECK_INT(messages, 6);
	client_close(&c);
	while (!closes)
		turn();
	finish();
}

static void closes_when_asked(void)
{
	struct client c;

	begin();
	open_ws(&c); /* by the client */
	send_frame(&c, 0x88,
		   "\x03\xe8"
		   "done",
		   6);
	EXPECT(&c, "\x88\x02\x03\xe8");
	client_wait_end(&c);
	CHECK_INT(closes, 1);
	CHECK_INT(close_code, 1000);
	client_close(&c);
	open_ws(&c); /* without a code */
	send_frame(&c, 0x88, "", 0);
	EXPECT(&c, "\x88\x00");
	client_wait_end(&c);
	CHECK_INT(close_code, CAY_WS_NO_CODE);
	client_close(&c);
	open_ws(&c); /* by the server */
	send_frame(&c, 0x81, "bye", 3);
	EXPECT(&c, "\x88\x0a\x0f\xa1"
		   "as asked");
	CHECK_INT(closes, 2);
	send_frame(&c, 0x81, "late", 4);
	send_frame(&c, 0x88, "\x0f\xa1", 2);
	client_wait_end(&c);
	CHECK_INT(closes, 3);
	CHECK_INT(close_code, 4001);
	CHECK_INT(messages, 1);
	client_close(&c);
	finish();
}

/* Frames that fail the connection, and the code that says why. */
static const struct {
	const char *bytes;
	size_t n;
	int code;
} bad[] = {
	{"\x81\x02hi", 4, 1002},                        /* not masked */
	{"\xc1\x80\1\2\3\4", 6, 1002},                  /* a reserved bit */
	{"\x83\x80\1\2\3\4", 6, 1002},                  /* no such opcode */
	{"\x8b\x80\1\2\3\4", 6, 1002},                  /* no such control frame */
	{"\x80\x80\1\2\3\4", 6, 1002},                  /* goes on with nothing */
	{"\x01\x80\1\2\3\4\x81\x80\1\2\3\4", 12, 1002}, /* a message within a message */
	{"\x09\x80\1\2\3\4", 6, 1002},                  /* a fragmented ping */
	{"\x89\xfe\x00\x7e\1\2\3\4", 8, 1002},          /* a long ping */
	{"\x82\xfe\x00\x05\1\2\3\4", 8, 1002},          /* a length not written shortest */
	{"\x82\xff\0\0\0\0\0\0\x10\0\1\2\3\4", 14, 1002},
	{"\x82\xff\x80\0\0\0\0\0\0\0\1\2\3\4", 14, 1002}, /* negative */
	{"\x82\xff\0\0\0\0\0\x01\x86\xa1\1\2\3\4", 14, 1009},
	{"\x81\x82\0\0\0\0\xc3\x28", 8, 1007},
	{"\x81\x81\0\0\0\0\xc3", 7, 1007}, /* half a character */
	{"\x88\x81\0\0\0\0\x03", 7, 1002},
	{"\x88\x82\0\0\0\0\x03\xed", 8, 1002}, /* 1005 is never sent */
	{"\x88\x84\0\0\0\0\x03\xe8\xc3\x28", 10, 1007},
};

static void fails_on_bad_frames(void)
{
	struct client c;

	begin();
	for (size_t i = 0; i < CAY_LEN(bad); i++) {
		open_ws(&c);
		client_send_n(&c, bad[i].bytes, bad[i].n);
		client_wait_end(&c);
		CHECK(c.in.len == 4 && c.in.data[0] == '\x88');
		if (c.in.len == 4)
			CHECK_INT((unsigned char)c.in.data[2] << 8 | (unsigned char)c.in.data[3],
				  bad[i].code);
		client_close(&c);
		CHECK_INT(closes, i + 1);
		CHECK_INT(close_code, CAY_WS_LOST);
	}
	CHECK_INT(messages, 0);
	finish();
}

static void bounds_a_message_of_many_fragments(void)
{
	static char piece[30000];
	struct client c;

	begin();
	open_ws(&c);
	send_frame(&c, 0x02, piece, sizeof(piece));
	for (int i = 0; i < 3; i++)
		send_frame(&c, 0x00, piece, sizeof(piece));
	client_wait_end(&c);
	CHECK(c.in.len == 4 && !memcmp(c.in.data, "\x88\x02\x03\xf1", 4)); /* 1009 */
	client_close(&c);
	finish();
}

static void holds_back(void)
{
	static char piece[50000];
	struct client c;
	int sent = 0;

	begin();
	open_ws(&c);
	hold_reading = true; /* the server reads one message at a time */
	send_frame(&c, 0x81, "1", 1);
	send_frame(&c, 0x81, "2", 1);
	while (!messages)
		turn();
	settle();
	CHECK_INT(messages, 1);
	hold_reading = false;
	cay_ws_resume(server_ws);
	EXPECT(&c, "\x81\x01"
		   "1\x81\x01"
		   "2");
	event_del(c.event); /* the client does not read */
	do {                /* until the sockets' own buffers are full too */
		drains = 0;
		while (cay_ws_send(server_ws, false, piece, sizeof(piece)))
			sent++;
		settle();
	} while (drains);
	event_add(c.event, NULL);
	while (!drains)
		turn();
	CHECK_INT(drains, 1);
	client_close(&c);
	while (!closes)
		turn();
	CHECK(sent > 0);
	finish();
}

static void is_destroyed_in_a_message(void)
{
	struct client c;

	begin();
	open_ws(&c);
	destroy_in_message = true;
	send_frame(&c, 0x81, "x", 1);
	client_wait_end(&c);
	CHECK_INT(closes, 0);
	client_close(&c);
	open_ws(&c);
	cay_ws_destroy(server_ws);
	client_wait_end(&c);
	CHECK_INT(closes, 0);
	client_close(&c);
	finish();
}

static int client_messages, client_closes, client_code;

static void client_message(struct cay_ws *ws, bool text, const void *data, size_t n, void *arg)
{
	client_messages++;
	CHECK(n == 5 && !memcmp(data, "hello", 5) && text);
	cay_ws_close(ws, CAY_WS_NORMAL, "enough");
}

static void client_on_close(struct cay_ws *ws, int code, void *arg)
{
	client_closes++;
	client_code = code;
}

static const struct cay_ws_ops client_ops = {client_message, NULL, client_on_close};

static void speaks_to_itself(void)
{
	static const struct cay_header headers[] = {
		{"Connection", "Upgrade"},
		{"Upgrade", "websocket"},
		{"Sec-WebSocket-Version", "13"},
		{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
		{},
	};
	struct record r = {.header_name = "sec-websocket-accept"};
	struct cay_endpoint *e;
	struct cay_ws *ws;

	begin();
	client_messages = client_closes = 0;
	e = endpoint_of_server();
	record_start(
		&r, e,
		&(struct cay_call_options){.target = "/ws", .headers = headers, .upgrade = true});
	record_wait(&r);
	CHECK_INT(r.err.code, CAY_OK);
	CHECK(r.bev != NULL);
	ws = cay_ws_client(r.bev, MESSAGE_MAX, &client_ops, NULL);
	cay_ws_send(ws, true, "hello", 5);
	while (!client_closes || !closes)
		turn();
	CHECK_INT(client_messages, 1);
	CHECK_INT(messages, 1);
	CHECK_INT(close_code, CAY_WS_NORMAL);
	CHECK_INT(client_code, CAY_WS_NORMAL);
	cay_buf_fini(&r.body);
	cay_endpoint_destroy(e);
	finish();
}

TAP_MAIN({"shakes_hands", shakes_hands}, {"echoes", echoes},
	 {"closes_when_asked", closes_when_asked}, {"fails_on_bad_frames", fails_on_bad_frames},
	 {"bounds_a_message_of_many_fragments", bounds_a_message_of_many_fragments},
	 {"holds_back", holds_back}, {"is_destroyed_in_a_message", is_destroyed_in_a_message},
	 {"speaks_to_itself", speaks_to_itself})
