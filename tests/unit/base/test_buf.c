/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include "tap.h"

static void grows_to_its_maximum_and_no_further(void)
{
	struct cay_buf b;

	cay_buf_init(&b, 10);
	CHECK(cay_buf_puts(&b, "12345") == 0);
	CHECK(cay_buf_puts(&b, "67890") == 0);
	CHECK(!b.overflow);
	CHECK(cay_buf_putc(&b, 'x') == -1);
	CHECK(b.overflow);
	CHECK_STR(b.data, "1234567890");
	cay_buf_fini(&b);
}

static void is_a_string_when_empty(void)
{
	struct cay_buf b;
	char *s;

	cay_buf_init(&b, 10);
	CHECK_STR(b.data, "");
	s = cay_buf_take(&b);
	CHECK_STR(s, "");
	free(s);
	CHECK(cay_buf_append(&b, "", 0) == 0);
	CHECK(cay_buf_printf(&b, "%s", "") == 0);
	CHECK_STR(b.data, "");
	cay_buf_fini(&b);
}

static void printf_refuses_what_does_not_fit(void)
{
	struct cay_buf b;

	cay_buf_init(&b, 8);
	CHECK(cay_buf_printf(&b, "%d", 12345) == 0);
	CHECK(cay_buf_printf(&b, "%d", 12345) == -1);
	CHECK_STR(b.data, "12345");
	CHECK(cay_buf_printf(&b, "%d", 678) == 0);
	CHECK_STR(b.data, "12345678");
	cay_buf_fini(&b);
}

static void consume_keeps_the_rest(void)
{
	struct cay_buf b;

	cay_buf_init(&b, 100);
	cay_buf_puts(&b, "hello world");
	cay_buf_consume(&b, 6);
	CHECK_STR(b.data, "world");
	cay_buf_consume(&b, 100);
	CHECK_INT(b.len, 0);
	cay_buf_fini(&b);
}

TAP_MAIN({"grows_to_its_maximum_and_no_further", grows_to_its_maximum_and_no_further},
	 {"is_a_string_when_empty", is_a_string_when_empty},
	 {"printf_refuses_what_does_not_fit", printf_refuses_what_does_not_fit},
	 {"consume_keeps_the_rest", consume_keeps_the_rest})
