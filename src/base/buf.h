/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growable byte string with a declared maximum. `data` is never NULL and always followed by a NUL
 * byte that does not count, so it can be used as a C string wherever the content has no NUL inside.
 * An append that would pass the maximum changes nothing, sets `overflow` and returns -1: input from
 * outside cannot grow memory. Appends may be chained and `overflow` looked at once, at the end.
 */
#pragma once

#include "base/macro.h"

struct cay_buf {
	char *data;
	size_t len;
	size_t cap; /* allocated, without the NUL; 0 while data is the shared empty string */
	size_t max;
	bool overflow;
};

void cay_buf_init(struct cay_buf *b, size_t max);
void cay_buf_fini(struct cay_buf *b); /* usable again afterwards, with the same maximum */
int cay_buf_append(struct cay_buf *b, const void *data, size_t n);
int cay_buf_puts(struct cay_buf *b, const char *s);
int cay_buf_putc(struct cay_buf *b, char c);
int cay_buf_printf(struct cay_buf *b, const char *fmt, ...) CAY_PRINTF(2, 3);

/* Room for n more bytes at data + len; the caller then raises len itself. NULL past the maximum. */
char *cay_buf_reserve(struct cay_buf *b, size_t n);
void cay_buf_consume(struct cay_buf *b, size_t n); /* drops the first n bytes */
void cay_buf_clear(struct cay_buf *b);             /* keeps the memory */

/* The string, owned by the caller from now on; the buffer is empty again. */
char *cay_buf_take(struct cay_buf *b);

#define auto_buf __attribute__((cleanup(cay_buf_fini)))
