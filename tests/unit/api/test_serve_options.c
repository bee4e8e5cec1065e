/* SPDX-License-Identifier: Apache-2.0 */
#include "api/serve_options.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "tap.h"

/* The parser takes argv as main() has it. */
static int parse(const char *const *args, struct cay_serve_options *o, struct cay_error *err)
{
	auto_strv char **argv = cay_strv_copy(args);

	return cay_serve_options_parse(argv, o, err);
}

static void has_defaults(void)
{
	const char *const argv[] = {NULL};
	struct cay_serve_options o = {};
	struct cay_error err = {};

	CHECK_INT(parse(argv, &o, &err), 0);
	CHECK_STR(o.listen[0], "127.0.0.1:7070");
	CHECK(!o.listen[1] && !o.state && !o.log_json);
	CHECK_INT(o.max_sandboxes, 1000);
	cay_serve_options_fini(&o);
}

static void reads_both_forms_and_repeats(void)
{
	const char *const argv[] = {"--listen",
				    "[::1]:0",
				    "--listen=unix:/x",
				    "--state=/s",
				    "--log-format",
				    "json",
				    "--log-level=debug",
				    "--allow-host",
				    "a.example",
				    "--max-sandboxes",
				    "2",
				    NULL};
	struct cay_serve_options o = {};
	struct cay_error err = {};

	CHECK_INT(parse(argv, &o, &err), 0);
	CHECK_STR(o.listen[0], "[::1]:0");
	CHECK_STR(o.listen[1], "unix:/x");
	CHECK_STR(o.state, "/s");
	CHECK_STR(o.allow_hosts[0], "a.example");
	CHECK(o.log_json);
	CHECK_INT(o.log_level, CAY_LOG_DEBUG);
	CHECK_INT(o.max_sandboxes, 2);
	cay_serve_options_fini(&o);
}

static void refuse(const char *a, const char *b, const char *part)
{
	const char *const argv[] = {a, b, NULL};
	struct cay_serve_options o = {};
	struct cay_error err = {};

	CHECK_INT(parse(argv, &o, &err), -1);
	CHECK_INT(err.code, CAY_E_INVALID);
	if (!strstr(err.msg, part) && !strstr(err.hint, part)) {
		printf("# %s: '%s' ('%s') lacks '%s'\n", a, err.msg, err.hint, part);
		tap_failures++;
	}
}

static void refuses_mistakes(void)
{
	refuse("--lisen", "x", "did you mean --listen");
	refuse("x", NULL, "--help");
	refuse("--listen", NULL, "needs a value");
	refuse("--help=1", NULL, "takes no value");
	refuse("--listen", "7070", "ADDR:PORT");
	refuse("--listen", "127.0.0.1:65536", "65535");
	refuse("--listen", "example.com:1", "IP address");
	refuse("--listen", "unix:", "path");
	refuse("--log-level", "loud", "debug");
	refuse("--log-format", "xml", "json");
	refuse("--max-sandboxes", "0", "1 to");
	refuse("--allow-host", "a:1", "without a port");
	refuse("--state", "", "folder");
}

static void help_has_every_option(void)
{
	struct cay_buf help;

	cay_buf_init(&help, 1 << 16);
	cay_serve_options_help(&help);
	CHECK(strstr(help.data, "--listen WHERE"));
	CHECK(strstr(help.data, "--state DIR"));
	CHECK(strstr(help.data, "CAY_API_KEY"));
	CHECK(!help.overflow);
	cay_buf_fini(&help);
}

TAP_MAIN({"has_defaults", has_defaults},
	 {"reads_both_forms_and_repeats", reads_both_forms_and_repeats},
	 {"refuses_mistakes", refuses_mistakes}, {"help_has_every_option", help_has_every_option})
