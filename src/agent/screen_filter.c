/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/screen_filter.h"

#include <string.h>

enum {
	SLICE = 16 << 10, /* bytes of text given to libvterm at once; bounds its use of the stack */
	REPEAT_MAX = 1000,
	PARAMETERS_MAX = 16, /* CSI_ARGS_MAX of libvterm */
	DIGITS_MAX = 5,      /* of a parameter */
	BEL = 0x07,
	CAN = 0x18,
	SUB = 0x1a,
	ESC = 0x1b,
	DEL = 0x7f,
};

void cay_screen_filter_init(struct cay_screen_filter *f, VTerm *vt)
{
	*f = (struct cay_screen_filter){.vt = vt};
}

void cay_screen_filter_reset(struct cay_screen_filter *f)
{
	cay_screen_filter_init(f, f->vt);
}

void cay_screen_filter_glyph(struct cay_screen_filter *f, uint32_t c)
{
	f->last = c;
}

static void feed(struct cay_screen_filter *f, const unsigned char *data, size_t n)
{
	if (n)
		vterm_input_write(f->vt, (const char *)data, n);
}

static void feed_replacement(struct cay_screen_filter *f)
{
	vterm_input_write(f->vt, "\xef\xbf\xbd", 3);
}

/* ---- sequences ---- */

static void collect(struct cay_screen_filter *f, unsigned char c)
{
	if (f->n_sequence < sizeof(f->sequence))
		f->sequence[f->n_sequence] = c;
	f->n_sequence++;
}

static void begin_sequence(struct cay_screen_filter *f)
{
	f->state = CAY_FILTER_ESCAPE;
	f->n_sequence = 0;
	collect(f, ESC);
}

/* ESC [ Ps b */
static void repeat(struct cay_screen_filter *f)
{
	uint32_t last = f->last;
	char text[CAY_UTF8_MAX];
	size_t len = cay_utf8_put(last, text);
	unsigned n = 0;

	for (size_t i = 2; i + 1 < f->n_sequence; i++) {
		if (f->sequence[i] < '0' || f->sequence[i] > '9')
			return;
		n = CAY_MIN(n * 10 + f->sequence[i] - '0', (unsigned)REPEAT_MAX);
	}
	if (!last)
		return;
	for (n = CAY_MAX(n, 1u); n > 0; n--)
		vterm_input_write(f->vt, text, len);
}

/* ESC final, ESC intermediate final, or ESC [ leader? parameters intermediate? final. */
static bool is_acceptable(const struct cay_screen_filter *f)
{
	const unsigned char *s = f->sequence;
	size_t n = f->n_sequence, at = 2, parameters = 1, digits = 0;

	if (n > sizeof(f->sequence))
		return false;
	/* libvterm takes these finals for what they mean without the intermediate. */
	if (s[1] != '[')
		return n == 2 || (n == 3 && !strchr("[]PX^_", s[2]));
	at += s[at] >= '<' && s[at] <= '?';
	for (; at < n && s[at] >= '0' && s[at] <= ';'; at++) {
		bool separator = s[at] == ';' || s[at] == ':';

		parameters += separator;
		digits = separator ? 0 : digits + 1;
		if (parameters > PARAMETERS_MAX || digits > DIGITS_MAX)
			return false;
	}
	at += at < n && s[at] >= 0x20 && s[at] < 0x30;
	return at + 1 == n && s[at] >= 0x40;
}

static void end_sequence(struct cay_screen_filter *f)
{
	f->state = CAY_FILTER_TEXT;
	if (!is_acceptable(f))
		return;
	if (f->n_sequence > 2 && f->sequence[1] == '[' && f->sequence[f->n_sequence - 1] == 'b')
		repeat(f);
	else
		feed(f, f->sequence, f->n_sequence);
}

static void take_escape(struct cay_screen_filter *f, unsigned char c)
{
	bool first = f->n_sequence == 1;

	collect(f, c);
	if (c < 0x30)
		return; /* an intermediate byte */
	if (first && c == '[') {
		f->state = CAY_FILTER_SEQUENCE;
	} else if (first && strchr("]PX^_", c)) {
		f->state = CAY_FILTER_STRING;
		f->bell_ends = c == ']';
	} else {
		end_sequence(f);
	}
}

/* One ASCII byte outside of text. Other controls than these act at once, also inside a sequence. */
static void take_control(struct cay_screen_filter *f, unsigned char c)
{
	bool in_string = f->state == CAY_FILTER_STRING || f->state == CAY_FILTER_STRING_ESCAPE;

	if (c == CAN || c == SUB || (c == BEL && in_string && f->bell_ends)) {
		f->state = CAY_FILTER_TEXT;
	} else if (c == ESC) {
		if (f->state == CAY_FILTER_STRING)
			f->state = CAY_FILTER_STRING_ESCAPE;
		else
			begin_sequence(f);
	} else if (f->state == CAY_FILTER_STRING_ESCAPE) {
		begin_sequence(f);
		if (c == '\\')
			f->state = CAY_FILTER_TEXT;
		else
			take_control(f, c);
	} else if (in_string || c == DEL) {
		return;
	} else if (c < 0x20) {
		feed(f, &c, 1);
	} else if (f->state == CAY_FILTER_ESCAPE) {
		take_escape(f, c);
	} else {
		collect(f, c);
		if (c >= 0x40)
			end_sequence(f);
	}
}

/* A character that is not ASCII has no place in a sequence, and ends it. */
static bool begins_text(struct cay_screen_filter *f)
{
	if (f->state == CAY_FILTER_STRING || f->state == CAY_FILTER_STRING_ESCAPE)
		return false;
	f->state = CAY_FILTER_TEXT;
	return true;
}

/* ---- text ---- */

/* Completes a character of which an earlier write has brought the beginning. Returns the bytes
 * used. */
static size_t take_continuation(struct cay_screen_filter *f, const unsigned char *data, size_t n)
{
	size_t had = f->n_partial, k = CAY_MIN(n, sizeof(f->partial) - had);
	int length;

	memcpy(f->partial + had, data, k);
	length = cay_utf8_length(f->partial, had + k);
	if (length < 0) {
		f->n_partial = had + k;
		return k;
	}
	f->n_partial = 0;
	if (length == 0) {
		while (had-- && begins_text(f))
			feed_replacement(f);
		return 0;
	}
	if (begins_text(f))
		feed(f, f->partial, (size_t)length);
	return (size_t)length - had;
}

/* How many bytes from p on are text that can be handed on as it is. */
static size_t text_length(const unsigned char *p, size_t n)
{
	size_t at = 0;
	int length;

	n = CAY_MIN(n, (size_t)SLICE);
	while (at < n && p[at] != ESC && p[at] != DEL) {
		length = p[at] < 0x80 ? 1 : cay_utf8_length(p + at, n - at);
		if (length <= 0)
			break;
		at += (size_t)length;
	}
	return at;
}

/* What is at p is no plain text: one step. Returns the bytes used; 0: the rest is missing. */
static size_t take_other(struct cay_screen_filter *f, const unsigned char *p, size_t n)
{
	int length;

	if (*p < 0x80) {
		take_control(f, *p);
		return 1;
	}
	length = cay_utf8_length(p, n);
	if (length < 0) {
		f->n_partial = n;
		memcpy(f->partial, p, n);
		return 0;
	}
	if (begins_text(f)) {
		if (length > 0)
			feed(f, p, (size_t)length);
		else
			feed_replacement(f);
	}
	return length > 0 ? (size_t)length : 1;
}

void cay_screen_filter_write(struct cay_screen_filter *f, const void *data, size_t n)
{
	const unsigned char *p = data, *end = p + n;
	size_t used;

	if (n && f->n_partial)
		p += take_continuation(f, p, n);
	while (p < end) {
		used = f->state == CAY_FILTER_TEXT ? text_length(p, (size_t)(end - p)) : 0;
		if (used)
			feed(f, p, used);
		else
			used = take_other(f, p, (size_t)(end - p));
		if (!used)
			return;
		p += used;
	}
}
