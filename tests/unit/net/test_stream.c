/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies that flow: uploads, downloads, files and ranges, server-sent events, back-pressure. */
#include <sys/mman.h>

#include "base/fd.h"

#include "net_test.h"

#define CLOSE "Host: x\r\nConnection: close\r\n\r\n"

static struct cay_http_req *held;
static size_t received;
static int ends, closes, drains;
static bool more;
static unsigned sum; /* of the bytes received: order does not matter, loss does */

static int on_data(struct cay_http_req *req, const void *data, size_t n, void *arg,
		   struct cay_error *err)
{
	const unsigned char *p = data;

	received += n;
	for (size_t i = 0; i < n; i++)
		sum += p[i];
	if (arg)
		cay_http_pause(req);
	return 0;
}

static void on_end(struct cay_http_req *req, void *arg)
{
	char text[40];

	ends++;
	snprintf(text, sizeof(text), "took %zu", received);
	cay_http_reply(req, 200, NULL, text, strlen(text));
}

static int refuse_data(struct cay_http_req *req, const void *data, size_t n, void *arg,
		       struct cay_error *err)
{
	return cay_fail(err, CAY_E_DENIED, 0, "not this");
}

static void on_close(struct cay_http_req *req, void *arg)
{
	held = NULL;
	closes++;
}

static void on_drain(struct cay_http_req *req, void *arg)
{
	drains++;
}

static const struct cay_http_body_ops take = {on_data, on_end};
static const struct cay_http_body_ops refuse = {refuse_data, on_end};

static void upload(struct cay_http_req *req)
{
	cay_http_receive(req, &take, NULL);
}

static void upload_stepwise(struct cay_http_req *req)
{
	static int step;

	held = req;
	cay_http_on_close(req, on_close, NULL);
	cay_http_receive(req, &take, &step);
}

static void hold(struct cay_http_req *req)
{
	held = req;
	cay_http_on_close(req, on_close, NULL);
	cay_http_on_drain(req, on_drain, NULL);
}

static void upload_refused(struct cay_http_req *req)
{
	cay_http_receive(req, &refuse, NULL);
}

static void answer_at_once(struct cay_http_req *req)
{
	cay_http_reply(req, 200, NULL, "early", 5);
}

static void pieces(struct cay_http_req *req)
{
	cay_http_start(req, 200, "text/plain", -1);
	cay_http_send(req, "one", 3);
	cay_http_send(req, "", 0);
	cay_http_send(req, "two", 3);
	cay_http_end(req);
}

static void sized(struct cay_http_req *req)
{
	cay_http_start(req, 200, "text/plain", 5);
	cay_http_send(req, "toolong", 7);
	cay_http_end(req);
}

static void too_short(struct cay_http_req *req)
{
	cay_http_start(req, 200, "text/plain", 5);
	cay_http_send(req, "abc", 3);
	cay_http_end(req);
}

static void events(struct cay_http_req *req)
{
	cay_http_sse_start(req);
	cay_http_sse_send(req, "out", "7", "a\nb\r\nc\rd", 8);
	cay_http_sse_send(req, NULL, NULL, "", 0);
	cay_http_sse_send(req, NULL, NULL, NULL, 0);
	cay_http_sse_send(req, NULL, NULL, "{}\n", 3);
	cay_http_end(req);
}

static int file_of(const char *text, size_t n)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	if (cay_fd_write_all(fd, text, n) < 0)
		_exit(1);
	return fd;
}

static void ten(struct cay_http_req *req)
{
	cay_http_reply_file(req, "text/plain", file_of("0123456789", 10), 10);
}

static void shrunk(struct cay_http_req *req)
{
	cay_http_reply_file(req, "text/plain", file_of("0123456789", 10), 20);
}

static void proc(struct cay_http_req *req)
{
	cay_http_reply_file(req, "text/plain", open("/proc/self/stat", O_RDONLY | O_CLOEXEC), 20);
}

enum { BIG = 64 << 20 };

static void big(struct cay_http_req *req)
{
	int fd = memfd_create("big", MFD_CLOEXEC);

	if (ftruncate(fd, BIG) < 0)
		_exit(1);
	cay_http_reply_file(req, NULL, fd, BIG);
}

static const struct cay_http_route routes[] = {
	{"PUT", "/upload", upload, CAY_HTTP_STREAM},
	{"PUT", "/limited", upload, CAY_HTTP_STREAM, 10},
	{"PUT", "/step", upload_stepwise, CAY_HTTP_STREAM},
	{"*", "/hold", hold, CAY_HTTP_STREAM},
	{"PUT", "/refused", upload_refused, CAY_HTTP_STREAM},
	{"PUT", "/early", answer_at_once, CAY_HTTP_STREAM},
	{"GET", "/pieces", pieces},
	{"GET", "/sized", sized},
	{"GET", "/short", too_short},
	{"GET", "/events", events},
	{"GET", "/ten", ten},
	{"GET", "/shrunk", shrunk},
	{"GET", "/proc", proc},
	{"GET", "/big", big},
	{},
};

static void begin(void)
{
	start_routes(routes);
	received = 0;
	sum = 0;
	ends = closes = drains = 0;
	held = NULL;
}

static void check_answer(const char *request, int status, const char *part)
{
	char *answer = ask(request);

	CHECK_INT(status_of(answer), status);
	CHECK(has(answer, part));
	free(answer);
}

/* Bytes of memory that this process has; it goes back to what it was only in part under sanitizers,
 * so what is looked for is much larger. */
static size_t memory(void)
{
	size_t total = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f || fscanf(f, "%zu %zu", &total, &resident) != 2)
		printf("Bail out! /proc/self/statm\n");
	if (f)
		fclose(f);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

enum { FLAT = 6 << 20 };

static void takes_uploads(void)
{
	begin();
	check_answer("PUT /upload HTTP/1.1\r\nContent-Length: 4\r\n" CLOSE "abcd", 200, "took 4");
	received = 0;
	check_answer("PUT /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE
		     "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
		     200, "took 3");
	received = 0;
	check_answer("PUT /upload HTTP/1.1\r\n" CLOSE, 200, "took 0");
	check_answer("PUT /refused HTTP/1.1\r\nContent-Length: 4\r\n" CLOSE "abcd", 403,
		     "not this");
	check_answer("PUT /limited HTTP/1.1\r\nContent-Length: 11\r\n" CLOSE "abcd", 413,
		     "11 bytes");
	check_answer("PUT /limited HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE
		     "b\r\nabcdefghijk\r\n0\r\n\r\n",
		     413, "larger than 10 bytes");
	CHECK_INT(ends, 3);
	stop();
}

static void keeps_memory_flat_in_a_large_upload(void)
{
	static unsigned char piece[1 << 20];
	size_t before, most = 0;
	unsigned want = 0;
	struct client c;

	begin();
	client_open(&c);
	client_send(&c, "PUT /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 67108864\r\n\r\n");
	settle();
	before = memory();
	for (int i = 0; i < 64; i++) {
		memset(piece, i, sizeof(piece));
		want += (unsigned)i * sizeof(piece);
		client_send_n(&c, piece, sizeof(piece));
		most = CAY_MAX(most, memory());
	}
	client_wait(&c, "took 67108864");
	CHECK_INT(sum, want);
	CHECK(most < before + FLAT);
	client_close(&c);
	stop();
}

static void takes_a_body_only_when_the_handler_wants_it(void)
{
	struct client c;
	int steps = 0;

	begin();
	client_open(&c);
	client_send(&c, "PUT /hold HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd");
	while (!held)
		turn();
	settle();
	CHECK_INT(received, 0);
	cay_http_receive(held, &take, NULL);
	client_wait(&c, "took 4");
	cay_buf_clear(&c.in);
	received = 0;
	client_send(&c, "PUT /step HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
			"1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n");
	while (!received)
		turn();
	for (; ends < 2 && steps < 10; steps++) {
		settle();
		CHECK_INT(received, CAY_MIN(steps + 1, 3));
		CHECK_INT(ends, 1);
		cay_http_resume(held);
		settle();
	}
	client_wait(&c, "took 3");
	CHECK_INT(steps, 3);
	client_close(&c);
	stop();
}

static void asks_for_an_expected_body(void)
{
	struct client c;

	begin();
	client_open(&c);
	client_send(&c, "PUT /hold HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
			"Content-Length: 4\r\n\r\n");
	while (!held)
		turn();
	CHECK_INT(c.in.len, 0);
	cay_http_receive(held, &take, NULL);
	client_wait(&c, "HTTP/1.1 100 Continue\r\n\r\n");
	client_send(&c, "abcd");
	client_wait(&c, "took 4");
	cay_buf_clear(&c.in);
	/* Refused before: the body never comes, and the connection is of no more use. */
	client_send(&c, "PUT /early HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
			"Content-Length: 4\r\n\r\n");
	client_wait_end(&c);
	CHECK(has(c.in.data, "Connection: close\r\n\r\nearly"));
	CHECK(!strstr(c.in.data, "100 Continue"));
	client_close(&c);
	stop();
}

static void passes_over_an_unwanted_body(void)
{
	static char piece[1 << 20];
	struct client c;

	begin();
	client_open(&c);
	client_send(&c, "PUT /early HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n");
	client_wait(&c, "early");
	cay_buf_clear(&c.in);
	client_send(&c, "abcdPUT /early HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n");
	client_wait(&c, "Connection: close\r\n\r\nearly");
	for (int i = 0; i < 3 && !c.ended; i++) /* more than anyone reads: the answer survives */
		client_send_n(&c, piece, sizeof(piece));
	client_wait_end(&c);
	client_close(&c);
	stop();
}

static void streams_answers(void)
{
	char *answer;

	begin();
	check_answer("GET /pieces HTTP/1.1\r\n" CLOSE, 200,
		     "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
		     "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
	answer = ask("GET /pieces HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	CHECK(has(answer, "Connection: close\r\n\r\nonetwo"));
	CHECK(!strstr(answer, "Transfer-Encoding"));
	free(answer);
	answer = ask("HEAD /pieces HTTP/1.1\r\n" CLOSE);
	CHECK(!strstr(answer, "one"));
	free(answer);
	check_answer("GET /sized HTTP/1.1\r\n" CLOSE, 200, "\r\n\r\ntoolo");
	answer = ask("GET /short HTTP/1.1\r\nHost: x\r\n\r\n"); /* cut, and the client sees it */
	CHECK(has(answer, "Content-Length: 5\r\n\r\nabc") || !*answer);
	free(answer);
	stop();
}

static void sends_events(void)
{
	begin();
	check_answer("GET /events HTTP/1.0\r\n\r\n", 200,
		     "\r\n\r\nevent: out\nid: 7\ndata: a\ndata: b\ndata: c\ndata: d\n\n"
		     "data: \n\n:\n\ndata: {}\ndata: \n\n");
	check_answer("GET /events HTTP/1.0\r\n\r\n", 200, "Content-Type: text/event-stream\r\n");
	stop();
}

static const struct {
	const char *range;
	int status;
	const char *part;
} ranges[] = {
	{"", 200,
	 "Content-Length: 10\r\nConnection: close\r\nAccept-Ranges: bytes\r\n\r\n0123456789"},
	{"Range: bytes=2-4\r\n", 206, "Content-Range: bytes 2-4/10\r\n\r\n234"},
	{"Range: bytes=7-\r\n", 206, "Content-Range: bytes 7-9/10\r\n\r\n789"},
	{"Range: bytes=7-100\r\n", 206, "Content-Range: bytes 7-9/10\r\n\r\n789"},
	{"Range: bytes=-3\r\n", 206, "Content-Range: bytes 7-9/10\r\n\r\n789"},
	{"Range: bytes=-100\r\n", 206, "Content-Range: bytes 0-9/10\r\n\r\n0123456789"},
	{"Range: bytes=9-9\r\n", 206, "Content-Range: bytes 9-9/10\r\n\r\n9"},
	{"Range: bytes=10-\r\n", 416, "Content-Range: bytes */10\r\n"},
	{"Range: bytes=-0\r\n", 416, "Content-Range: bytes */10\r\n"},
	{"Range: bytes=4-2\r\n", 200, "\r\n\r\n0123456789"},
	{"Range: bytes=1-2,4-5\r\n", 200, "\r\n\r\n0123456789"},
	{"Range: bytes=-\r\n", 200, "\r\n\r\n0123456789"},
	{"Range: bytes=a-b\r\n", 200, "\r\n\r\n0123456789"},
	{"Range: bytes=99999999999999999999-\r\n", 200, "\r\n\r\n0123456789"},
	{"Range: lines=1-2\r\n", 200, "\r\n\r\n0123456789"},
	{"Range: bytes=1-2\r\nIf-Range: \"x\"\r\n", 200, "\r\n\r\n0123456789"},
};

static void answers_ranges(void)
{
	char request[200];

	begin();
	for (size_t i = 0; i < CAY_LEN(ranges); i++) {
		snprintf(request, sizeof(request), "GET /ten HTTP/1.1\r\n%s" CLOSE,
			 ranges[i].range);
		check_answer(request, ranges[i].status, ranges[i].part);
	}
	stop();
}

static void answers_with_odd_files(void)
{
	char *answer;

	begin();
	answer = ask("HEAD /ten HTTP/1.1\r\n" CLOSE);
	CHECK(has(answer, "Content-Length: 10\r\n"));
	CHECK(!strstr(answer, "0123"));
	free(answer);
	answer = ask("GET /shrunk HTTP/1.1\r\nHost: x\r\n\r\n"); /* shorter than it was: cut off */
	CHECK(has(answer, "Content-Length: 20\r\n"));
	CHECK(has(answer, "\r\n\r\n0123456789"));
	free(answer);
	check_answer("GET /proc HTTP/1.1\r\n" CLOSE, 200, "(test_net");
	stop();
}

static void sends_a_large_file_to_a_slow_reader(void)
{
	size_t before;
	struct client c;

	begin();
	client_open(&c);
	c.in.max = BIG + 1000;
	event_del(c.event);
	client_send(&c, "GET /big HTTP/1.1\r\nHost: x\r\n\r\nGET /ten HTTP/1.1\r\n" CLOSE);
	before = memory();
	settle();
	CHECK(memory() < before + FLAT);
	event_add(c.event, NULL);
	client_wait_end(&c);
	CHECK(c.in.len > BIG);
	CHECK(has(c.in.data + c.in.len - 10, "0123456789"));
	client_close(&c);
	stop();
}

static void breaks_an_answer_off(void)
{
	struct client c;

	begin();
	client_open(&c);
	client_send(&c, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
	while (!held)
		turn();
	CHECK(!cay_http_started(held));
	cay_http_start(held, 200, NULL, -1);
	CHECK(cay_http_started(held));
	cay_http_send(held, "half", 4);
	cay_http_abort(held);
	client_wait_end(&c);
	CHECK(has(c.in.data, "\r\n\r\n4\r\nhalf\r\n"));
	CHECK(!strstr(c.in.data, "\r\n0\r\n\r\n"));
	CHECK_INT(closes, 0);
	client_close(&c);
	stop();
}

/* More than the socket takes: send says stop, and on_drain says go on. */
static void tells_a_producer_to_wait(void)
{
	static char piece[64 << 10];
	size_t sent = 0, before;
	struct client c;

	begin();
	client_open(&c);
	event_del(c.event);
	client_send(&c, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
	while (!held)
		turn();
	before = memory();
	cay_http_start(held, 200, NULL, -1);
	do {
		more = cay_http_send(held, piece, sizeof(piece));
		sent += sizeof(piece);
	} while (more);
	CHECK(memory() < before + FLAT);
	settle();
	CHECK_INT(drains, 0);
	event_add(c.event, NULL);
	while (!drains)
		turn();
	CHECK_INT(drains, 1);
	cay_http_end(held);
	held = NULL;
	client_wait(&c, "\r\n0\r\n\r\n");
	CHECK(c.in.len > sent);
	CHECK_INT(closes, 0);
	client_close(&c);
	stop();
}

static void sees_a_client_go_in_the_middle(void)
{
	static char piece[64 << 10];
	struct client c;

	begin();
	client_open(&c); /* while its body is paused, unread bytes in front */
	client_send(&c, "PUT /step HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
	client_send_n(&c, piece, sizeof(piece));
	while (!received)
		turn();
	client_send_n(&c, piece, 1000);
	settle();
	client_close(&c);
	while (!closes)
		turn();
	client_open(&c); /* while the answer streams */
	client_send(&c, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
	while (!held)
		turn();
	cay_http_start(held, 200, NULL, -1);
	cay_http_send(held, "x", 1);
	client_wait(&c, "x\r\n");
	client_close(&c);
	while (closes < 2)
		turn();
	client_open(&c); /* with bytes waiting for it */
	client_send(&c, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
	while (!held)
		turn();
	cay_http_start(held, 200, NULL, -1);
	while (cay_http_send(held, piece, sizeof(piece)))
		;
	client_close(&c);
	while (closes < 3)
		turn();
	CHECK_INT(cay_http_server_connections(server), 0);
	stop();
}

TAP_MAIN({"takes_uploads", takes_uploads},
	 {"keeps_memory_flat_in_a_large_upload", keeps_memory_flat_in_a_large_upload},
	 {"takes_a_body_only_when_the_handler_wants_it",
	  takes_a_body_only_when_the_handler_wants_it},
	 {"asks_for_an_expected_body", asks_for_an_expected_body},
	 {"passes_over_an_unwanted_body", passes_over_an_unwanted_body},
	 {"streams_answers", streams_answers}, {"sends_events", sends_events},
	 {"answers_ranges", answers_ranges}, {"answers_with_odd_files", answers_with_odd_files},
	 {"sends_a_large_file_to_a_slow_reader", sends_a_large_file_to_a_slow_reader},
	 {"breaks_an_answer_off", breaks_an_answer_off},
	 {"tells_a_producer_to_wait", tells_a_producer_to_wait},
	 {"sees_a_client_go_in_the_middle", sees_a_client_go_in_the_middle})
