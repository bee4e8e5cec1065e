/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a program prints: no harm, the text is UTF-8 and bounded, and after a reset the screen is
 * as new. */
#include <string.h>

#include "agent/screen.h"
#include "base/buf.h"
#include "base/text.h"

#include "fuzz.h"

enum {
	ROWS = 6,
	COLS = 12,
};

static void check_text(const struct cay_screen *s)
{
	struct cay_buf text;

	cay_buf_init(&text, 64 << 20);
	cay_screen_text(s, &text);
	MUST(!text.overflow);
	MUST(cay_text_is_utf8(text.data, text.len));
	MUST(text.len == strlen(text.data));
	cay_buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct cay_screen *s = cay_screen_create(ROWS, COLS);
	struct pieces p = {.state = (uint32_t)n};
	struct cay_buf text;

	for (size_t at = 0, k; at < n; at += k) {
		k = piece(&p, n - at);
		cay_screen_write(s, data + at, k);
	}
	check_text(s);
	cay_screen_reset(s);
	cay_screen_write(s, "fresh", 5);
	cay_buf_init(&text, 1024);
	cay_screen_text(s, &text);
	MUST(!strcmp(text.data, "fresh\n"));
	cay_buf_fini(&text);
	cay_screen_destroy(s);
	return 0;
}
