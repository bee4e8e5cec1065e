/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The output of a process: the last CAY_RING_MAX bytes of both its streams, in the order in which
 * they arrived, in one space of offsets. A reader keeps an offset, comes back with it and goes on;
 * what has been overwritten since is counted, never silently lost.
 *
 *	0 ... start (dropped)   [ start ... end )   held
 *
 * Memory grows with use, in powers of two.
 */
#pragma once

#include "base/error.h"

enum {
	CAY_RING_MAX = 1 << 20,          /* bytes held */
	CAY_RING_SEGMENTS_MAX = 1 << 15, /* changes of stream held: a bound on bookkeeping */
};

enum cay_stream {
	CAY_STDOUT,
	CAY_STDERR,
	CAY_STREAM_COUNT,
};

struct cay_ring_segment {
	uint64_t end; /* offset after its last byte; it begins where the one before ends */
	enum cay_stream stream;
};

struct cay_ring {
	char *data;
	size_t cap;
	uint64_t start, end;
	struct cay_ring_segment *segments;
	size_t segment_cap, segment_first, n_segments;
	uint64_t bytes[CAY_STREAM_COUNT]; /* ever written, by stream */
};

void cay_ring_init(struct cay_ring *r);
void cay_ring_fini(struct cay_ring *r);
void cay_ring_write(struct cay_ring *r, enum cay_stream stream, const void *data, size_t n);

/* The bytes at an offset, as far as they are in one piece and of one stream. n is 0 at the end. An
 * offset that has been dropped becomes `start`; one past the end becomes `end`. */
struct cay_ring_span {
	uint64_t offset;
	enum cay_stream stream;
	const char *data; /* until the next write */
	size_t n;
};
void cay_ring_peek(const struct cay_ring *r, uint64_t offset, struct cay_ring_span *ret);

/* Copies up to max bytes of one stream from an offset on; span->data is buf. Where `text` is set, a
 * UTF-8 sequence is not cut: not by max, and not by the end of the ring as long as `growing`. n is 0
 * when there is nothing (yet). max is at least 4. */
void cay_ring_read(const struct cay_ring *r, uint64_t offset, bool text, bool growing, char *buf,
		   size_t max, struct cay_ring_span *ret);
