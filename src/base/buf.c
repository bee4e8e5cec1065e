/* SPDX-License-Identifier: Apache-2.0 */
/* Growable byte string with a declared maximum. */
#include "base/buf.h"

#include <stdarg.h>
#include <string.h>

#include "base/mem.h"

static char empty[1];

void cay_buf_init(struct cay_buf *b, size_t max)
{
	*b = (struct cay_buf){.data = empty, .max = max};
}

void cay_buf_fini(struct cay_buf *b)
{
	if (b->cap)
		free(b->data);
	cay_buf_init(b, b->max);
}

char *cay_buf_reserve(struct cay_buf *b, size_t n)
{
	size_t need, cap;

	if (n > b->max || b->len > b->max - n) {
		b->overflow = true;
		return NULL;
	}
	need = b->len + n;
	if (need > b->cap || !b->cap) {
		cap = CAY_MAX(need, CAY_MIN(CAY_MAX(b->cap * 2, (size_t)64), b->max));
		b->data = cay_realloc_array(b->cap ? b->data : NULL, cap + 1, 1);
		b->cap = cap ? cap : 1;
		b->data[b->len] = '\0';
	}
	return b->data + b->len;
}

int cay_buf_append(struct cay_buf *b, const void *data, size_t n)
{
	char *to;

	if (!n)
		return 0;
	to = cay_buf_reserve(b, n);
	if (!to)
		return -1;
	memcpy(to, data, n);
	b->len += n;
	b->data[b->len] = '\0';
	return 0;
}

int cay_buf_puts(struct cay_buf *b, const char *s)
{
	return cay_buf_append(b, s, strlen(s));
}

int cay_buf_putc(struct cay_buf *b, char c)
{
	return cay_buf_append(b, &c, 1);
}

int cay_buf_printf(struct cay_buf *b, const char *fmt, ...)
{
	va_list ap;
	char *to;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -1;
	to = cay_buf_reserve(b, (size_t)n);
	if (!to)
		return -1;
	if (!n)
		return 0;
	va_start(ap, fmt);
	vsnprintf(to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
	return 0;
}

void cay_buf_consume(struct cay_buf *b, size_t n)
{
	if (!n)
		return;
	n = CAY_MIN(n, b->len);
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
	if (b->cap)
		b->data[b->len] = '\0';
}

void cay_buf_clear(struct cay_buf *b)
{
	b->len = 0;
	b->overflow = false;
	if (b->cap)
		b->data[0] = '\0';
}

char *cay_buf_take(struct cay_buf *b)
{
	char *s = b->cap ? b->data : cay_strdup("");

	b->cap = 0;
	cay_buf_init(b, b->max);
	return s;
}
