/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "base/mem.h"
#include "tap.h"

struct input {
	const char *command;
	int64_t count;
	double cpus;
	bool flag;
	json_t *env, *argv;
};

static const struct cay_json_field fields[] = {
	CAY_JSON_FIELD(struct input, command, CAY_JSON_STRING, .required = true, .max = 10),
	CAY_JSON_FIELD(struct input, count, CAY_JSON_INT, .min = 1, .max = 5),
	CAY_JSON_FIELD(struct input, cpus, CAY_JSON_NUMBER, .min = 0.1, .max = 8),
	CAY_JSON_FIELD(struct input, flag, CAY_JSON_BOOL),
	CAY_JSON_FIELD(struct input, env, CAY_JSON_MAP, .max = 2),
	CAY_JSON_FIELD(struct input, argv, CAY_JSON_STRINGS, .max = 2),
};

static int decode(const char *text, struct input *in, unsigned flags, struct cay_error *err)
{
	json_t *j = NULL;
	int r;

	if (cay_json_parse(text, strlen(text), &j, err) < 0)
		return -1;
	r = cay_json_decode(j, fields, CAY_LEN(fields), in, "", flags, err);
	/* Strings are borrowed: only their presence is looked at after this. */
	json_decref(j);
	return r;
}

static void fills_the_struct(void)
{
	struct input in = {.count = 3};
	struct cay_error err = {};

	CHECK(decode("{\"command\":\"ls\",\"cpus\":2,\"flag\":true,\"count\":null}", &in, 0,
		     &err) == 0);
	CHECK(in.command != NULL);
	CHECK_INT(in.count, 3);
	CHECK(in.cpus == 2.0);
	CHECK(in.flag);
}

static void says_what_is_wrong(void)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{"{}", "field 'command' is missing"},
		{"{\"command\":1}", "field 'command' must be a string, got an integer"},
		{"{\"command\":null}", "field 'command' must be a string, got null"},
		{"{\"command\":\"12345678901\"}",
		 "field 'command' is 11 bytes long; at most 10 are allowed"},
		{"{\"command\":\"x\",\"count\":6}", "field 'count' must be from 1 to 5, got 6"},
		{"{\"command\":\"x\",\"count\":1.5}",
		 "field 'count' must be an integer, got a number"},
		{"{\"command\":\"x\",\"cpus\":\"2\"}",
		 "field 'cpus' must be a number, got a string"},
		{"{\"command\":\"x\",\"flag\":0}",
		 "field 'flag' must be true or false, got an integer"},
		{"{\"command\":\"x\",\"env\":{\"A\":1}}",
		 "field 'env' must hold only strings, but has an integer"},
		{"{\"command\":\"x\",\"argv\":[\"a\",\"b\",\"c\"]}",
		 "field 'argv' has 3 entries; at most 2 are allowed"},
		{"{\"command\":\"x\",\"comand\":\"y\"}", "unknown field 'comand'"},
		{"[]", "the body must be a JSON object, got an array"},
	};

	for (size_t i = 0; i < CAY_LEN(rows); i++) {
		struct cay_error err = {};
		struct input in = {};

		CHECK(decode(rows[i].text, &in, 0, &err) == -1);
		CHECK_STR(err.msg, rows[i].message);
		CHECK_INT(err.code, CAY_E_INVALID);
	}
}

static void hints_at_the_nearest_name(void)
{
	struct cay_error err = {};
	struct input in = {};

	CHECK(decode("{\"command\":\"x\",\"comand\":\"y\"}", &in, 0, &err) == -1);
	CHECK_STR(err.hint, "did you mean 'command'?");
	CHECK(decode("{\"command\":\"x\",\"zzzzzz\":\"y\"}", &in, CAY_JSON_LENIENT, &err) == 0);
}

static void refuses_malformed_text(void)
{
	static const char *const wrong[] = {"",
					    "{",
					    "{\"a\":1,}",
					    "{'a':1}",
					    "{\"a\":1} x",
					    "{\"a\":1,\"a\":2}",
					    "\"\\u0000\"",
					    "\"\xff\"",
					    "nul",
					    "{\"a\":NaN}"};

	for (size_t i = 0; i < CAY_LEN(wrong); i++) {
		struct cay_error err = {};
		json_t *j = NULL;

		CHECK(cay_json_parse(wrong[i], strlen(wrong[i]), &j, &err) == -1);
		CHECK(!strncmp(err.msg, "malformed JSON at line", 22));
	}
}

static void bounds_nesting(void)
{
	static char deep[100001];
	struct cay_error err = {};
	json_t *j = NULL;

	memset(deep, '[', sizeof(deep) - 1);
	CHECK(cay_json_parse(deep, sizeof(deep) - 1, &j, &err) == -1);
}

static void repairs_bytes(void)
{
	auto_json json_t *j = cay_json_bytes("a\xff\xc3\xa9\xe2\x82", 6);
	auto_json json_t *plain = cay_json_bytes("a\0b", 3);

	CHECK_STR(json_string_value(j), "a\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd");
	CHECK_INT(json_string_length(plain), 3);
}

static void shapes_errors(void)
{
	struct cay_error err = {};
	auto_json json_t *j = NULL;
	auto_free char *s = NULL;

	cay_fail(&err, CAY_E_NOT_FOUND, 0, "no sandbox 'x'");
	cay_fail_hint(&err, "list them with: cay ls");
	j = cay_json_error(&err);
	s = cay_json_text(j);
	CHECK_STR(s, "{\"error\":{\"code\":\"not_found\",\"message\":\"no sandbox 'x'\","
		     "\"hint\":\"list them with: cay ls\"}}");
}

TAP_MAIN({"fills_the_struct", fills_the_struct}, {"says_what_is_wrong", says_what_is_wrong},
	 {"hints_at_the_nearest_name", hints_at_the_nearest_name},
	 {"refuses_malformed_text", refuses_malformed_text}, {"bounds_nesting", bounds_nesting},
	 {"repairs_bytes", repairs_bytes}, {"shapes_errors", shapes_errors})
