/* SPDX-License-Identifier: Apache-2.0 */
/* The log: one write(2) a line, so that lines of several processes do not mix. A reader that does
 * not read loses lines and is told how many; it never stops the program. */
#include "base/log.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/text.h"

/* A pipe that poll(2) calls writable takes PIPE_BUF bytes at once. A character of text may become
 * six of JSON. */
enum { LINE_MAX_BYTES = PIPE_BUF, TEXT_MAX = 600 };

static enum cay_log_level max_level = CAY_LOG_INFO;
static bool json_lines;
static unsigned lost;

static const char *const names[] = {
	[CAY_LOG_ERROR] = "error",
	[CAY_LOG_WARN] = "warning",
	[CAY_LOG_INFO] = "info",
	[CAY_LOG_DEBUG] = "debug",
};

void cay_log_setup(enum cay_log_level level, bool as_json)
{
	max_level = level;
	json_lines = as_json;
}

static void put_json(struct cay_buf *line, enum cay_log_level level, const char *area,
		     const char *text, const char *when)
{
	auto_json json_t *j =
		json_pack("{s:s, s:s, s:s, s:o}", "time", when, "level", names[level], "area", area,
			  "message", cay_json_bytes(text, strlen(text)));
	auto_free char *s = cay_json_text(j);

	cay_buf_puts(line, s);
}

static void put_line(enum cay_log_level level, const char *area, const char *text)
{
	char when[CAY_CLOCK_TEXT_MAX];
	auto_buf struct cay_buf line;

	cay_buf_init(&line, LINE_MAX_BYTES);
	cay_clock_text(cay_clock_unix_ms(), when);
	if (json_lines) {
		put_json(&line, level, area, text, when);
	} else {
		cay_buf_printf(&line, "%s %s %s: ", when, names[level], area);
		cay_text_quote(&line, text, strlen(text), TEXT_MAX);
	}
	cay_buf_putc(&line, '\n');
	/* A log that cannot be written is no reason to stop. */
	(void)!cay_fd_write_all(STDERR_FILENO, line.data, line.len);
}

static bool would_block(void)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&p, 1, 0) == 0;
}

void cay_log(enum cay_log_level level, const char *area, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	if (level > max_level)
		return;
	if (would_block()) {
		lost++;
		return;
	}
	if (lost) {
		snprintf(text, sizeof(text), "%u lines were lost: nobody read them", lost);
		lost = 0;
		put_line(CAY_LOG_WARN, "log", text);
		if (would_block()) {
			lost = 1;
			return;
		}
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put_line(level, area, text);
}
