/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reader of server-sent events (WHATWG HTML, 9.2.6): feed bytes as they come, get whole events. A
 * line or an event larger than the maximum is an error; comments and unknown fields are skipped.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"

struct cay_sse {
	struct cay_buf line, data;
	char event[32];
	bool after_cr; /* a line end may be CR, LF or both */
	void (*on_event)(const char *event, const char *data, size_t n, void *arg);
	void *arg;
};

void cay_sse_init(struct cay_sse *s, size_t max,
		  void (*on_event)(const char *event, const char *data, size_t n, void *arg),
		  void *arg);
void cay_sse_fini(struct cay_sse *s);
int cay_sse_feed(struct cay_sse *s, const void *data, size_t n,
		 struct cay_error *err) CAY_NODISCARD;
