/* SPDX-License-Identifier: Apache-2.0 */
/* The payload of a body: by length, in chunks, or up to the end of the connection. */
#include "net/frame.h"

#include "net/io.h"
#include "net/url.h"

enum {
	EXTRA_MAX = 8192, /* extensions and trailers together */
	DIGITS_MAX = 15,  /* of a chunk's size: no overflow of 64 bits */
	COPY_MAX = 4096,  /* smaller pieces wait for each other */
};

/*
 *	SIZE -> [EXTENSION] -> SIZE_LF -> DATA -> DATA_CR -> DATA_LF -> SIZE ...
 *	             size 0: SIZE_LF -> TRAILER -> (TRAILER_LINE -> TRAILER_LF -> TRAILER)* -> END_LF
 */
enum chunk_state {
	SIZE,
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER,
	TRAILER_LINE,
	TRAILER_LF,
	END_LF,
};

void cay_frame_init(struct cay_frame *f, enum cay_framing framing, uint64_t length)
{
	*f = (struct cay_frame){.framing = framing,
				.state = SIZE,
				.left = framing == CAY_FRAMING_LENGTH ? length : 0,
				.done = framing == CAY_FRAMING_NONE};
}

static int take_size(struct cay_frame *f, char c)
{
	int digit = cay_url_hex(c);

	if (digit >= 0) {
		if (++f->digits > DIGITS_MAX)
			return -1;
		f->left = f->left * 16 + (uint64_t)digit;
		return SIZE;
	}
	if (!f->digits)
		return -1;
	if (c == '\r')
		return SIZE_LF;
	return c == ';' || c == ' ' || c == '\t' ? EXTENSION : -1;
}

/* Text that is read past, up to its CR. */
static int take_extra(struct cay_frame *f, char c, int stay, int next)
{
	if (c == '\r')
		return next;
	if (++f->extra > EXTRA_MAX || ((unsigned char)c < 0x20 && c != '\t'))
		return -1;
	return stay;
}

/* One byte of framing: the next state, or -1. */
static int take(struct cay_frame *f, char c)
{
	switch ((enum chunk_state)f->state) {
	case SIZE:
		return take_size(f, c);
	case EXTENSION:
		return take_extra(f, c, EXTENSION, SIZE_LF);
	case SIZE_LF:
		f->digits = 0;
		return c != '\n' ? -1 : f->left ? DATA : TRAILER;
	case DATA_CR:
		return c == '\r' ? DATA_LF : -1;
	case DATA_LF:
		return c == '\n' ? SIZE : -1;
	case TRAILER:
		return take_extra(f, c, TRAILER_LINE, END_LF);
	case TRAILER_LINE:
		return take_extra(f, c, TRAILER_LINE, TRAILER_LF);
	case TRAILER_LF:
		return c == '\n' ? TRAILER : -1;
	case END_LF:
		f->done = c == '\n';
		return f->done ? END_LF : -1;
	case DATA:
		break;
	}
	return -1;
}

static void take_payload(struct cay_frame *f, size_t n, size_t *ret_n)
{
	*ret_n = (size_t)CAY_MIN((uint64_t)n, f->left);
	f->left -= *ret_n;
}

static int next_chunked(struct cay_frame *f, const char *data, size_t n, size_t *ret_used,
			const char **ret_payload, size_t *ret_n, struct cay_error *err)
{
	size_t i = 0;

	for (; i < n && !f->done && f->state != DATA; i++) {
		f->state = take(f, data[i]);
		if (f->state < 0)
			return cay_fail(err, CAY_E_INVALID, 0, "malformed chunked body");
	}
	*ret_n = 0;
	*ret_payload = data + i;
	if (f->state == DATA) {
		take_payload(f, n - i, ret_n);
		if (!f->left)
			f->state = DATA_CR;
	}
	*ret_used = i + *ret_n;
	return 0;
}

int cay_frame_next(struct cay_frame *f, const char *data, size_t n, size_t *ret_used,
		   const char **ret_payload, size_t *ret_n, struct cay_error *err)
{
	*ret_payload = data;
	switch (f->framing) {
	case CAY_FRAMING_CHUNKED:
		return next_chunked(f, data, n, ret_used, ret_payload, ret_n, err);
	case CAY_FRAMING_LENGTH:
		take_payload(f, n, ret_n);
		f->done = !f->left;
		break;
	case CAY_FRAMING_CLOSE:
		*ret_n = n;
		break;
	case CAY_FRAMING_NONE:
		*ret_n = 0;
		break;
	}
	*ret_used = *ret_n;
	return 0;
}

void cay_frame_send(struct cay_io *io, bool chunked, const void *data, size_t n)
{
	struct iovec iov[3];
	char size[24];
	int size_n;
	size_t from = chunked ? 0 : 1, to = chunked ? 3 : 2;

	if (!n)
		return;
	size_n = snprintf(size, sizeof(size), "%zx\r\n", n);
	iov[0] = (struct iovec){.iov_base = size, .iov_len = (size_t)size_n};
	iov[1] = (struct iovec){.iov_base = (void *)(uintptr_t)data, .iov_len = n};
	iov[2] = (struct iovec){.iov_base = size + size_n - 2, .iov_len = 2};
	if (n >= COPY_MAX) {
		cay_io_write(io, iov + from, to - from);
		return;
	}
	for (size_t i = from; i < to; i++)
		cay_io_queue(io, iov[i].iov_base, iov[i].iov_len);
}

void cay_frame_send_end(struct cay_io *io)
{
	cay_io_queue(io, "0\r\n\r\n", 5);
}
