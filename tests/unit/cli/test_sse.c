/* SPDX-License-Identifier: Apache-2.0 */
/* cli/sse: events, however they are cut. */
#include "base/mem.h"
#include "cli/sse.h"
#include "tap.h"

static struct cay_buf seen;

static void on_event(const char *event, const char *data, size_t n, void *arg)
{
	CHECK(arg == &seen);
	cay_buf_printf(&seen, "[%s|", event);
	cay_buf_append(&seen, data, n);
	cay_buf_puts(&seen, "]");
}

/* Feeds the text in pieces of `step` bytes. */
static int feed(const char *text, size_t step, size_t max)
{
	struct cay_error err = {};
	struct cay_sse s;
	int result = 0;

	cay_buf_fini(&seen);
	cay_buf_init(&seen, 4096);
	cay_sse_init(&s, max, on_event, &seen);
	for (size_t at = 0, n = strlen(text); at < n && result == 0; at += step)
		result = cay_sse_feed(&s, text + at, CAY_MIN(step, n - at), &err);
	cay_sse_fini(&s);
	return result;
}

static void events(void)
{
	static const char text[] = ": comment\r\n"
				   "event: output\nid: 7\ndata: one\ndata:two\n\n"
				   "data: plain\r\n\r\n"
				   "event: empty\n\n"
				   "data:  two spaces\rretry: 3\rdata\r\r"
				   "event: cut\ndata: never ends";

	for (size_t step = 1; step < sizeof(text); step++) {
		CHECK_INT(feed(text, step, 1000), 0);
		CHECK_STR(seen.data, "[output|one\ntwo][message|plain][message| two spaces\n]");
	}
}

static void too_large(void)
{
	CHECK_INT(feed("data: 0123456789\n\n", 1, 20), 0);
	CHECK_INT(feed("data: 0123456789012345\n\n", 1, 20), -1);
	CHECK_INT(feed("data: 01234\ndata: 01234\ndata: 01234\ndata: 01234\n\n", 7, 20), -1);
	CHECK_STR(seen.data, "");
	cay_buf_fini(&seen);
}

TAP_MAIN({"events", events}, {"too_large", too_large})
