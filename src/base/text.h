/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading numbers, sizes, durations and names from text, strictly: the whole string must fit, no
 * white space, no silent wrap. Messages name `what` (an option, a field) and show the bad value.
 */
#pragma once

#include "base/error.h"

/* A decimal integer within [min, max]. */
int cay_text_int(const char *s, const char *what, int64_t min, int64_t max, int64_t *ret,
		 struct cay_error *err) CAY_NODISCARD;

/* A decimal number such as 1.5 within [min, max]; no exponent, inf or nan. */
int cay_text_number(const char *s, const char *what, double min, double max, double *ret,
		    struct cay_error *err) CAY_NODISCARD;

/* Bytes: "1048576", "512k", "512m", "2g" (powers of 1024; upper or lower case, optional "b" or
 * "ib"). */
int cay_text_size(const char *s, const char *what, uint64_t max_bytes, uint64_t *ret_bytes,
		  struct cay_error *err) CAY_NODISCARD;

/* A duration: "30s", "500ms", "5m", "2h", "1d", or plain seconds ("30", "1.5"). */
int cay_text_duration(const char *s, const char *what, uint64_t max_ms, uint64_t *ret_ms,
		      struct cay_error *err) CAY_NODISCARD;

/* A name that may appear in paths, cgroups and host names: [a-z0-9][a-z0-9_.-]{0,62}, no "..". */
int cay_text_name(const char *s, const char *what, struct cay_error *err) CAY_NODISCARD;

bool cay_text_is_utf8(const void *data, size_t n);
bool cay_text_starts_with(const char *s, const char *prefix);

/* Appends s to a line for people or for a log: control characters and invalid UTF-8 as \xNN, so
 * that output of a sandbox cannot drive the terminal. Cut after max bytes with "...". */
struct cay_buf;
void cay_text_quote(struct cay_buf *out, const void *s, size_t n, size_t max);

/* Compares secrets in time that depends only on the length of `given`. */
bool cay_text_equal_secret(const char *given, const char *secret);

/* Of `names` (NULL-terminated) the one closest to `s` by edit distance, or NULL if none is near.
 * For "did you mean". */
const char *cay_text_nearest(const char *s, const char *const *names);
