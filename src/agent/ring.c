/* SPDX-License-Identifier: Apache-2.0 */
/* A growing ring of bytes beside a ring of segments. */
#include "agent/ring.h"

#include <string.h>

#include "agent/utf8.h"
#include "base/mem.h"

enum {
	FIRST_CAP = 4096,
	FIRST_SEGMENTS = 16,
};

void cay_ring_init(struct cay_ring *r)
{
	*r = (struct cay_ring){};
}

void cay_ring_fini(struct cay_ring *r)
{
	free(r->data);
	free(r->segments);
	*r = (struct cay_ring){};
}

static struct cay_ring_segment *segment_at(const struct cay_ring *r, size_t i)
{
	return &r->segments[(r->segment_first + i) & (r->segment_cap - 1)];
}

/* Capacities are powers of two: an offset's place is its low bits. Growing moves each byte to where
 * the larger mask puts it. */
static void grow_data(struct cay_ring *r, size_t want)
{
	size_t cap = r->cap ? r->cap : FIRST_CAP;
	char *data;

	while (cap < want && cap < CAY_RING_MAX)
		cap *= 2;
	if (cap == r->cap)
		return;
	data = cay_alloc(cap);
	for (uint64_t at = r->start; at < r->end;) {
		size_t from = at & (r->cap - 1), to = at & (cap - 1);
		size_t n = CAY_MIN(r->end - at, CAY_MIN(r->cap - from, cap - to));

		memcpy(data + to, r->data + from, n);
		at += n;
	}
	free(r->data);
	r->data = data;
	r->cap = cap;
}

static void grow_segments(struct cay_ring *r)
{
	size_t cap = r->segment_cap ? r->segment_cap * 2 : FIRST_SEGMENTS;
	struct cay_ring_segment *segments = cay_alloc(cap * sizeof(*segments));

	for (size_t i = 0; i < r->n_segments; i++)
		segments[i] = *segment_at(r, i);
	free(r->segments);
	r->segments = segments;
	r->segment_cap = cap;
	r->segment_first = 0;
}

static void drop_before(struct cay_ring *r, uint64_t offset)
{
	if (offset > r->start)
		r->start = offset;
	while (r->n_segments && segment_at(r, 0)->end <= r->start) {
		r->segment_first = (r->segment_first + 1) & (r->segment_cap - 1);
		r->n_segments--;
	}
}

static void extend_segments(struct cay_ring *r, enum cay_stream stream, uint64_t end)
{
	struct cay_ring_segment *last = r->n_segments ? segment_at(r, r->n_segments - 1) : NULL;

	if (last && last->stream == stream) {
		last->end = end;
		return;
	}
	if (r->n_segments == CAY_RING_SEGMENTS_MAX)
		drop_before(r, segment_at(r, 0)->end);
	else if (r->n_segments == r->segment_cap)
		grow_segments(r);
	*segment_at(r, r->n_segments) = (struct cay_ring_segment){.end = end, .stream = stream};
	r->n_segments++;
}

void cay_ring_write(struct cay_ring *r, enum cay_stream stream, const void *data, size_t n)
{
	const char *p = data;

	if (!n)
		return;
	r->bytes[stream] += n;
	extend_segments(r, stream, r->end + n);
	if (n > CAY_RING_MAX) {
		p += n - CAY_RING_MAX;
		r->end += n - CAY_RING_MAX;
		n = CAY_RING_MAX;
		drop_before(r, r->end);
	}
	grow_data(r, CAY_MIN(r->end - r->start + n, (uint64_t)CAY_RING_MAX));
	while (n > 0) {
		size_t to = r->end & (r->cap - 1);
		size_t k = CAY_MIN(n, r->cap - to);

		memcpy(r->data + to, p, k);
		p += k;
		n -= k;
		r->end += k;
	}
	if (r->end - r->start > r->cap)
		drop_before(r, r->end - r->cap);
}

/* The segment that holds an offset: binary search, because segments are many when a program
 * alternates between its streams. */
static const struct cay_ring_segment *find_segment(const struct cay_ring *r, uint64_t offset)
{
	size_t low = 0, high = r->n_segments - 1;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (segment_at(r, middle)->end <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return segment_at(r, low);
}

void cay_ring_peek(const struct cay_ring *r, uint64_t offset, struct cay_ring_span *ret)
{
	const struct cay_ring_segment *segment;
	size_t from;

	offset = CAY_MAX(offset, r->start);
	offset = CAY_MIN(offset, r->end);
	*ret = (struct cay_ring_span){.offset = offset, .data = ""};
	if (offset == r->end)
		return;
	segment = find_segment(r, offset);
	from = offset & (r->cap - 1);
	ret->stream = segment->stream;
	ret->data = r->data + from;
	ret->n = CAY_MIN(segment->end - offset, r->cap - from);
}

void cay_ring_read(const struct cay_ring *r, uint64_t offset, bool text, bool growing, char *buf,
		   size_t max, struct cay_ring_span *ret)
{
	struct cay_ring_span piece;
	size_t n = 0;

	cay_ring_peek(r, offset, ret);
	/* In two pieces where the ring wraps. */
	for (piece = *ret; piece.n && piece.stream == ret->stream && n < max;) {
		size_t k = CAY_MIN(piece.n, max - n);

		memcpy(buf + n, piece.data, k);
		n += k;
		cay_ring_peek(r, ret->offset + n, &piece);
	}
	if (text && (n == max || (growing && ret->offset + n == r->end)))
		n -= cay_utf8_partial_tail(buf, n);
	ret->data = buf;
	ret->n = n;
}
