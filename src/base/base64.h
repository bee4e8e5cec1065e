/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 (RFC 4648, 4), with padding. */
#pragma once

#include "base/buf.h"

/* Appends; -1 past the buffer's maximum. */
int cay_base64_encode(const void *data, size_t n, struct cay_buf *out);

/* Appends what n characters stand for. -1 where they are not base64, or past the maximum; out may
 * then hold a part. */
int cay_base64_decode(const char *s, size_t n, struct cay_buf *out);
