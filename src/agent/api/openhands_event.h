/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Actions in and observations out, as OpenHands serializes them:
 *
 *	{"action": "run", "args": {...}, "timeout"?: 120.0}
 *	{"observation": "run", "content": "...", "extras": {...}, "message": "...", "success"?: true}
 *
 * A failure of parsing is answered with 500 and a text that shows the action in Python's notation,
 * because the original is Python and its clients show the text to the model.
 */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "base/error.h"

struct cay_oh_action {
	const char *type;
	const json_t *args;    /* never NULL; only known arguments, the required ones are there */
	const json_t *timeout; /* a number, or NULL: none */
};

/* Fields borrow from `event`, but for args: *ret_args is owned by the caller. The error's message is
 * the "detail" of the answer, without "Internal server error: ". */
int cay_oh_action_parse(json_t *event, struct cay_oh_action *ret, json_t **ret_args,
			struct cay_buf *detail) CAY_NODISCARD;

/* Arguments with the original's defaults; another type counts as Python would see it. */
const char *cay_oh_arg_string(const struct cay_oh_action *a, const char *name); /* NULL: none */
bool cay_oh_arg_true(const struct cay_oh_action *a, const char *name);
int64_t cay_oh_arg_int(const struct cay_oh_action *a, const char *name, int64_t fallback);

/* Observations. `extras` and `content` are taken. */
json_t *cay_oh_observation(const char *type, json_t *content, json_t *extras, json_t *message);
json_t *cay_oh_error(const char *content, const char *error_id);
json_t *cay_oh_errorf(const char *fmt, ...) CAY_PRINTF(1, 2);

/* content as a JSON string, with its middle cut out past 30,000 characters. */
json_t *cay_oh_truncated(const char *content, size_t n);

/* A value in Python's notation: {'a': 1, 'b': None}. */
void cay_oh_repr(const json_t *value, struct cay_buf *out);
