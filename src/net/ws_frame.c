/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket frames, read strictly and written. */
#include "net/ws_frame.h"

#include <string.h>

#include "base/text.h"

enum {
	FIN = 0x80,
	RESERVED = 0x70,
	OPCODE = 0x0f,
	MASKED = 0x80,
	LENGTH = 0x7f,
	LENGTH_16 = 126,
	LENGTH_64 = 127,
};

void cay_ws_reader_init(struct cay_ws_reader *r, bool from_client, size_t message_max)
{
	*r = (struct cay_ws_reader){.from_client = from_client};
	cay_buf_init(&r->message, message_max);
	cay_buf_init(&r->control, CAY_WS_CONTROL_MAX);
}

void cay_ws_reader_fini(struct cay_ws_reader *r)
{
	cay_buf_fini(&r->message);
	cay_buf_fini(&r->control);
}

static enum cay_ws_event fail(struct cay_ws_reader *r, int code)
{
	r->failure = code;
	return CAY_WS_EVENT_FAILED;
}

/* ---- a frame's head ---- */

static size_t length_bytes(const struct cay_ws_reader *r)
{
	unsigned length = r->head[1] & LENGTH;

	return length == LENGTH_64 ? 8 : length == LENGTH_16 ? 2 : 0;
}

static size_t head_size(const struct cay_ws_reader *r)
{
	if (r->head_n < 2)
		return 2;
	return 2 + length_bytes(r) + (r->head[1] & MASKED ? 4 : 0);
}

/* False for a length that could have been written shorter, or that is negative. */
static bool read_length(struct cay_ws_reader *r)
{
	size_t n = length_bytes(r);

	r->left = n ? 0 : r->head[1] & LENGTH;
	for (size_t i = 0; i < n; i++)
		r->left = r->left << 8 | r->head[2 + i];
	if (n == 2)
		return r->left >= LENGTH_16;
	return n != 8 || (r->left > UINT16_MAX && !(r->left >> 63));
}

static bool is_control(int opcode)
{
	return opcode >= CAY_WS_CLOSE;
}

/* Is this kind of frame allowed here? */
static bool fits(const struct cay_ws_reader *r)
{
	switch (r->opcode) {
	case CAY_WS_CONTINUATION:
		return r->message_opcode != 0;
	case CAY_WS_TEXT:
	case CAY_WS_BINARY:
		return r->message_opcode == 0;
	case CAY_WS_CLOSE:
	case CAY_WS_PING:
	case CAY_WS_PONG:
		return r->fin && r->left <= CAY_WS_CONTROL_MAX;
	default:
		return false;
	}
}

static enum cay_ws_event begin_frame(struct cay_ws_reader *r)
{
	bool masked = r->head[1] & MASKED;

	r->fin = r->head[0] & FIN;
	r->opcode = r->head[0] & OPCODE;
	if (!read_length(r) || r->head[0] & RESERVED || masked != r->from_client || !fits(r))
		return fail(r, CAY_WS_PROTOCOL_ERROR);
	if (!is_control(r->opcode) && r->left > r->message.max - r->message.len)
		return fail(r, CAY_WS_TOO_BIG);
	memset(r->mask, 0, sizeof(r->mask));
	if (masked)
		memcpy(r->mask, r->head + r->head_n - 4, 4);
	r->mask_at = 0;
	r->in_payload = true;
	if (is_control(r->opcode))
		cay_buf_clear(&r->control);
	else if (r->opcode != CAY_WS_CONTINUATION)
		r->message_opcode = r->opcode;
	return CAY_WS_EVENT_NONE;
}

/* ---- its payload ---- */

static void take_payload(struct cay_ws_reader *r, const unsigned char *data, size_t n)
{
	struct cay_buf *to = is_control(r->opcode) ? &r->control : &r->message;
	char *out = cay_buf_reserve(to, n); /* fits: begin_frame has looked */

	for (size_t i = 0; i < n; i++)
		out[i] = (char)(data[i] ^ r->mask[r->mask_at++ & 3]);
	to->len += n;
	out[n] = '\0';
	r->left -= n;
}

static enum cay_ws_event end_frame(struct cay_ws_reader *r)
{
	r->head_n = 0;
	r->in_payload = false;
	if (is_control(r->opcode))
		return CAY_WS_EVENT_CONTROL;
	if (!r->fin)
		return CAY_WS_EVENT_NONE;
	r->is_text = r->message_opcode == CAY_WS_TEXT;
	r->message_opcode = 0;
	if (r->is_text && !cay_text_is_utf8(r->message.data, r->message.len))
		return fail(r, CAY_WS_BAD_DATA);
	return CAY_WS_EVENT_MESSAGE;
}

enum cay_ws_event cay_ws_read(struct cay_ws_reader *r, const unsigned char *data, size_t n,
			      size_t *ret_used)
{
	enum cay_ws_event event = CAY_WS_EVENT_NONE;
	size_t used = 0, k;

	if (r->failure)
		event = CAY_WS_EVENT_FAILED;
	while (event == CAY_WS_EVENT_NONE && (used < n || (r->in_payload && !r->left))) {
		if (!r->in_payload) {
			r->head[r->head_n++] = data[used++];
			if (r->head_n == head_size(r))
				event = begin_frame(r);
			continue;
		}
		k = (size_t)CAY_MIN((uint64_t)(n - used), r->left);
		if (k)
			take_payload(r, data + used, k);
		used += k;
		if (!r->left)
			event = end_frame(r);
	}
	*ret_used = used;
	return event;
}

int cay_ws_close_code(const struct cay_buf *payload)
{
	const unsigned char *p = (const unsigned char *)payload->data;
	int code;

	if (!payload->len)
		return CAY_WS_NO_CODE;
	if (payload->len < 2)
		return 0;
	code = p[0] << 8 | p[1];
	if ((code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
	    (code >= 3000 && code <= 4999))
		return code;
	return 0;
}

size_t cay_ws_frame_head(unsigned char out[CAY_WS_HEAD_MAX], int opcode, uint64_t n,
			 const unsigned char *mask)
{
	size_t at = 2, bytes = n > UINT16_MAX ? 8 : n >= LENGTH_16 ? 2 : 0;

	out[0] = (unsigned char)(FIN | opcode);
	out[1] = (unsigned char)(bytes == 8 ? LENGTH_64 : bytes ? LENGTH_16 : n);
	for (size_t i = bytes; i > 0; i--)
		out[at++] = (unsigned char)(n >> (8 * (i - 1)));
	if (mask) {
		out[1] |= MASKED;
		memcpy(out + at, mask, 4);
		at += 4;
	}
	return at;
}
