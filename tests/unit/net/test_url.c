/* SPDX-License-Identifier: Apache-2.0 */
#include "net/url.h"

#include <string.h>

#include "base/buf.h"

#include "tap.h"

static const char *decoded(const char *s, bool plus)
{
	static char out[100];
	struct cay_error err;
	struct cay_buf b;
	int rc;

	cay_buf_init(&b, 50);
	rc = cay_url_decode(s, strlen(s), plus, &b, &err);
	snprintf(out, sizeof(out), "%s", rc < 0 ? cay_error_text(err.code) : b.data);
	cay_buf_fini(&b);
	return out;
}

static void decodes(void)
{
	CHECK_STR(decoded("a%20b+c%2Fd%2f", false), "a b+c/d/");
	CHECK_STR(decoded("a+b", true), "a b");
	CHECK_STR(decoded("%C3%A9", false), "\xc3\xa9");
	CHECK_STR(decoded("%", false), "invalid_argument");
	CHECK_STR(decoded("a%4", false), "invalid_argument");
	CHECK_STR(decoded("%zz", false), "invalid_argument");
	CHECK_STR(decoded("a%00b", false), "invalid_argument");
	CHECK_STR(decoded("123456789012345678901234567890123456789012345678901", false),
		  "too_large");
}

static void encodes(void)
{
	struct cay_buf b;

	cay_buf_init(&b, 100);
	cay_url_encode("/a b/%\xc3\xa9~", true, &b);
	CHECK_STR(b.data, "/a%20b/%25%C3%A9~");
	cay_buf_clear(&b);
	cay_url_encode("/a", false, &b);
	CHECK_STR(b.data, "%2Fa");
	cay_buf_fini(&b);
}

static const char *split(const char *target)
{
	static char out[200];
	const char *query;
	struct cay_error err;
	struct cay_buf b;
	int rc;

	cay_buf_init(&b, 100);
	rc = cay_url_split_target(target, &b, &query, &err);
	if (rc < 0)
		snprintf(out, sizeof(out), "%s", cay_error_text(err.code));
	else
		snprintf(out, sizeof(out), "%s ? %s", b.data, query);
	cay_buf_fini(&b);
	return out;
}

static void splits_targets(void)
{
	CHECK_STR(split("/"), "/ ? ");
	CHECK_STR(split("/a%20b?x=%20?y"), "/a b ? x=%20?y");
	CHECK_STR(split("/..a/.b/c."), "/..a/.b/c. ? ");
	CHECK_STR(split("/a//b/"), "/a//b/ ? ");
	CHECK_STR(split(""), "invalid_argument");
	CHECK_STR(split("*"), "invalid_argument");
	CHECK_STR(split("http://host/x"), "invalid_argument");
	CHECK_STR(split("/a#b"), "invalid_argument");
	CHECK_STR(split("/a/../b"), "invalid_argument");
	CHECK_STR(split("/a/%2e%2E/b"), "invalid_argument");
	CHECK_STR(split("/."), "invalid_argument");
	CHECK_STR(split("/a%2fb"), "invalid_argument");
	CHECK_STR(split("/a%00"), "invalid_argument");
	CHECK_STR(split("/a%"), "invalid_argument");
}

static void keeps_slashes_where_asked(void)
{
	const char *query;
	struct cay_error err;
	struct cay_buf b;
	size_t slash;

	cay_buf_init(&b, 100);
	CHECK_INT(cay_url_split_slashed("/a%20/b%2Fc%2f?q", &b, &query, &slash, &err), 0);
	CHECK_STR(b.data, "/a /b%2Fc%2f");
	CHECK_INT(slash, 5);
	CHECK_STR(query, "q");
	cay_buf_clear(&b);
	CHECK_INT(cay_url_split_slashed("/a%2", &b, &query, &slash, &err), -1);
	cay_buf_fini(&b);
}

static const char *server(const char *url)
{
	static char out[400];
	struct cay_error err;
	struct cay_url u;

	if (cay_url_parse_server(url, &u, &err) < 0)
		return cay_error_text(err.code);
	if (u.is_unix)
		snprintf(out, sizeof(out), "unix %s", u.path);
	else
		snprintf(out, sizeof(out), "%s %u", u.host, u.port);
	return out;
}

static void parses_servers(void)
{
	CHECK_STR(server("http://127.0.0.1:7070"), "127.0.0.1 7070");
	CHECK_STR(server("http://localhost/"), "localhost 80");
	CHECK_STR(server("http://[::1]:80/"), "::1 80");
	CHECK_STR(server("unix:/run/x.sock"), "unix /run/x.sock");
	CHECK_STR(server("unix:///run/x.sock"), "unix /run/x.sock");
	CHECK_STR(server("https://x"), "invalid_argument");
	CHECK_STR(server("http://"), "invalid_argument");
	CHECK_STR(server("http://x:"), "invalid_argument");
	CHECK_STR(server("http://x:0"), "invalid_argument");
	CHECK_STR(server("http://x:70000"), "invalid_argument");
	CHECK_STR(server("http://x:123456789"), "invalid_argument");
	CHECK_STR(server("http://x/path"), "invalid_argument");
	CHECK_STR(server("http://a b"), "invalid_argument");
	CHECK_STR(server("http://[::1"), "invalid_argument");
	CHECK_STR(server("unix:relative"), "invalid_argument");
	CHECK_STR(server(""), "invalid_argument");
}

TAP_MAIN({"decodes", decodes}, {"encodes", encodes}, {"splits_targets", splits_targets},
	 {"keeps_slashes_where_asked", keeps_slashes_where_asked},
	 {"parses_servers", parses_servers})
