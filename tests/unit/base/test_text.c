/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include "base/buf.h"
#include "tap.h"

static void reads_integers_strictly(void)
{
	static const char *const wrong[] = {
		"",    " 1", "1 ", "+1", "0x10", "1.0", "ten", "-", "99999999999999999999",
		"101", "-1"};
	struct cay_error err = {};
	int64_t v = -7;

	CHECK(cay_text_int("100", "count", 0, 100, &v, &err) == 0);
	CHECK_INT(v, 100);
	for (size_t i = 0; i < CAY_LEN(wrong); i++)
		CHECK(cay_text_int(wrong[i], "count", 0, 100, &v, &err) == -1);
	CHECK_INT(v, 100);
	CHECK_STR(err.msg, "count must be a whole number from 0 to 100, got '-1'");
}

static void reads_sizes(void)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} rows[] = {{"0", 0}, {"512m", 512 << 20}, {"1.5k", 1536}, {"2GiB", 2ull << 30}, {"7b", 7}};
	struct cay_error err = {};
	uint64_t v;

	for (size_t i = 0; i < CAY_LEN(rows); i++) {
		CHECK(cay_text_size(rows[i].text, "size", 1ull << 40, &v, &err) == 0);
		CHECK_INT(v, rows[i].bytes);
	}
	CHECK(cay_text_size("2t", "size", 1ull << 40, &v, &err) == -1);
	CHECK(cay_text_size("-1", "size", 1ull << 40, &v, &err) == -1);
	CHECK(cay_text_size("1x", "size", 1ull << 40, &v, &err) == -1);
	CHECK(cay_text_size("m", "size", 1ull << 40, &v, &err) == -1);
	CHECK(cay_text_size("1e9", "size", 1ull << 40, &v, &err) == -1);
}

static void reads_durations(void)
{
	struct cay_error err = {};
	uint64_t v;

	CHECK(cay_text_duration("1.5", "t", 100000, &v, &err) == 0 && v == 1500);
	CHECK(cay_text_duration("250ms", "t", 100000, &v, &err) == 0 && v == 250);
	CHECK(cay_text_duration("1m", "t", 100000, &v, &err) == 0 && v == 60000);
	CHECK(cay_text_duration("1h", "t", 100000, &v, &err) == -1);
	CHECK(cay_text_duration("nan", "t", 100000, &v, &err) == -1);
}

static void accepts_only_plain_names(void)
{
	static const char *const wrong[] = {"",  "..",  "a..b", ".a",  "-a",
					    "A", "a/b", "a b",  "a\n", "\xc3\xa9"};
	char too_long[65] = "";
	struct cay_error err = {};

	memset(too_long, 'a', 64);
	CHECK(cay_text_name("box-1.x_y", "name", &err) == 0);
	CHECK(cay_text_name(too_long, "name", &err) == -1);
	for (size_t i = 0; i < CAY_LEN(wrong); i++)
		CHECK(cay_text_name(wrong[i], "name", &err) == -1);
}

static void knows_utf8(void)
{
	static const char *const wrong[] = {"\x80", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
					    "\xc3", "\xe2\x82"};

	CHECK(cay_text_is_utf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x8f\x9d", 10));
	for (size_t i = 0; i < CAY_LEN(wrong); i++)
		CHECK(!cay_text_is_utf8(wrong[i], strlen(wrong[i])));
}

static void quotes_what_could_drive_a_terminal(void)
{
	struct cay_buf b;

	cay_buf_init(&b, 1000);
	cay_text_quote(&b, "a\x1b[2J\n\xc2\x9b\xff\xc3\xa9", 11, 100);
	CHECK_STR(b.data, "a\\x1b[2J\\x0a\\xc2\\x9b\\xff\xc3\xa9");
	cay_buf_clear(&b);
	cay_text_quote(&b, "abcdef", 6, 3);
	CHECK_STR(b.data, "abc...");
	cay_buf_fini(&b);
}

static void compares_secrets(void)
{
	CHECK(cay_text_equal_secret("abc", "abc"));
	CHECK(!cay_text_equal_secret("abd", "abc"));
	CHECK(!cay_text_equal_secret("abcabc", "abc"));
	CHECK(!cay_text_equal_secret("", ""));
	CHECK(!cay_text_equal_secret("abc", ""));
}

static void suggests_the_nearest(void)
{
	static const char *const names[] = {"command", "timeout_s", "cwd", NULL};

	CHECK_STR(cay_text_nearest("comand", names), "command");
	CHECK_STR(cay_text_nearest("timeout", names), "timeout_s");
	CHECK(cay_text_nearest("zzz", names) == NULL);
}

TAP_MAIN({"reads_integers_strictly", reads_integers_strictly}, {"reads_sizes", reads_sizes},
	 {"reads_durations", reads_durations},
	 {"accepts_only_plain_names", accepts_only_plain_names}, {"knows_utf8", knows_utf8},
	 {"quotes_what_could_drive_a_terminal", quotes_what_could_drive_a_terminal},
	 {"compares_secrets", compares_secrets}, {"suggests_the_nearest", suggests_the_nearest})
