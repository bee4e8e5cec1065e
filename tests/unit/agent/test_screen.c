/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/screen.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "tap.h"

enum { ROWS = 5, COLS = 10 };

static void check(struct cay_screen *s, const char *input, const char *want)
{
	struct cay_buf text;

	cay_buf_init(&text, 1 << 20);
	cay_screen_write(s, input, strlen(input));
	cay_screen_text(s, &text);
	CHECK_STR(text.data, want);
	cay_buf_fini(&text);
	cay_screen_reset(s);
}

static void shows_what_a_person_sees(void)
{
	struct cay_screen *s = cay_screen_create(ROWS, COLS);

	check(s, "", "");
	check(s, "hello\r\nworld", "hello\nworld\n");
	check(s, "abc\rX", "Xbc\n");
	check(s, "a\tb", "a       b\n");
	check(s, "\x1b[31mred\x1b[0m \x1b]0;title\x07plain", "red plain\n");
	check(s, "abc\b\b\x1b[K", "a\n");
	check(s, "trailing   \r\n   \r\n\r\n", "trailing\n");
	check(s, "one\x1b[2J\x1b[Htwo", "two\n");
	check(s, "a\x1b[3Cb", "a   b\n");
	check(s, "\xff\xfe!", "\xef\xbf\xbd\xef\xbf\xbd!\n");
	check(s, "e\xcc\x81x", "e\xcc\x81x\n");
	check(s, "\xe4\xb8\xad\xe6\x96\x87.", "\xe4\xb8\xad\xe6\x96\x87.\n");
	check(s, "12345\x1b[3D\x1b[P\x1b[@", "12 45\n");
	check(s, "main\x1b[?1049h\x1b[Hother", "other\n");
	check(s, "main\x1b[?1049h\x1b[Hother\x1b[?1049l", "main\n");
	check(s, "ab\x1b[3b\x1b[bc", "abbbbbc\n");
	check(s, "\x1b[5bx", "x\n");
	check(s, "open \x1b]2;never ended", "open\n");
	check(s, "after", "after\n");
	cay_screen_destroy(s);
}

static void joins_what_the_margin_wrapped(void)
{
	struct cay_screen *s = cay_screen_create(ROWS, COLS);

	check(s, "0123456789abcde\r\nx", "0123456789abcde\nx\n");
	check(s, "0123456789\r\nabc", "0123456789\nabc\n");
	check(s, "0123456789\r\n\r\nabc", "0123456789\n\nabc\n");
	check(s, "01234567890123456789012345678901234567890123456789012345678901\r\nend",
	      "01234567890123456789012345678901234567890123456789012345678901\nend\n");
	/* The text of the first run ends exactly at the margin, in two writes. */
	cay_screen_write(s, "0123456789", 10);
	check(s, "abc", "0123456789abc\n");
	check(s, "123456789\xe4\xb8\xad", "123456789\xe4\xb8\xad\n");
	cay_screen_destroy(s);
}

static void keeps_the_last_lines(void)
{
	struct cay_screen *s = cay_screen_create(ROWS, COLS);
	struct cay_buf text;
	char line[32];
	size_t lines = 0;

	cay_buf_init(&text, 1 << 20);
	for (int i = 1; i <= CAY_SCREEN_HISTORY + ROWS - 1; i++)
		cay_screen_write(s, line, (size_t)snprintf(line, sizeof(line), "%d\r\n", i));
	CHECK(!cay_screen_has_lost(s));
	cay_screen_write(s, "more\r\n", 6);
	CHECK(cay_screen_has_lost(s));
	cay_screen_text(s, &text);
	CHECK(!strncmp(text.data, "2\n3\n", 4));
	for (size_t i = 0; i < text.len; i++)
		lines += text.data[i] == '\n';
	CHECK_INT(lines, CAY_SCREEN_HISTORY + ROWS - 1);
	cay_screen_reset(s);
	CHECK(!cay_screen_has_lost(s));
	check(s, "fresh", "fresh\n");
	cay_buf_fini(&text);
	cay_screen_destroy(s);
}

/* Characters cut anywhere by the ends of writes. */
static void puts_cut_characters_together(void)
{
	static const char text[] = "a\xc3\xa9\xe4\xb8\xad\xf0\x9f\x8e\x89z\xe4\xb8X\xe4";
	struct cay_screen *s = cay_screen_create(ROWS, COLS);

	for (size_t step = 1; step < 6; step++) {
		for (size_t at = 0; at < sizeof(text) - 1; at += step)
			cay_screen_write(s, text + at,
					 step < sizeof(text) - 1 - at ? step
								      : sizeof(text) - 1 - at);
		check(s, "", "a\xc3\xa9\xe4\xb8\xad\xf0\x9f\x8e\x89z\xef\xbf\xbd\xef\xbf\xbdX\n");
	}
	check(s, "fresh", "fresh\n");
	cay_screen_destroy(s);
}

static void counts_only_what_changes(void)
{
	struct cay_screen *s = cay_screen_create(ROWS, COLS);
	uint64_t before;

	cay_screen_write(s, "abc", 3);
	before = cay_screen_changes(s);
	cay_screen_write(s, "\rabc\x1b[K\x1b[31m", 12);
	CHECK_INT(cay_screen_changes(s), before);
	cay_screen_write(s, "d", 1);
	CHECK(cay_screen_changes(s) > before);
	cay_screen_destroy(s);
}

/* Whatever bytes come, in whatever order: no crash, and the text stays UTF-8 of bounded size. The
 * generator is fixed, so a failure comes again. */
static void survives_noise(void)
{
	static const char *const pieces[] = {
		"\x1b[",  "\x1b]",  "\x1b(", ";",    "9",  "99999", "H",    "J",    "r",
		"L",      "M",      "S",     "T",    "\n", "\r",    "\xe4", "\xb8", "a",
		"?1049h", "?1049l", "\x0e",  "\x9b", "@",  "P",     "\t",   "\x18", "h"};
	struct cay_screen *s = cay_screen_create(ROWS, COLS);
	unsigned seed = 12345;
	struct cay_buf text;

	cay_buf_init(&text, 1 << 20);
	for (int i = 0; i < 200000; i++) {
		const char *piece;

		seed = seed * 1103515245 + 12345;
		piece = pieces[(seed >> 16) % (sizeof(pieces) / sizeof(pieces[0]))];
		cay_screen_write(s, piece, strlen(piece));
		if (i % 5000 == 0) {
			cay_buf_clear(&text);
			cay_screen_text(s, &text);
			CHECK(!text.overflow);
		}
	}
	cay_buf_fini(&text);
	cay_screen_destroy(s);
}

TAP_MAIN({"shows_what_a_person_sees", shows_what_a_person_sees},
	 {"joins_what_the_margin_wrapped", joins_what_the_margin_wrapped},
	 {"keeps_the_last_lines", keeps_the_last_lines},
	 {"puts_cut_characters_together", puts_cut_characters_together},
	 {"counts_only_what_changes", counts_only_what_changes}, {"survives_noise", survives_noise})
