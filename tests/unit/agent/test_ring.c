/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ring.h"

#include <string.h>

#include "tap.h"

static void keeps_order_and_streams(void)
{
	struct cay_ring_span s;
	struct cay_ring r;

	cay_ring_init(&r);
	cay_ring_write(&r, CAY_STDOUT, "out", 3);
	cay_ring_write(&r, CAY_STDOUT, "put", 3);
	cay_ring_write(&r, CAY_STDERR, "err", 3);
	cay_ring_peek(&r, 0, &s);
	CHECK_INT(s.n, 6);
	CHECK(!memcmp(s.data, "output", 6));
	CHECK_INT(s.stream, CAY_STDOUT);
	cay_ring_peek(&r, 6, &s);
	CHECK_INT(s.stream, CAY_STDERR);
	CHECK_INT(s.n, 3);
	cay_ring_peek(&r, 4, &s);
	CHECK_INT(s.n, 2);
	cay_ring_peek(&r, 9, &s);
	CHECK_INT(s.n, 0);
	cay_ring_peek(&r, 1000, &s);
	CHECK_INT(s.offset, 9);
	CHECK_INT(r.bytes[CAY_STDOUT], 6);
	CHECK_INT(r.bytes[CAY_STDERR], 3);
	cay_ring_fini(&r);
}

/* A byte of the stream at an offset, so that any reader can verify what it gets. */
static char byte_at(uint64_t offset)
{
	return (char)('a' + offset * 7 % 26);
}

static void write_pattern(struct cay_ring *r, enum cay_stream stream, size_t n)
{
	char *data = malloc(n);

	for (size_t i = 0; i < n; i++)
		data[i] = byte_at(r->end + i);
	cay_ring_write(r, stream, data, n);
	free(data);
}

static bool verify(const struct cay_ring *r)
{
	struct cay_ring_span s;

	for (uint64_t at = r->start; at < r->end; at += s.n) {
		cay_ring_peek(r, at, &s);
		if (s.n == 0 || s.offset != at)
			return false;
		for (size_t i = 0; i < s.n; i++)
			if (s.data[i] != byte_at(at + i))
				return false;
	}
	return true;
}

static void drops_the_oldest_and_counts(void)
{
	struct cay_ring r;

	cay_ring_init(&r);
	for (int i = 0; i < 1000; i++) {
		write_pattern(&r, i % 3 ? CAY_STDOUT : CAY_STDERR, (size_t)(1 + i * 37 % 5000));
		CHECK(r.end - r.start <= CAY_RING_MAX);
	}
	CHECK(r.start > 0);
	CHECK_INT(r.end, r.bytes[0] + r.bytes[1]);
	CHECK(verify(&r));
	write_pattern(&r, CAY_STDOUT, 3 * CAY_RING_MAX + 17);
	CHECK_INT(r.end - r.start, CAY_RING_MAX);
	CHECK(verify(&r));
	cay_ring_fini(&r);
}

static void bounds_the_number_of_segments(void)
{
	struct cay_ring r;

	cay_ring_init(&r);
	for (int i = 0; i < CAY_RING_SEGMENTS_MAX * 2; i++)
		write_pattern(&r, i & 1, 1);
	CHECK_INT(r.n_segments, CAY_RING_SEGMENTS_MAX);
	CHECK_INT(r.end - r.start, CAY_RING_SEGMENTS_MAX);
	CHECK(verify(&r));
	cay_ring_fini(&r);
}

static void reads_text_without_cutting_characters(void)
{
	struct cay_ring_span s;
	struct cay_ring r;
	char buf[4];

	cay_ring_init(&r);
	cay_ring_write(&r, CAY_STDOUT, "abc\xe2\x82", 5);
	cay_ring_read(&r, 0, true, true, buf, sizeof(buf), &s);
	CHECK_INT(s.n, 3);
	cay_ring_read(&r, 3, true, true, buf, sizeof(buf), &s);
	CHECK_INT(s.n, 0);
	cay_ring_read(&r, 3, true, false, buf, sizeof(buf), &s);
	CHECK_INT(s.n, 2);
	cay_ring_read(&r, 3, false, true, buf, sizeof(buf), &s);
	CHECK_INT(s.n, 2);
	cay_ring_write(&r, CAY_STDOUT, "\xac", 1);
	cay_ring_read(&r, 3, true, true, buf, sizeof(buf), &s);
	CHECK_INT(s.n, 3);
	cay_ring_write(&r, CAY_STDERR, "\xff\x80\x80\x80", 4);
	cay_ring_read(&r, 6, true, true, buf, sizeof(buf), &s);
	CHECK_INT(s.n, 4);
	CHECK_INT(s.stream, CAY_STDERR);
	cay_ring_fini(&r);
}

TAP_MAIN({"keeps_order_and_streams", keeps_order_and_streams},
	 {"drops_the_oldest_and_counts", drops_the_oldest_and_counts},
	 {"bounds_the_number_of_segments", bounds_the_number_of_segments},
	 {"reads_text_without_cutting_characters", reads_text_without_cutting_characters})
