/* SPDX-License-Identifier: Apache-2.0 */
/* Percent-encoding and request targets (RFC 3986). */
#pragma once

#include "base/error.h"

struct cay_buf;

/* Decodes %XX (and '+' as a space where plus is set) of n bytes into out. -1 (INVALID) for a bad
 * escape or an encoded NUL. */
int cay_url_decode(const char *s, size_t n, bool plus, struct cay_buf *out,
		   struct cay_error *err) CAY_NODISCARD;

/* Encodes everything but unreserved characters, and '/' where keep_slash is set. */
void cay_url_encode(const char *s, bool keep_slash, struct cay_buf *out);

/* A request target in origin form to its decoded path and its raw query: no scheme, no fragment, no
 * NUL, no encoded '/' in the path, no "." or ".." segment after decoding (INVALID). */
int cay_url_split_target(const char *target, struct cay_buf *path, const char **ret_query,
			 struct cay_error *err) CAY_NODISCARD;

/* The same for servers that hand part of the path on as sent: each encoded '/' stays as the three
 * characters that it is; *ret_slash is where in `path` the first begins, SIZE_MAX without one. */
int cay_url_split_slashed(const char *target, struct cay_buf *path, const char **ret_query,
			  size_t *ret_slash, struct cay_error *err) CAY_NODISCARD;

int cay_url_hex(char c); /* the value of a hexadecimal digit, or -1 */

/* "http://host:port", "http://host", "unix:/path", "unix:///path". */
struct cay_url {
	bool is_unix;
	char host[256]; /* without the brackets of an IPv6 address */
	uint16_t port;
	char path[1024]; /* unix: the socket */
};
int cay_url_parse_server(const char *url, struct cay_url *ret, struct cay_error *err) CAY_NODISCARD;
