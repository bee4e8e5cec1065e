/* SPDX-License-Identifier: Apache-2.0 */
#include "api/access.h"

#include "tap.h"

static char *hosts[] = {(char[]){"localhost"}, (char[]){"127.0.0.1"}, (char[]){"::1"},
			(char[]){"Box.example"}, NULL};
static const struct cay_access access_rules = {.api_key = "s3cret", .hosts = hosts};

static int check_host(const char *host)
{
	struct cay_error err = {};
	int r = cay_access_check_host(&access_rules, host, &err);

	CHECK(r == 0 || err.code == CAY_E_MISDIRECTED);
	return r;
}

static void knows_its_hosts(void)
{
	CHECK_INT(check_host("localhost"), 0);
	CHECK_INT(check_host("LOCALHOST:7070"), 0);
	CHECK_INT(check_host("127.0.0.1:1"), 0);
	CHECK_INT(check_host("[::1]:7070"), 0);
	CHECK_INT(check_host("[::1]"), 0);
	CHECK_INT(check_host("box.example:80"), 0);
}

static void refuses_other_hosts(void)
{
	CHECK_INT(check_host(NULL), -1);
	CHECK_INT(check_host(""), -1);
	CHECK_INT(check_host(":7070"), -1);
	CHECK_INT(check_host("evil.example"), -1);
	CHECK_INT(check_host("localhost.evil.example"), -1);
	CHECK_INT(check_host("10.0.0.1:7070"), -1);
	CHECK_INT(check_host("[::1"), -1);
	CHECK_INT(check_host("[::1]x"), -1);
	CHECK_INT(check_host("[]"), -1);
	CHECK_INT(check_host("localhost:80/x"), -1);
	CHECK_INT(check_host("localhost:\xff"), -1);
	CHECK_INT(check_host("[::1]:80\"x"), -1);
}

static void a_wildcard_takes_any_address_but_no_name(void)
{
	const struct cay_access any = {.api_key = "k", .hosts = hosts, .any_address = true};
	struct cay_error err = {};

	CHECK_INT(cay_access_check_host(&any, "10.0.0.1:7070", &err), 0);
	CHECK_INT(cay_access_check_host(&any, "[fe80::1]:7070", &err), 0);
	CHECK_INT(cay_access_check_host(&any, "10.0.0.1.evil.example", &err), -1);
}

static int check_origin(const char *origin, const char *site)
{
	struct cay_error err = {};
	int r = cay_access_check_origin("localhost:7070", origin, site, &err);

	CHECK(r == 0 || err.code == CAY_E_DENIED);
	return r;
}

static void only_our_own_pages_may_speak(void)
{
	CHECK_INT(check_origin(NULL, NULL), 0);
	CHECK_INT(check_origin("http://localhost:7070", NULL), 0);
	CHECK_INT(check_origin("http://localhost:7070", "same-origin"), 0);
	CHECK_INT(check_origin(NULL, "none"), 0);
	CHECK_INT(check_origin("http://localhost:3000", NULL), -1);
	CHECK_INT(check_origin("http://localhost:7070.evil.example", NULL), -1);
	CHECK_INT(check_origin("null", NULL), -1);
	CHECK_INT(check_origin("", NULL), -1);
	CHECK_INT(check_origin(NULL, "cross-site"), -1);
	CHECK_INT(check_origin(NULL, "same-site"), -1);
}

static void takes_the_key_in_both_headers(void)
{
	CHECK(cay_access_has_key(&access_rules, "s3cret", NULL));
	CHECK(cay_access_has_key(&access_rules, NULL, "Bearer s3cret"));
	CHECK(cay_access_has_key(&access_rules, NULL, "bearer  s3cret"));
	CHECK(cay_access_has_key(&access_rules, "wrong", "Bearer s3cret"));
	CHECK(!cay_access_has_key(&access_rules, NULL, NULL));
	CHECK(!cay_access_has_key(&access_rules, "", NULL));
	CHECK(!cay_access_has_key(&access_rules, "s3cre", NULL));
	CHECK(!cay_access_has_key(&access_rules, "s3crets", NULL));
	CHECK(!cay_access_has_key(&access_rules, NULL, "s3cret"));
	CHECK(!cay_access_has_key(&access_rules, NULL, "Basic s3cret"));
	CHECK(!cay_access_has_key(&access_rules, NULL, "Bearer "));
}

TAP_MAIN({"knows_its_hosts", knows_its_hosts}, {"refuses_other_hosts", refuses_other_hosts},
	 {"a_wildcard_takes_any_address_but_no_name", a_wildcard_takes_any_address_but_no_name},
	 {"only_our_own_pages_may_speak", only_our_own_pages_may_speak},
	 {"takes_the_key_in_both_headers", takes_the_key_in_both_headers})
