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

TAP_MAIN({"encodes_the_vectors_of_the_rfc", encodes_the_vectors_of_the_rfc},
	 {"stops_at_the_maximum", stops_at_the_maximum})
