/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include "tap.h"

static void check(const char *text, const char *want)
{
	struct cay_buf b;

	cay_buf_init(&b, 64);
	CHECK(cay_base64_encode(text, strlen(text), &b) == 0);
	CHECK_STR(b.data, want);
	cay_buf_fini(&b);
}

/* RFC 4648, 10. */
static void encodes_the_vectors_of_the_rfc(void)
{
	check("", "");
	check("f", "Zg==");
	check("fo", "Zm8=");
	check("foo", "Zm9v");
	check("foob", "Zm9vYg==");
	check("fooba", "Zm9vYmE=");
	check("foobar", "Zm9vYmFy");
	check("\xff\xfe\xfd\xfc", "//79/A==");
}

static void stops_at_the_maximum(void)
{
	struct cay_buf b;

	cay_buf_init(&b, 7);
	CHECK(cay_base64_encode("foob", 4, &b) < 0);
	CHECK_INT(b.len, 0);
	cay_buf_fini(&b);
}

static const char *decoded(const char *text, size_t max)
{
	static struct cay_buf out;

	cay_buf_fini(&out);
	cay_buf_init(&out, max);
	return cay_base64_decode(text, strlen(text), &out) == 0 ? out.data : NULL;
}

static void decodes_and_refuses(void)
{
	/* RFC 4648, 10. */
	CHECK_STR(decoded("", 10), "");
	CHECK_STR(decoded("Zg==", 10), "f");
	CHECK_STR(decoded("Zm8=", 10), "fo");
	CHECK_STR(decoded("Zm9v", 10), "foo");
	CHECK_STR(decoded("Zm9vYmFy", 10), "foobar");
	CHECK_STR(decoded("+/+/", 10), "\xfb\xff\xbf");
	CHECK(!decoded("Zg=", 10));
	CHECK(!decoded("Z", 10));
	CHECK(!decoded("Zg-_", 10));
	CHECK(!decoded("=Zg=", 10));
	CHECK(!decoded("Zm9vYmFy", 5));
	CHECK_STR(decoded("", 1), "");
}

TAP_MAIN({"encodes_the_vectors_of_the_rfc", encodes_the_vectors_of_the_rfc},
	 {"stops_at_the_maximum", stops_at_the_maximum},
	 {"decodes_and_refuses", decodes_and_refuses})
