/* SPDX-License-Identifier: Apache-2.0 */
/* Percent-encoding, request targets and server addresses. Text in, text out; opens nothing. */
#include "net/url.h"

#include <string.h>

#include "base/buf.h"
#include "base/text.h"

int cay_url_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The byte that %XX at s (of n bytes) stands for, or -1. */
static int escaped_byte(const char *s, size_t n)
{
	int hi, lo;

	if (n < 3)
		return -1;
	hi = cay_url_hex(s[1]);
	lo = cay_url_hex(s[2]);
	return hi < 0 || lo < 0 ? -1 : hi * 16 + lo;
}

static int bad_escape(const char *s, size_t n, struct cay_error *err)
{
	struct cay_buf shown;

	cay_buf_init(&shown, 64);
	cay_text_quote(&shown, s, CAY_MIN(n, (size_t)3), 3);
	cay_fail(err, CAY_E_INVALID, 0, "'%s' is not a percent-encoded character", shown.data);
	cay_buf_fini(&shown);
	return cay_fail_hint(err, "write a literal percent sign as %%25");
}

static int too_long(const struct cay_buf *out, struct cay_error *err)
{
	return cay_fail(err, CAY_E_LIMIT, 0, "the URL is longer than %zu bytes", out->max);
}

int cay_url_decode(const char *s, size_t n, bool plus, struct cay_buf *out, struct cay_error *err)
{
	size_t run;
	int c;

	for (size_t i = 0; i < n; i++) {
		for (run = 0; i + run < n && s[i + run] != '%' && s[i + run] != '+' && s[i + run];)
			run++;
		if (cay_buf_append(out, s + i, run) < 0)
			return too_long(out, err);
		i += run;
		if (i == n)
			break;
		c = (unsigned char)s[i];
		if (c == '%') {
			c = escaped_byte(s + i, n - i);
			if (c < 0)
				return bad_escape(s + i, n - i, err);
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		if (!c)
			return cay_fail(err, CAY_E_INVALID, 0, "a URL must not contain NUL");
		if (cay_buf_putc(out, (char)c) < 0)
			return too_long(out, err);
	}
	return 0;
}

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-._~", c));
}

void cay_url_encode(const char *s, bool keep_slash, struct cay_buf *out)
{
	static const char digits[] = "0123456789ABCDEF";
	char escape[3] = {'%'};

	for (; *s; s++) {
		if (is_unreserved(*s) || (keep_slash && *s == '/')) {
			cay_buf_putc(out, *s);
			continue;
		}
		escape[1] = digits[(unsigned char)*s >> 4];
		escape[2] = digits[(unsigned char)*s & 15];
		cay_buf_append(out, escape, 3);
	}
}

/* "." and ".." as whole segments of a decoded path. */
static bool has_dot_segment(const char *path)
{
	for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
		size_t n = strcspn(p + 1, "/");

		if ((n == 1 && p[1] == '.') || (n == 2 && p[1] == '.' && p[2] == '.'))
			return true;
	}
	return false;
}

/* Decodes a path, but leaves each encoded slash as the three characters that it is, and says where
 * the first of them lies in `out`. */
static int decode_path(const char *s, size_t n, struct cay_buf *out, size_t *ret_slash,
		       struct cay_error *err)
{
	size_t from = 0;

	for (size_t i = 0; i + 2 < n; i++) {
		if (s[i] != '%' || escaped_byte(s + i, n - i) != '/')
			continue;
		if (cay_url_decode(s + from, i - from, false, out, err) < 0)
			return -1;
		*ret_slash = CAY_MIN(*ret_slash, out->len);
		if (cay_buf_append(out, s + i, 3) < 0)
			return too_long(out, err);
		i += 2;
		from = i + 1;
	}
	return cay_url_decode(s + from, n - from, false, out, err);
}

int cay_url_split_slashed(const char *target, struct cay_buf *path, const char **ret_query,
			  size_t *ret_slash, struct cay_error *err)
{
	size_t n = strcspn(target, "?");
	size_t slash = SIZE_MAX;

	if (target[0] != '/') {
		cay_fail(err, CAY_E_INVALID, 0, "the request target must begin with '/'");
		return cay_fail_hint(err, "send a path, not a whole URL: this is no forward proxy");
	}
	if (memchr(target, '#', strlen(target)))
		return cay_fail(err, CAY_E_INVALID, 0,
				"the request target must not have a fragment ('#')");
	if (decode_path(target, n, path, &slash, err) < 0)
		return -1;
	if (has_dot_segment(path->data))
		return cay_fail(err, CAY_E_INVALID, 0,
				"the request path must not have '.' or '..' segments");
	*ret_query = target + n + (target[n] == '?');
	*ret_slash = slash;
	return 0;
}

int cay_url_split_target(const char *target, struct cay_buf *path, const char **ret_query,
			 struct cay_error *err)
{
	const char *query;
	size_t slash;

	if (cay_url_split_slashed(target, path, &query, &slash, err) < 0)
		return -1;
	if (slash != SIZE_MAX)
		return cay_fail(err, CAY_E_INVALID, 0,
				"the request path must not contain an encoded '/'");
	*ret_query = query;
	return 0;
}

static int parse_port(const char *s, uint16_t *ret, struct cay_error *err)
{
	int64_t port;

	if (cay_text_int(s, "the port", 1, 65535, &port, err) < 0)
		return -1;
	*ret = (uint16_t)port;
	return 0;
}

/* host, host:port, [v6], [v6]:port; only characters that can stand in a Host header. */
static int parse_authority(const char *s, struct cay_url *url, struct cay_error *err)
{
	bool v6 = s[0] == '[';
	const char *host = v6 ? s + 1 : s;
	size_t n = strcspn(host, v6 ? "]" : ":/");
	const char *rest = host + n;

	if (v6 && *rest++ != ']')
		return cay_fail(err, CAY_E_INVALID, 0, "'[' without ']' in the server's URL");
	if (!n || n >= sizeof(url->host))
		return cay_fail(err, CAY_E_INVALID, 0, "the server's URL needs a host");
	for (size_t i = 0; i < n; i++)
		if (!is_unreserved(host[i]) && !(v6 && (host[i] == ':' || host[i] == '%')))
			return cay_fail(err, CAY_E_INVALID, 0,
					"the host in the server's URL has a bad character");
	memcpy(url->host, host, n);
	url->port = 80;
	if (*rest == ':') {
		char port[8] = "";

		n = strcspn(rest + 1, "/");
		if (!n || n >= sizeof(port))
			return cay_fail(err, CAY_E_INVALID, 0,
					"the port in the server's URL is not from 1 to 65535");
		memcpy(port, rest + 1, n);
		if (parse_port(port, &url->port, err) < 0)
			return -1;
		rest += n + 1;
	}
	if (*rest && strcmp(rest, "/") != 0)
		return cay_fail(err, CAY_E_INVALID, 0,
				"the server's URL must end after the host and port");
	return 0;
}

int cay_url_parse_server(const char *url, struct cay_url *ret, struct cay_error *err)
{
	struct cay_url out = {};
	const char *path;

	if (cay_text_starts_with(url, "unix:")) {
		path = url + strlen("unix:");
		if (cay_text_starts_with(path, "///"))
			path += 2;
		if (path[0] != '/' || strlen(path) >= sizeof(out.path))
			return cay_fail(err, CAY_E_INVALID, 0,
					"'unix:' needs an absolute path shorter than %zu bytes",
					sizeof(out.path));
		out.is_unix = true;
		memcpy(out.path, path, strlen(path) + 1);
	} else if (cay_text_starts_with(url, "http://")) {
		if (parse_authority(url + strlen("http://"), &out, err) < 0)
			return -1;
	} else {
		cay_fail(err, CAY_E_INVALID, 0,
			 "the server's URL must begin with http:// or unix:");
		return cay_fail_hint(err,
				     "for example http://127.0.0.1:7070 or unix:/run/cay.sock");
	}
	*ret = out;
	return 0;
}
