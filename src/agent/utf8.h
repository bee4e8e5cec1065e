/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 (RFC 3629), one character at a time, for streams that may cut a character in two. */
#pragma once

#include "base/macro.h"

enum { CAY_UTF8_MAX = 4 }; /* bytes of one character */

/* The length of the character at data; 0: there is none, -1: its rest is missing (n > 0). */
int cay_utf8_length(const void *data, size_t n);

/* Writes a code point (U+FFFD for what is none); returns the bytes written. */
size_t cay_utf8_put(uint32_t c, char out[CAY_UTF8_MAX]);

/* How many bytes at the end are the beginning of a character whose rest is missing. */
size_t cay_utf8_partial_tail(const void *data, size_t n);
