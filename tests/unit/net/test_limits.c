/* SPDX-License-Identifier: Apache-2.0 */
/* Every limit of the server, and what it does to a client that passes it. */
#include <sys/resource.h>

#include "base/clock.h"

#include "net_test.h"

#define CLOSE "Host: x\r\nConnection: close\r\n\r\n"

static struct cay_http_req *held;

static void hello(struct cay_http_req *req)
{
	cay_http_reply(req, 200, "text/plain", "hello", 5);
}

static void on_close(struct cay_http_req *req, void *arg)
{
	held = NULL;
}

static void hold(struct cay_http_req *req)
{
	held = req;
	cay_http_on_close(req, on_close, NULL);
}

static void echo(struct cay_http_req *req)
{
	size_t n;
	const char *body = cay_http_body(req, &n);

	cay_http_reply(req, 200, NULL, body, n);
}

static const struct cay_http_route routes[] = {
	{"GET", "/", hello},
	{"GET", "/hold", hold},
	{"POST", "/echo", echo, CAY_HTTP_BODY},
	{"PUT", "/stream", hold, CAY_HTTP_STREAM},
	{},
};

static void begin(const struct cay_http_limits *limits)
{
	const struct cay_http_route *const tables[] = {routes, NULL};

	held = NULL;
	start(&(struct cay_http_server_options){.tables = tables, .limits = *limits});
}

static void check_size(size_t target_n, size_t header_n, size_t headers, int status)
{
	struct cay_buf b;
	char *answer;

	cay_buf_init(&b, 1 << 20);
	cay_buf_puts(&b, "GET /?");
	for (size_t i = 0; i < target_n; i++)
		cay_buf_putc(&b, 'a');
	cay_buf_puts(&b, " HTTP/1.1\r\n");
	for (size_t i = 0; i < headers; i++)
		cay_buf_printf(&b, "X-%zu: %0*d\r\n", i, (int)header_n, 0);
	cay_buf_puts(&b, CLOSE);
	answer = ask(b.data);
	if (status_of(answer) != status)
		printf("# target %zu, %zu headers of %zu\n", target_n, headers, header_n);
	CHECK_INT(status_of(answer), status);
	free(answer);
	cay_buf_fini(&b);
}

static void limits_the_head(void)
{
	struct cay_http_limits l = cay_http_limits_default;

	l.head_bytes = 2000;
	l.header_count = 10;
	l.target_bytes = 500;
	begin(&l);
	check_size(400, 1, 1, 200);
	check_size(600, 1, 1, 413);
	check_size(3000, 1, 1, 413);
	check_size(1, 100, 8, 200);
	check_size(1, 100, 9, 413); /* with Host and Connection: 11 */
	check_size(1, 1990, 1, 413);
	check_size(1, 100000, 1, 413);
	stop();
}

static void limits_bodies(void)
{
	struct cay_http_limits l = cay_http_limits_default;
	char *answer;

	l.body_bytes = 3;
	begin(&l);
	answer = ask("POST /echo HTTP/1.1\r\nContent-Length: 3\r\n" CLOSE "abc");
	CHECK_INT(status_of(answer), 200);
	free(answer);
	answer = ask("POST /echo HTTP/1.1\r\nContent-Length: 4\r\n" CLOSE "abcd");
	CHECK_INT(status_of(answer), 413);
	free(answer);
	answer = ask("POST /echo HTTP/1.1\r\nContent-Length: 9000000000000000000\r\n" CLOSE);
	CHECK_INT(status_of(answer), 413);
	free(answer);
	stop();
}

/* Waits for the server's close and returns how long it took. */
static uint64_t wait_for_close(struct client *c)
{
	uint64_t before = cay_clock_ms();

	client_wait_end(c);
	return cay_clock_ms() - before;
}

static void limits_time(void)
{
	struct cay_http_limits l = cay_http_limits_default;
	uint64_t sent_ms = 0;
	struct client c;

	l.head_timeout_ms = 60;
	l.idle_timeout_ms = 120;
	l.body_timeout_ms = 60;
	begin(&l);
	client_open(&c); /* says nothing */
	CHECK(wait_for_close(&c) >= 100);
	CHECK_INT(c.in.len, 0);
	client_close(&c);

	client_open(&c); /* a head that does not end, however busily it goes on */
	client_send(&c, "GET / HTTP/1.1\r\n");
	while (!c.ended) {
		/* One a millisecond: fewer in its time than the limit on their number. */
		if (cay_clock_ms() != sent_ms)
			client_send(&c, "X: y\r\n");
		sent_ms = cay_clock_ms();
		turn();
	}
	CHECK(has(c.in.data, "HTTP/1.1 400 "));
	CHECK(has(c.in.data, "in time"));
	client_close(&c);

	client_open(&c); /* a body that does not come */
	client_send(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab");
	CHECK(wait_for_close(&c) >= 40);
	CHECK(has(c.in.data, "in time"));
	client_close(&c);

	client_open(&c); /* after an answer */
	client_send(&c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	client_wait(&c, "hello");
	CHECK(wait_for_close(&c) >= 100);
	client_close(&c);

	client_open(&c); /* the handler may take its time, and a paused body is not late */
	client_send(&c, "PUT /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na");
	while (!held)
		turn();
	for (uint64_t end = cay_clock_ms() + 200; cay_clock_ms() < end;)
		event_base_loop(base, EVLOOP_NONBLOCK);
	CHECK(held != NULL);
	CHECK(!c.ended);
	client_close(&c);
	while (held)
		turn();
	stop();
}

static void limits_the_time_of_writing(void)
{
	static char piece[64 << 10];
	struct cay_http_limits l = cay_http_limits_default;
	struct client c;

	l.write_timeout_ms = 60;
	begin(&l);
	client_open(&c);
	event_del(c.event);
	client_send(&c, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
	while (!held)
		turn();
	cay_http_start(held, 200, NULL, -1);
	while (cay_http_send(held, piece, sizeof(piece)))
		;
	while (held)
		turn();
	CHECK_INT(cay_http_server_connections(server), 0);
	client_close(&c);
	stop();
}

static void limits_connections(void)
{
	struct cay_http_limits l = cay_http_limits_default;
	struct client idle, busy, third, fourth;

	l.connections = 2;
	begin(&l);
	client_open(&idle);
	client_open(&busy);
	client_send(&busy, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
	while (!held)
		turn();
	CHECK_INT(cay_http_server_connections(server), 2);
	client_open(&third); /* the idle one gives way */
	client_send(&third, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
	client_wait_end(&idle);
	CHECK(!third.ended);
	settle();
	client_open(&fourth); /* nobody gives way */
	client_wait_end(&fourth);
	CHECK(has(fourth.in.data, "\"overloaded\""));
	CHECK_INT(cay_http_server_connections(server), 2);
	client_close(&idle);
	client_close(&busy);
	client_close(&third);
	client_close(&fourth);
	while (cay_http_server_connections(server))
		turn();
	stop();
}

/* Leaves the process one free descriptor, or as many as before. */
static void leave_one_descriptor(bool on)
{
	static struct rlimit before;
	struct rlimit tight;
	int lowest = dup(0);

	if (on)
		getrlimit(RLIMIT_NOFILE, &before);
	tight = before;
	tight.rlim_cur = on ? (rlim_t)lowest + 1 : before.rlim_cur;
	setrlimit(RLIMIT_NOFILE, &tight);
	close(lowest);
}

static void lives_without_descriptors(void)
{
	struct client idle, busy, late;

	begin(&cay_http_limits_default);
	client_create(&idle);
	client_create(&busy);
	client_create(&late);
	leave_one_descriptor(true);
	client_connect(&idle);
	while (!cay_http_server_connections(server))
		turn();
	client_connect(&busy); /* the idle one gives way */
	client_send(&busy, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
	client_wait_end(&idle);
	while (!held)
		turn();
	client_connect(&late); /* nobody does: it waits until the busy one is done */
	client_send(&late, "GET / HTTP/1.1\r\n" CLOSE);
	settle();
	CHECK_INT(cay_http_server_connections(server), 1);
	cay_http_reply(held, 200, NULL, "held", 4);
	client_wait(&busy, "held");
	client_wait(&late, "hello");
	leave_one_descriptor(false);
	client_close(&idle);
	client_close(&busy);
	client_close(&late);
	stop();
}

static void stays_open_for_others_under_half_open_connections(void)
{
	enum { MANY = 1000, DESCRIPTORS = 1400 };
	static struct client c[MANY];
	struct cay_http_limits l = cay_http_limits_default;
	struct rlimit files;
	char *answer;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = CAY_MAX(files.rlim_cur, CAY_MIN(files.rlim_max, (rlim_t)DESCRIPTORS));
	setrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur < DESCRIPTORS)
		SKIP("needs 1400 descriptors (ulimit -Hn)");
	l.connections = 300;
	begin(&l);
	for (int i = 0; i < MANY; i++) {
		client_open(&c[i]);
		client_send(&c[i], i % 2 ? "GET / HTTP/1.1\r\nX: " : "G");
		if (i % 50 == 0)
			settle();
	}
	answer = ask("GET / HTTP/1.1\r\n" CLOSE);
	CHECK_INT(status_of(answer), 200);
	free(answer);
	CHECK(cay_http_server_connections(server) <= 300);
	for (int i = 0; i < MANY; i++)
		client_close(&c[i]);
	while (cay_http_server_connections(server))
		turn();
	stop();
}

TAP_MAIN({"limits_the_head", limits_the_head}, {"limits_bodies", limits_bodies},
	 {"limits_time", limits_time}, {"limits_the_time_of_writing", limits_the_time_of_writing},
	 {"limits_connections", limits_connections},
	 {"lives_without_descriptors", lives_without_descriptors},
	 {"stays_open_for_others_under_half_open_connections",
	  stays_open_for_others_under_half_open_connections})
