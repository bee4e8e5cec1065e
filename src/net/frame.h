/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes the payload out of a message's body (RFC 9112, 6 and 7), for both ends of a connection. A
 * pull reader: each call gives the next slice of payload, which points into the caller's bytes.
 *
 * Chunked framing is strict: sizes are hexadecimal digits, lines end with CR LF. Chunk extensions
 * and trailers are read past, up to a limit.
 */
#pragma once

#include "net/head.h"

struct cay_frame {
	enum cay_framing framing;
	int state;     /* of chunked; see frame.c */
	uint64_t left; /* payload bytes of the body, or of this chunk */
	unsigned digits;
	size_t extra; /* bytes of extensions and trailers so far */
	bool done;
};

void cay_frame_init(struct cay_frame *f, enum cay_framing framing, uint64_t length);

/* Takes *ret_used bytes of data, among them *ret_n bytes of payload at *ret_payload (n may be 0 when
 * only framing was taken). Call again while bytes are left and f->done is not set. INVALID:
 * malformed. */
int cay_frame_next(struct cay_frame *f, const char *data, size_t n, size_t *ret_used,
		   const char **ret_payload, size_t *ret_n, struct cay_error *err) CAY_NODISCARD;

/* The other way: sends a piece of payload, as a chunk or as it is; and the end of chunks. */
struct cay_io;
void cay_frame_send(struct cay_io *io, bool chunked, const void *data, size_t n);
void cay_frame_send_end(struct cay_io *io);
