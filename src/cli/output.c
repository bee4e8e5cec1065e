/* SPDX-License-Identifier: Apache-2.0 */
/* Tables, facts, JSON and errors for stdout and stderr. Knows no command; see output.h. */
#include "cli/output.h"

#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

enum {
	CELL_MAX = 4096,
	LINE_MAX_BYTES = 16384,
	COLUMNS_MAX = 12,
};

static const char *const styles[] = {
	[CAY_STYLE_PLAIN] = "",       [CAY_STYLE_BOLD] = "\033[1m",  [CAY_STYLE_GOOD] = "\033[32m",
	[CAY_STYLE_BAD] = "\033[31m", [CAY_STYLE_WARN] = "\033[33m", [CAY_STYLE_DIM] = "\033[2m",
};

static bool wants_colour(FILE *f)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return !(no_color && *no_color) && term && strcmp(term, "dumb") != 0 && isatty(fileno(f));
}

const char *cay_output_style(FILE *f, enum cay_style style)
{
	return style != CAY_STYLE_PLAIN && wants_colour(f) ? styles[style] : "";
}

const char *cay_output_style_end(FILE *f)
{
	return wants_colour(f) ? "\033[0m" : "";
}

static void put_quoted(FILE *f, const char *s)
{
	auto_buf struct cay_buf b;

	cay_buf_init(&b, LINE_MAX_BYTES);
	cay_text_quote(&b, s, strlen(s), CELL_MAX);
	fputs(b.data, f);
}

/* JSON escapes the C0 controls; DEL and C1 would pass, so a terminal gets ASCII only. */
static void put_json(FILE *f, const json_t *value)
{
	size_t flags = isatty(fileno(f)) ? JSON_INDENT(2) | JSON_ENSURE_ASCII : JSON_COMPACT;

	json_dumpf(value, f, flags | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	fputc('\n', f);
}

void cay_output_error(const struct cay_error *err, bool json)
{
	fflush(stdout);
	if (json) {
		auto_json json_t *shape = cay_json_error(err);

		put_json(stderr, shape);
		return;
	}
	fprintf(stderr, "%scay:%s ", cay_output_style(stderr, CAY_STYLE_BAD),
		cay_output_style_end(stderr));
	put_quoted(stderr, err->msg);
	if (err->hint[0]) {
		fputs("\n  ", stderr);
		put_quoted(stderr, err->hint);
	}
	fputc('\n', stderr);
}

void cay_output_note(const char *fmt, ...)
{
	auto_buf struct cay_buf text;
	char line[CELL_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	cay_buf_init(&text, LINE_MAX_BYTES);
	cay_text_quote(&text, line, strlen(line), CELL_MAX);
	fprintf(stderr, "cay: %s\n", text.data);
}

int cay_output_end_by_sigpipe(void)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	sigset_t set;

	sigaction(SIGPIPE, &dfl, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(SIGPIPE);
	return 128 + SIGPIPE;
}

void cay_output_json(json_t *value)
{
	put_json(stdout, value);
	json_decref(value);
}

void cay_output_quoted(const char *s)
{
	put_quoted(stdout, s);
}

void cay_output_fact(const char *name, size_t width, const char *value)
{
	if (!value)
		return;
	printf("%s%s:%s%*s", cay_output_style(stdout, CAY_STYLE_BOLD), name,
	       cay_output_style_end(stdout), (int)(width - strlen(name) + 1), "");
	put_quoted(stdout, value);
	putchar('\n');
}

/* ---- tables ---- */

struct cell {
	char *text;
	enum cay_style style;
};

struct cay_table {
	size_t columns, n; /* n: cells, the head's included */
	struct cell *cells;
	size_t width[COLUMNS_MAX];
};

/* Characters, not bytes: good enough for columns of names and numbers. */
static size_t text_width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

struct cay_table *cay_table_create(const char *const *heads)
{
	struct cay_table *t = cay_alloc(sizeof(*t));

	t->columns = CAY_MIN(cay_strv_len(heads), (size_t)COLUMNS_MAX);
	for (size_t i = 0; i < t->columns; i++)
		cay_table_add(t, heads[i], CAY_STYLE_BOLD);
	return t;
}

void cay_table_destroy(struct cay_table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i].text);
	free(t->cells);
	free(t);
}

void cay_table_add(struct cay_table *t, const char *text, enum cay_style style)
{
	auto_buf struct cay_buf b;
	size_t column = t->n % t->columns;

	cay_buf_init(&b, LINE_MAX_BYTES);
	if (!text || !*text)
		text = "-";
	cay_text_quote(&b, text, strlen(text), CELL_MAX);
	t->width[column] = CAY_MAX(t->width[column], text_width(b.data));
	t->cells = cay_realloc_array(t->cells, t->n + 1, sizeof(*t->cells));
	t->cells[t->n++] = (struct cell){cay_strdup(b.data), style};
}

void cay_table_addf(struct cay_table *t, enum cay_style style, const char *fmt, ...)
{
	char text[CELL_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	cay_table_add(t, text, style);
}

void cay_table_print(const struct cay_table *t)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct cell *c = &t->cells[i];
		size_t column = i % t->columns;
		bool last = column + 1 == t->columns;
		const char *style = cay_output_style(stdout, c->style);

		printf("%s%s%s", style, c->text, *style ? cay_output_style_end(stdout) : "");
		if (last)
			putchar('\n');
		else
			printf("%*s", (int)(t->width[column] - text_width(c->text) + 2), "");
	}
}
