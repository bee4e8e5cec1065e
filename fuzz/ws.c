/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket frames, from a client and from a server; whole and split they must read the same. */
#include <string.h>

#include "net/ws_frame.h"

#include "fuzz.h"

enum { MESSAGE_MAX = 4096 };

/* Every event, as bytes. */
static void read_frames(const uint8_t *data, size_t n, bool from_client, bool split,
			struct cay_buf *seen)
{
	struct pieces p = {.state = (uint32_t)n};
	enum cay_ws_event event = CAY_WS_EVENT_NONE;
	struct cay_ws_reader r;
	size_t k, used;

	cay_ws_reader_init(&r, from_client, MESSAGE_MAX);
	for (size_t i = 0; i < n && event != CAY_WS_EVENT_FAILED; i += used) {
		k = split ? piece(&p, n - i) : n - i;
		event = cay_ws_read(&r, data + i, k, &used);
		MUST(used <= k && (used > 0 || event != CAY_WS_EVENT_NONE));
		if (event == CAY_WS_EVENT_MESSAGE) {
			cay_buf_printf(seen, "M%d", r.is_text);
			cay_buf_append(seen, r.message.data, r.message.len);
			cay_buf_clear(&r.message);
		} else if (event == CAY_WS_EVENT_CONTROL) {
			MUST(r.control.len <= CAY_WS_CONTROL_MAX);
			cay_buf_printf(seen, "C%d,%d", r.opcode, cay_ws_close_code(&r.control));
		} else if (event == CAY_WS_EVENT_FAILED) {
			MUST(r.failure >= 1000);
			cay_buf_printf(seen, "F%d", r.failure);
		}
	}
	MUST(r.message.len <= MESSAGE_MAX);
	cay_ws_reader_fini(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct cay_buf whole, split;

	for (int from_client = 0; from_client < 2; from_client++) {
		cay_buf_init(&whole, 16 << 20);
		cay_buf_init(&split, 16 << 20);
		read_frames(data, n, from_client, false, &whole);
		read_frames(data, n, from_client, true, &split);
		MUST(whole.len == split.len && !memcmp(whole.data, split.data, whole.len));
		cay_buf_fini(&whole);
		cay_buf_fini(&split);
	}
	return 0;
}
