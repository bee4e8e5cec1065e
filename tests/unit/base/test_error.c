/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include "base/text.h"
#include "tap.h"

static void wraps_context(void)
{
	struct cay_error err = {};

	CHECK(cay_fail(&err, CAY_E_SYSTEM, ENOENT, "open '%s'", "/x") == -1);
	CHECK(cay_fail_in(&err, "start sandbox %s", "b1") == -1);
	CHECK_STR(err.msg, "start sandbox b1: open '/x': No such file or directory");
	CHECK_INT(err.sys, ENOENT);
}

static void cuts_long_text_between_characters(void)
{
	struct cay_error err = {};
	char text[CAY_ERROR_MSG_MAX * 2 + 1] = "";

	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 3);
	cay_fail(&err, CAY_E_INVALID, 0, "a%s", text);
	CHECK(strlen(err.msg) < CAY_ERROR_MSG_MAX);
	CHECK(cay_text_is_utf8(err.msg, strlen(err.msg)));
	cay_fail(&err, CAY_E_INVALID, 0, "%s", text);
	CHECK(cay_text_is_utf8(err.msg, strlen(err.msg)));
}

static void may_be_made_of_its_own_message(void)
{
	struct cay_error err = {};

	cay_fail(&err, CAY_E_SYSTEM, 0, "inner");
	cay_fail(&err, CAY_E_SETUP, 0, "outer (%s)", err.msg);
	CHECK_STR(err.msg, "outer (inner)");
}

static void table_is_complete_and_distinct(void)
{
	for (int i = CAY_OK + 1; i < CAY_E_COUNT_; i++) {
		enum cay_error_code c = (enum cay_error_code)i;

		CHECK(cay_error_http_status(c) >= 400 && cay_error_http_status(c) < 600);
		CHECK(cay_error_exit_status(c) > 0 && cay_error_exit_status(c) < 128);
		CHECK(*cay_error_meaning(c));
		CHECK(cay_error_from_text(cay_error_text(c)) == c);
	}
	CHECK(cay_error_from_text("nonsense") == CAY_OK);
}

TAP_MAIN({"wraps_context", wraps_context},
	 {"cuts_long_text_between_characters", cuts_long_text_between_characters},
	 {"may_be_made_of_its_own_message", may_be_made_of_its_own_message},
	 {"table_is_complete_and_distinct", table_is_complete_and_distinct})
