/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to a WebSocket key (RFC 6455, 4.2.2): SHA-1 (FIPS 180-4) is used for nothing else. */
#include <string.h>

#include "base/buf.h"
#include "net/ws.h"

enum {
	BLOCK = 64,
	DIGEST = 20,
};

static uint32_t rotate(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

static uint32_t mix(int i, uint32_t b, uint32_t c, uint32_t d)
{
	static const uint32_t constants[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
	uint32_t f;

	if (i < 20)
		f = (b & c) | (~b & d);
	else if (i < 40 || i >= 60)
		f = b ^ c ^ d;
	else
		f = (b & c) | (b & d) | (c & d);
	return f + constants[i / 20];
}

static void add_block(uint32_t h[5], const unsigned char *p)
{
	uint32_t w[80], v[5], t;

	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
		       (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
	for (int i = 16; i < 80; i++)
		w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	memcpy(v, h, sizeof(v));
	for (int i = 0; i < 80; i++) {
		t = rotate(v[0], 5) + mix(i, v[1], v[2], v[3]) + v[4] + w[i];
		v[4] = v[3];
		v[3] = v[2];
		v[2] = rotate(v[1], 30);
		v[1] = v[0];
		v[0] = t;
	}
	for (int i = 0; i < 5; i++)
		h[i] += v[i];
}

/* Of texts shorter than two blocks with their padding. */
static void sha1(const char *text, size_t n, unsigned char out[DIGEST])
{
	uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	unsigned char block[2 * BLOCK] = {};
	size_t total = n + 9 <= BLOCK ? BLOCK : 2 * BLOCK;

	memcpy(block, text, n);
	block[n] = 0x80;
	block[total - 2] = (unsigned char)(n * 8 >> 8);
	block[total - 1] = (unsigned char)(n * 8);
	for (size_t i = 0; i < total; i += BLOCK)
		add_block(h, block + i);
	for (int i = 0; i < DIGEST; i++)
		out[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i % 4)));
}

void cay_ws_accept_key(const char *key, char out[29])
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned char digest[DIGEST + 1] = {};
	char text[100];
	uint32_t v;
	int n;

	n = snprintf(text, sizeof(text), "%.60s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
	sha1(text, (size_t)n, digest);
	for (int i = 0; i < 7; i++) { /* 20 bytes: the last group is two bytes and '=' */
		v = (uint32_t)digest[3 * i] << 16 | (uint32_t)digest[3 * i + 1] << 8 |
		    digest[3 * i + 2];
		out[4 * i] = digits[v >> 18 & 63];
		out[4 * i + 1] = digits[v >> 12 & 63];
		out[4 * i + 2] = digits[v >> 6 & 63];
		out[4 * i + 3] = digits[v & 63];
	}
	out[27] = '=';
	out[28] = '\0';
}
