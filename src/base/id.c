/* SPDX-License-Identifier: Apache-2.0 */
/* Random identifiers and keys. */
#include "base/id.h"

#include <sys/random.h>

void cay_random_bytes(void *out, size_t n)
{
	char *p = out;
	ssize_t k;

	while (n > 0) {
		k = getrandom(p, n, 0);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			abort(); /* no kernel that cay runs on lacks it; never go on with weak keys
				  */
		p += k;
		n -= (size_t)k;
	}
}

void cay_id_random(char *out, size_t n)
{
	/* 31 symbols: bytes of 248 and above are thrown away so that each is equally likely. */
	static const char symbols[] = "abcdefghijkmnpqrstuvwxyz23456789";
	enum { N_SYMBOLS = 31 };
	unsigned char byte;

	for (size_t i = 0; i < n;) {
		cay_random_bytes(&byte, 1);
		if (byte >= 256 / N_SYMBOLS * N_SYMBOLS)
			continue;
		/* An id begins with a letter, so that no tool takes it for a number. */
		if (i == 0 && byte % N_SYMBOLS >= 23)
			continue;
		out[i++] = symbols[byte % N_SYMBOLS];
	}
	out[n] = '\0';
}
