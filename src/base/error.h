/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one error type. A function that can fail returns 0 or -1 (or a pointer or NULL), takes
 * `struct cay_error *err` last, fills it where the facts are known and never touches it on success.
 *
 * The caller owns the struct, usually on its stack; nothing is allocated, so it works when memory
 * is out and between clone and exec, and it travels through a pipe as one value. It is plain data.
 */
#pragma once

#include "base/macro.h"

enum cay_error_code {
	CAY_OK = 0,
#define CAY_ERROR(name, http, exit, text, meaning) CAY_E_##name,
#include "base/errors.def"
#undef CAY_ERROR
	CAY_E_COUNT_,
};

enum {
	CAY_ERROR_MSG_MAX = 400,
	CAY_ERROR_HINT_MAX = 300,
};

struct cay_error {
	enum cay_error_code code;
	int sys;                       /* errno of the failed call, or 0 */
	char msg[CAY_ERROR_MSG_MAX];   /* what happened; one sentence without a final stop */
	char hint[CAY_ERROR_HINT_MAX]; /* what to do next; may be empty */
};

/* Fills err and returns -1, so that a failing function reports in one statement. A non-zero `sys`
 * (an errno value) is kept and its text appended. Over-long text is cut at a UTF-8 boundary. */
int cay_fail(struct cay_error *err, enum cay_error_code code, int sys, const char *fmt, ...)
	CAY_PRINTF(4, 5);

/* Puts "context: " in front of an error that a callee has filled. Returns -1. */
int cay_fail_in(struct cay_error *err, const char *fmt, ...) CAY_PRINTF(2, 3);

/* Adds the advice that goes with an error. Returns -1. */
int cay_fail_hint(struct cay_error *err, const char *fmt, ...) CAY_PRINTF(2, 3);

/* The error that fits an errno of a file operation: ENOENT is NOT_FOUND, EACCES is DENIED, ... */
enum cay_error_code cay_error_from_errno(int sys);

/* Columns of the table. An unknown code counts as INTERNAL. */
const char *cay_error_text(enum cay_error_code code);
const char *cay_error_meaning(enum cay_error_code code);
int cay_error_http_status(enum cay_error_code code);
int cay_error_exit_status(enum cay_error_code code);

/* The code whose public text is `text`, or CAY_OK where there is none. */
enum cay_error_code cay_error_from_text(const char *text);
