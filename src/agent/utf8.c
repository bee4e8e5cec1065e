/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/utf8.h"

/* Lead bytes, bounds of the second byte, and the length (Unicode, table 3-7). */
static const struct {
	unsigned char first, last, low, high;
	int length;
} leads[] = {
	{0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
	{0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
	{0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

int cay_utf8_length(const void *data, size_t n)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < CAY_LEN(leads); i++) {
		if (p[0] < leads[i].first || p[0] > leads[i].last)
			continue;
		for (size_t at = 1; at < (size_t)leads[i].length; at++) {
			if (at == n)
				return -1;
			if (at == 1 ? p[1] < leads[i].low || p[1] > leads[i].high
				    : (p[at] & 0xc0) != 0x80)
				return 0;
		}
		return leads[i].length;
	}
	return 0;
}

size_t cay_utf8_put(uint32_t c, char out[CAY_UTF8_MAX])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		c = 0xfffd;
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

size_t cay_utf8_partial_tail(const void *data, size_t n)
{
	const unsigned char *p = data;

	for (size_t back = 1; back <= CAY_MIN(n, (size_t)CAY_UTF8_MAX - 1); back++)
		if ((p[n - back] & 0xc0) != 0x80)
			return cay_utf8_length(p + n - back, back) < 0 ? back : 0;
	return 0;
}
