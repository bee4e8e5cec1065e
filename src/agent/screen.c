/* SPDX-License-Identifier: Apache-2.0 */
/* Cells and history under libvterm's state layer. */
#include "agent/screen.h"

#include <string.h>
#include <vterm.h>

#include "agent/screen_filter.h"
#include "agent/utf8.h"
#include "base/buf.h"
#include "base/mem.h"

enum {
	CLUSTERS_MAX = 4096, /* characters with combining marks, until the next reset */
	CLUSTER_BYTES = 6 * 4 + 1,
};

/* A cell: 0 is empty, else a code point; CELL_CLUSTER | i is clusters[i]; CELL_RIGHT is the second
 * half of a wide character. */
#define CELL_CLUSTER 0x80000000u
#define CELL_RIGHT   0xffffffffu

struct row {
	uint32_t *cells;
	int len, cap;
	bool continues; /* the row above was wrapped by the margin into this one */
};

struct line {
	char *text;
	uint32_t len;
	bool continues;
};

struct grid {
	struct row *rows;
	int top; /* rows[(top + i) % n] is row i, so that scrolling moves no memory */
};

struct cay_screen {
	VTerm *vt;
	VTermState *state;
	int n_rows, n_cols;
	struct grid main, alternate;
	struct grid *grid;        /* the one of the two that is shown */
	int glyph_row, glyph_end; /* where the last glyph ended; -1: the cursor has moved since */
	char (*clusters)[CLUSTER_BYTES];
	unsigned n_clusters;
	struct line *history; /* ring */
	size_t history_first, n_history, history_bytes;
	bool lost;
	bool plain; /* only lines of text since the last reset: no mode can have changed */
	uint64_t changes;
	struct cay_screen_filter filter;
};

static struct row *row_at(const struct cay_screen *s, int i)
{
	return &s->grid->rows[(s->grid->top + i) % s->n_rows];
}

/* ---- rows ---- */

static void reserve_cells(struct row *row, int n)
{
	int cap = row->cap ? row->cap : 32;

	if (n <= row->cap)
		return;
	while (cap < n)
		cap *= 2;
	row->cells = cay_realloc_array(row->cells, (size_t)cap, sizeof(*row->cells));
	row->cap = cap;
}

static void set_cell(struct cay_screen *s, struct row *row, int col, uint32_t value)
{
	if (col >= row->len) {
		if (!value)
			return;
		reserve_cells(row, col + 1);
		memset(row->cells + row->len, 0, (size_t)(col - row->len) * sizeof(*row->cells));
		row->len = col + 1;
		row->cells[col] = 0;
	}
	s->changes += row->cells[col] != value;
	row->cells[col] = value;
}

static uint32_t cell(const struct row *row, int col)
{
	return col < row->len ? row->cells[col] : 0;
}

static void clear_row(struct row *row)
{
	row->len = 0;
	row->continues = false;
}

/* A row as UTF-8, without trailing empty cells. out has room for CLUSTER_BYTES a cell. */
static size_t render_row(const struct cay_screen *s, const struct row *row, char *out)
{
	size_t n = 0;

	for (int i = 0; i < row->len; i++) {
		uint32_t c = row->cells[i];

		if (c == CELL_RIGHT)
			continue;
		if (c & CELL_CLUSTER) {
			const char *text = s->clusters[c & ~CELL_CLUSTER];
			size_t len = strlen(text);

			memcpy(out + n, text, len);
			n += len;
		} else {
			n += cay_utf8_put(c ? c : ' ', out + n);
		}
	}
	return n;
}

/* ---- history ---- */

static void drop_oldest(struct cay_screen *s)
{
	struct line *line = &s->history[s->history_first];

	s->history_bytes -= line->len;
	free(line->text);
	*line = (struct line){};
	s->history_first = (s->history_first + 1) % CAY_SCREEN_HISTORY;
	s->n_history--;
	s->lost = true;
}

static void push_history(struct cay_screen *s, const struct row *row)
{
	auto_free char *text = cay_alloc((size_t)row->len * CLUSTER_BYTES + 1);
	size_t n = render_row(s, row, text);
	struct line *line;

	if (!s->history)
		s->history = cay_alloc(CAY_SCREEN_HISTORY * sizeof(*s->history));
	while (s->n_history == CAY_SCREEN_HISTORY ||
	       (s->n_history && s->history_bytes + n > CAY_SCREEN_HISTORY_BYTES))
		drop_oldest(s);
	line = &s->history[(s->history_first + s->n_history) % CAY_SCREEN_HISTORY];
	*line = (struct line){.text = n ? cay_strndup(text, n) : NULL,
			      .len = (uint32_t)n,
			      .continues = row->continues};
	s->n_history++;
	s->history_bytes += n;
}

static void clear_history(struct cay_screen *s)
{
	while (s->n_history)
		drop_oldest(s);
	free(s->history);
	s->history = NULL;
	s->history_first = 0;
	s->lost = false;
}

/* ---- what libvterm tells ---- */

static uint32_t cell_value(struct cay_screen *s, const uint32_t *chars)
{
	char *text;
	size_t n = 0;

	if (!chars[0] || !chars[1])
		return chars[0];
	if (s->n_clusters == CLUSTERS_MAX)
		return chars[0];
	if (!s->clusters)
		s->clusters = cay_alloc(CLUSTERS_MAX * sizeof(*s->clusters));
	text = s->clusters[s->n_clusters];
	for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && chars[i]; i++)
		n += cay_utf8_put(chars[i], text + n);
	text[n] = '\0';
	return CELL_CLUSTER | s->n_clusters++;
}

static int on_glyph(VTermGlyphInfo *info, VTermPos pos, void *user)
{
	struct cay_screen *s = user;
	struct row *row;

	/* libvterm 0.1 can be driven to positions outside the screen, also negative ones. */
	if (pos.row < 0 || pos.row >= s->n_rows || pos.col < 0 || pos.col >= s->n_cols)
		return 1;
	cay_screen_filter_glyph(&s->filter, info->chars[0]);
	row = row_at(s, pos.row);
	/* In column 0 because it did not fit behind the last one: wrapped by the margin. */
	if (pos.col == 0)
		row->continues = s->glyph_end + info->width > s->n_cols;
	set_cell(s, row, pos.col, cell_value(s, info->chars));
	for (int i = 1; i < info->width && pos.col + i < s->n_cols; i++)
		set_cell(s, row, pos.col + i, CELL_RIGHT);
	s->glyph_end = pos.col + info->width;
	s->glyph_row = pos.row;
	return 1;
}

/* Called after a run of text or a control, when the cursor is somewhere else than before it; a wrap
 * inside a run is not reported. The cursor right behind the last glyph (or on it, in the last
 * column) is the end of its run; anywhere else, what comes next does not continue the row. */
static int on_cursor(VTermPos pos, VTermPos old, int visible, void *user)
{
	struct cay_screen *s = user;

	(void)old;
	(void)visible;
	if (pos.row != s->glyph_row || pos.col != CAY_MIN(s->glyph_end, s->n_cols - 1))
		s->glyph_end = -1;
	return 1;
}

static VTermRect clamp(const struct cay_screen *s, VTermRect r)
{
	r.start_row = CAY_MAX(r.start_row, 0);
	r.start_col = CAY_MAX(r.start_col, 0);
	r.end_row = CAY_MIN(r.end_row, s->n_rows);
	r.end_col = CAY_MIN(r.end_col, s->n_cols);
	return r;
}

static int on_erase(VTermRect rect, int selective, void *user)
{
	struct cay_screen *s = user;

	(void)selective;
	rect = clamp(s, rect);
	if (rect.start_col >= rect.end_col)
		return 1;
	for (int r = rect.start_row; r < rect.end_row; r++) {
		struct row *row = row_at(s, r);

		if (rect.start_col == 0)
			row->continues = false;
		if (row->len <= rect.start_col)
			continue;
		s->changes++;
		if (rect.end_col >= row->len)
			row->len = rect.start_col;
		else
			memset(row->cells + rect.start_col, 0,
			       (size_t)(rect.end_col - rect.start_col) * sizeof(*row->cells));
	}
	return 1;
}

static int on_move(VTermRect dest, VTermRect src, void *user)
{
	struct cay_screen *s = user;
	bool down = dest.start_row > src.start_row, right = dest.start_col > src.start_col;
	int rows, cols;

	src = clamp(s, src);
	dest = clamp(s, dest);
	rows = CAY_MIN(src.end_row - src.start_row, dest.end_row - dest.start_row);
	cols = CAY_MIN(src.end_col - src.start_col, dest.end_col - dest.start_col);
	for (int i = 0; i < rows; i++) {
		int r = down ? rows - 1 - i : i;
		struct row *from = row_at(s, src.start_row + r);
		struct row *to = row_at(s, dest.start_row + r);

		for (int j = 0; j < cols; j++) {
			int c = right ? cols - 1 - j : j;

			set_cell(s, to, dest.start_col + c, cell(from, src.start_col + c));
		}
	}
	return 1;
}

/* Whole rows of a region by one place; the row that falls out is reused, empty, at the other end.
 * The whole screen upwards only turns the ring. */
static void scroll_one(struct cay_screen *s, int start, int end, bool up)
{
	struct row out;

	if (up && start == 0 && s->grid == &s->main)
		push_history(s, row_at(s, 0));
	if (up && start == 0 && end == s->n_rows) {
		clear_row(row_at(s, 0));
		s->grid->top = (s->grid->top + 1) % s->n_rows;
		return;
	}
	out = *row_at(s, up ? start : end - 1);
	if (up)
		for (int i = start; i < end - 1; i++)
			*row_at(s, i) = *row_at(s, i + 1);
	else
		for (int i = end - 1; i > start; i--)
			*row_at(s, i) = *row_at(s, i - 1);
	clear_row(&out);
	*row_at(s, up ? end - 1 : start) = out;
}

static int on_scroll(VTermRect rect, int downward, int rightward, void *user)
{
	struct cay_screen *s = user;
	int n = abs(downward), height;

	rect = clamp(s, rect);
	height = rect.end_row - rect.start_row;
	if (rightward || rect.start_col != 0 || rect.end_col != s->n_cols)
		return 0; /* libvterm then moves and erases */
	s->changes++;
	for (int i = 0; i < CAY_MIN(n, height); i++)
		scroll_one(s, rect.start_row, rect.end_row, downward > 0);
	return 1;
}

static int on_property(VTermProp prop, VTermValue *value, void *user)
{
	struct cay_screen *s = user;

	if (prop != VTERM_PROP_ALTSCREEN)
		return 1;
	if (value->boolean && !s->alternate.rows)
		s->alternate.rows = cay_alloc((size_t)s->n_rows * sizeof(struct row));
	s->grid = value->boolean ? &s->alternate : &s->main;
	s->changes++;
	return 1;
}

static const VTermStateCallbacks callbacks = {
	.putglyph = on_glyph,
	.movecursor = on_cursor,
	.scrollrect = on_scroll,
	.moverect = on_move,
	.erase = on_erase,
	.settermprop = on_property,
};

/* Answers of the terminal go nowhere. */
static void discard(const char *data, size_t n, void *user)
{
	(void)data;
	(void)n;
	(void)user;
}

/* ---- the object ---- */

struct cay_screen *cay_screen_create(unsigned rows, unsigned cols)
{
	struct cay_screen *s = cay_alloc(sizeof(*s));

	s->n_rows = (int)rows;
	s->n_cols = (int)cols;
	s->glyph_end = -1;
	s->plain = true;
	s->main.rows = cay_alloc(rows * sizeof(struct row));
	s->grid = &s->main;
	s->vt = vterm_new((int)rows, (int)cols);
	vterm_set_utf8(s->vt, 1);
	vterm_output_set_callback(s->vt, discard, NULL);
	s->state = vterm_obtain_state(s->vt);
	vterm_state_set_callbacks(s->state, &callbacks, s);
	vterm_state_reset(s->state, 1);
	cay_screen_filter_init(&s->filter, s->vt);
	return s;
}

static void free_grid(const struct cay_screen *s, struct grid *g)
{
	for (int i = 0; g->rows && i < s->n_rows; i++)
		free(g->rows[i].cells);
	free(g->rows);
	*g = (struct grid){};
}

void cay_screen_destroy(struct cay_screen *s)
{
	if (!s)
		return;
	clear_history(s);
	free_grid(s, &s->main);
	free_grid(s, &s->alternate);
	free(s->clusters);
	vterm_free(s->vt);
	free(s);
}

static bool is_plain(const char *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)data[i] < 0x20 && !strchr("\n\r\t\b", data[i]))
			return false;
	return true;
}

void cay_screen_write(struct cay_screen *s, const void *data, size_t n)
{
	s->plain = s->plain && is_plain(data, n);
	cay_screen_filter_write(&s->filter, data, n);
}

/* The parser and all modes as at the start. CAN and ST end a control sequence or string that a
 * program has left open. */
static void reset_terminal(struct cay_screen *s)
{
	vterm_input_write(s->vt, "\x18\x1b\\", 3);
	vterm_state_reset(s->state, 1);
	s->grid = &s->main;
	free_grid(s, &s->alternate);
	s->plain = true;
}

void cay_screen_reset(struct cay_screen *s)
{
	/* Home is enough after plain text: a full reset walks over all rows several times. */
	if (s->plain)
		vterm_input_write(s->vt, "\x1b[H", 3);
	else
		reset_terminal(s);
	for (int i = 0; i < s->n_rows; i++)
		clear_row(&s->main.rows[i]);
	s->main.top = 0;
	clear_history(s);
	free(s->clusters);
	s->clusters = NULL;
	s->n_clusters = 0;
	cay_screen_filter_reset(&s->filter);
	s->glyph_end = -1;
}

uint64_t cay_screen_changes(const struct cay_screen *s)
{
	return s->changes;
}

bool cay_screen_has_lost(const struct cay_screen *s)
{
	return s->lost;
}

/* ---- text ---- */

static void strip_blanks(struct cay_buf *out)
{
	while (out->len > 0 && out->data[out->len - 1] == ' ')
		out->len--;
	out->data[out->len] = '\0';
}

struct text_out {
	struct cay_buf *buf;
	bool first;
};

static void put_line(struct text_out *t, const char *text, size_t n, bool continues)
{
	if (!continues && !t->first) {
		strip_blanks(t->buf);
		cay_buf_putc(t->buf, '\n');
	}
	t->first = false;
	cay_buf_append(t->buf, text, n);
}

static int used_rows(const struct cay_screen *s)
{
	int n = s->n_rows;

	while (n > 0 && row_at(s, n - 1)->len == 0)
		n--;
	return n;
}

void cay_screen_text(const struct cay_screen *s, struct cay_buf *out)
{
	auto_free char *text = cay_alloc((size_t)s->n_cols * CLUSTER_BYTES + 1);
	struct text_out t = {.buf = out, .first = true};
	int used = used_rows(s);

	for (size_t i = 0; i < s->n_history; i++) {
		const struct line *line = &s->history[(s->history_first + i) % CAY_SCREEN_HISTORY];

		put_line(&t, line->text ? line->text : "", line->len, line->continues);
	}
	for (int i = 0; i < used; i++) {
		const struct row *row = row_at(s, i);

		put_line(&t, text, render_row(s, row, text), row->continues);
	}
	if (out->len == 0)
		return;
	strip_blanks(out);
	while (out->len > 0 && out->data[out->len - 1] == '\n')
		out->len--;
	out->data[out->len] = '\0';
	cay_buf_putc(out, '\n');
}
