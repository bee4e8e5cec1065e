/* SPDX-License-Identifier: Apache-2.0 */
/* Server-sent events as the command line reads them: whole and in pieces they must be the same
 * events. Their data is tried as base64. */
#include <string.h>

#include "base/base64.h"
#include "cli/sse.h"
#include "fuzz.h"

enum { EVENT_MAX = 1024, SEEN_MAX = 4 << 20 };

static void on_event(const char *event, const char *data, size_t n, void *arg)
{
	struct cay_buf bytes;

	MUST(*event);
	cay_buf_printf(arg, "<%s|%zu|", event, n);
	cay_buf_append(arg, data, n);
	cay_buf_init(&bytes, EVENT_MAX);
	if (cay_base64_decode(data, n, &bytes) == 0)
		MUST(bytes.len <= n / 4 * 3);
	cay_buf_fini(&bytes);
}

/* What has been seen up to the first error; false: there was one. */
static bool feed(const uint8_t *data, size_t size, bool in_pieces, struct cay_buf *seen)
{
	struct pieces pieces = {.state = (uint32_t)size};
	struct cay_error err = {};
	struct cay_sse s;
	bool ok = true;

	cay_sse_init(&s, EVENT_MAX, on_event, seen);
	for (size_t at = 0; ok && at < size;) {
		size_t n = in_pieces ? piece(&pieces, size - at) : size;

		ok = cay_sse_feed(&s, data + at, n, &err) == 0;
		MUST(ok || err.code == CAY_E_LIMIT);
		at += n;
	}
	cay_sse_fini(&s);
	return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cay_buf whole, split;

	cay_buf_init(&whole, SEEN_MAX);
	cay_buf_init(&split, SEEN_MAX);
	MUST(feed(data, size, false, &whole) == feed(data, size, true, &split));
	MUST(whole.len == split.len && !memcmp(whole.data, split.data, whole.len));
	cay_buf_fini(&whole);
	cay_buf_fini(&split);
	return 0;
}
