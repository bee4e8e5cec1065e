/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

int cay_base64_encode(const void *data, size_t n, struct cay_buf *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = data;
	char *to = cay_buf_reserve(out, (n + 2) / 3 * 4);
	size_t left = n;

	if (!to)
		return -1;
	for (; left >= 3; left -= 3, p += 3) {
		*to++ = digits[p[0] >> 2];
		*to++ = digits[(p[0] & 3) << 4 | p[1] >> 4];
		*to++ = digits[(p[1] & 15) << 2 | p[2] >> 6];
		*to++ = digits[p[2] & 63];
	}
	if (left > 0) {
		unsigned char second = left > 1 ? p[1] : 0;

		*to++ = digits[p[0] >> 2];
		*to++ = digits[(p[0] & 3) << 4 | second >> 4];
		*to++ = left > 1 ? digits[(second & 15) << 2] : '=';
		*to++ = '=';
	}
	out->len += (n + 2) / 3 * 4;
	out->data[out->len] = '\0';
	return 0;
}
