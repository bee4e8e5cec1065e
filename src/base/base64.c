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

static int digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int cay_base64_decode(const char *s, size_t n, struct cay_buf *out)
{
	uint32_t bits = 0;
	unsigned have = 0;

	if (n % 4)
		return -1;
	for (unsigned pad = 0; pad < 2 && n > 0 && s[n - 1] == '='; pad++)
		n--;
	for (size_t i = 0; i < n; i++) {
		int v = digit_value(s[i]);

		if (v < 0)
			return -1;
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have >= 8) {
			have -= 8;
			cay_buf_putc(out, (char)(bits >> have & 0xff));
		}
	}
	return out->overflow ? -1 : 0;
}
