/* SPDX-License-Identifier: Apache-2.0 */
/* A server's bytes into the HTTP client's reader: head, framing, payload; whole and split. */
#include <string.h>

#include "net/frame.h"
#include "net/head.h"

#include "fuzz.h"

enum { PAYLOAD_MAX = 1 << 20 };

static const struct cay_head_limits limits = {
	.bytes = 4096, .start_bytes = 4096, .field_count = 30};

/* -1: refused; else bytes of payload, which go to out. */
static int read_answer(const uint8_t *data, size_t n, bool split, struct cay_buf *out)
{
	struct pieces p = {.state = (uint32_t)n};
	const char *at = (const char *)data, *payload;
	struct cay_frame frame = {};
	enum cay_framing framing;
	struct cay_error err;
	struct cay_head head;
	size_t used, payload_n, k, i = 0;
	uint64_t length;
	int rc = 0;

	cay_head_init(&head, true, &limits);
	while (rc == 0 && i < n && !frame.done) {
		k = split ? piece(&p, n - i) : n - i;
		if (!head.complete) {
			rc = cay_head_feed(&head, at + i, k, &limits, &used, &err);
			if (rc == 0 && head.complete) {
				rc = cay_head_response_framing(&head, false, &framing, &length,
							       &err);
				if (rc == 0)
					cay_frame_init(&frame, framing, length);
			}
		} else {
			rc = cay_frame_next(&frame, at + i, k, &used, &payload, &payload_n, &err);
			if (rc == 0)
				cay_buf_append(out, payload, payload_n);
		}
		MUST(rc < 0 || used <= k);
		i += rc < 0 ? 0 : used;
	}
	if (rc == 0 && head.complete) {
		MUST(head.status >= 100 && head.status <= 999);
		cay_head_is_hop(&head, "x");
	}
	cay_head_fini(&head);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct cay_buf whole, split;
	int rc;

	cay_buf_init(&whole, PAYLOAD_MAX);
	cay_buf_init(&split, PAYLOAD_MAX);
	rc = read_answer(data, n, false, &whole);
	MUST(read_answer(data, n, true, &split) == rc);
	MUST(rc < 0 || (whole.len == split.len && !memcmp(whole.data, split.data, whole.len)));
	cay_buf_fini(&whole);
	cay_buf_fini(&split);
	return 0;
}
