/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket frames (RFC 6455, 5): bytes to messages and control frames, and the heads of frames to
 * be sent. No sockets: ws.c has those.
 *
 * A pull reader. Fragments are put together up to a maximum, which is checked against a frame's
 * announced length before any of it is kept.
 */
#pragma once

#include "base/buf.h"

enum cay_ws_opcode {
	CAY_WS_CONTINUATION = 0,
	CAY_WS_TEXT = 1,
	CAY_WS_BINARY = 2,
	CAY_WS_CLOSE = 8,
	CAY_WS_PING = 9,
	CAY_WS_PONG = 10,
};

/* Close codes (7.4.1); the last two are never sent. */
enum {
	CAY_WS_NORMAL = 1000,
	CAY_WS_GOING_AWAY = 1001,
	CAY_WS_PROTOCOL_ERROR = 1002,
	CAY_WS_BAD_DATA = 1007, /* text that is not UTF-8 */
	CAY_WS_TOO_BIG = 1009,
	CAY_WS_NO_CODE = 1005,
	CAY_WS_LOST = 1006,
};

enum {
	CAY_WS_CONTROL_MAX = 125,
	CAY_WS_HEAD_MAX = 14,
};

enum cay_ws_event {
	CAY_WS_EVENT_NONE,    /* more bytes are needed */
	CAY_WS_EVENT_MESSAGE, /* `message`, `is_text`; clear it before going on */
	CAY_WS_EVENT_CONTROL, /* `control`, of kind `opcode` */
	CAY_WS_EVENT_FAILED,  /* close with `failure`; nothing can be read any more */
};

struct cay_ws_reader {
	bool from_client; /* frames must be masked; else must not */
	unsigned char head[CAY_WS_HEAD_MAX];
	size_t head_n;
	bool in_payload, fin;
	bool is_text;               /* the message that is complete */
	int opcode, message_opcode; /* message_opcode: 0 while no message has begun */
	uint64_t left;              /* of this frame's payload */
	unsigned char mask[4];
	unsigned mask_at;
	struct cay_buf message, control;
	int failure;
};

void cay_ws_reader_init(struct cay_ws_reader *r, bool from_client, size_t message_max);
void cay_ws_reader_fini(struct cay_ws_reader *r);

/* Takes bytes up to the next event; *ret_used of n were taken. */
enum cay_ws_event cay_ws_read(struct cay_ws_reader *r, const unsigned char *data, size_t n,
			      size_t *ret_used);

/* The code of a close frame's payload; NO_CODE where it is empty, 0 where it is not allowed. */
int cay_ws_close_code(const struct cay_buf *payload);

/* The head of an unfragmented frame; mask: 4 bytes, or NULL. Returns its length. */
size_t cay_ws_frame_head(unsigned char out[CAY_WS_HEAD_MAX], int opcode, uint64_t n,
			 const unsigned char *mask);
