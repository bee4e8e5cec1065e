/* SPDX-License-Identifier: Apache-2.0 */
#include "api/create_input.h"

#include <string.h>

#include "base/json.h"
#include "tap.h"

static json_t *body;

/* Decodes text; the body stays until the next call, because the result borrows from it. */
static int decode(const char *text, struct cay_sandbox_spec *spec, struct cay_error *err)
{
	json_decref(body);
	body = NULL;
	if (cay_json_parse(text, strlen(text), &body, err) < 0)
		return -1;
	return cay_create_input_decode(body, spec, err);
}

static void refuse(const char *text, enum cay_error_code code, const char *part)
{
	struct cay_sandbox_spec spec = {};
	struct cay_error err = {};

	CHECK_INT(decode(text, &spec, &err), -1);
	CHECK_INT(err.code, code);
	if (!strstr(err.msg, part)) {
		printf("# %s: message '%s' lacks '%s'\n", text, err.msg, part);
		tap_failures++;
	}
}

static void takes_everything(void)
{
	struct cay_sandbox_spec spec = {};
	struct cay_error err = {};

	CHECK_INT(decode("{\"runtime\":\"local\",\"name\":\"a-1\",\"env\":{\"A_1\":\"x\"},"
			 "\"resources\":{\"cpus\":1.5,\"memory_mb\":512,\"pids\":64},"
			 "\"network\":{\"mode\":\"host\"},"
			 "\"workspace\":{\"path\":\"/tmp\",\"mode\":\"ro\"},"
			 "\"timeout_s\":1.5,\"labels\":{\"team\":\"x\"}}",
			 &spec, &err),
		  0);
	CHECK_STR(spec.runtime, "local");
	CHECK_STR(spec.name, "a-1");
	CHECK_INT(spec.machine.memory_bytes, 512ULL << 20);
	CHECK_INT(spec.machine.pids, 64);
	CHECK(spec.machine.cpus > 1.49 && spec.machine.cpus < 1.51);
	CHECK_INT(spec.machine.net, CAY_MACHINE_NET_HOST);
	CHECK_STR(spec.machine.workspace, "/tmp");
	CHECK(spec.machine.workspace_read_only);
	CHECK_INT(spec.timeout_ms, 1500);
	CHECK_STR(json_string_value(json_object_get(spec.labels, "team")), "x");
}

static void nothing_is_required(void)
{
	struct cay_sandbox_spec spec = {};
	struct cay_error err = {};

	CHECK_INT(decode("{}", &spec, &err), 0);
	CHECK_INT(cay_create_input_decode(NULL, &spec, &err), 0);
	CHECK(!spec.name && !spec.machine.workspace && !spec.timeout_ms);
	CHECK_INT(spec.machine.net, CAY_MACHINE_NET_NONE);
}

static void refuses_wrong_types_and_unknown_fields(void)
{
	refuse("[]", CAY_E_INVALID, "must be a JSON object");
	refuse("{\"name\":1}", CAY_E_INVALID, "'name' must be a string");
	refuse("{\"nam\":\"x\"}", CAY_E_INVALID, "unknown field 'nam'");
	refuse("{\"resources\":{\"cpu\":1}}", CAY_E_INVALID, "unknown field 'resources.cpu'");
	refuse("{\"env\":{\"A\":1}}", CAY_E_INVALID, "'env' must hold only strings");
	refuse("{\"network\":{}}", CAY_E_INVALID, "'network.mode' is missing");
	refuse("{\"workspace\":\"/tmp\"}", CAY_E_INVALID, "'workspace' must be an object");
}

static void refuses_limits_out_of_range(void)
{
	refuse("{\"resources\":{\"memory_mb\":-1}}", CAY_E_INVALID, "resources.memory_mb");
	refuse("{\"resources\":{\"memory_mb\":0}}", CAY_E_INVALID, "resources.memory_mb");
	refuse("{\"resources\":{\"memory_mb\":9223372036854775807}}", CAY_E_INVALID,
	       "resources.memory_mb");
	refuse("{\"resources\":{\"cpus\":-0.5}}", CAY_E_INVALID, "resources.cpus");
	refuse("{\"resources\":{\"cpus\":1e300}}", CAY_E_INVALID, "resources.cpus");
	refuse("{\"resources\":{\"pids\":0}}", CAY_E_INVALID, "resources.pids");
	refuse("{\"timeout_s\":0}", CAY_E_INVALID, "timeout_s");
	refuse("{\"timeout_s\":1e12}", CAY_E_INVALID, "timeout_s");
}

static void refuses_bad_names(void)
{
	refuse("{\"name\":\"\"}", CAY_E_INVALID, "name");
	refuse("{\"name\":\"../x\"}", CAY_E_INVALID, "name");
	refuse("{\"name\":\"A b\"}", CAY_E_INVALID, "name");
	refuse("{\"env\":{\"A=B\":\"x\"}}", CAY_E_INVALID, "bad name 'A=B'");
	refuse("{\"env\":{\"1A\":\"x\"}}", CAY_E_INVALID, "bad name '1A'");
	refuse("{\"env\":{\"\":\"x\"}}", CAY_E_INVALID, "bad name");
	refuse("{\"labels\":{\"a b\":\"x\"}}", CAY_E_INVALID, "bad key 'a b'");
}

static void refuses_bad_workspaces(void)
{
	refuse("{\"workspace\":{\"path\":\"relative\"}}", CAY_E_INVALID, "workspace.path");
	refuse("{\"workspace\":{\"path\":\"/tmp/../etc\"}}", CAY_E_INVALID, "workspace.path");
	refuse("{\"workspace\":{\"path\":\"/tmp\\u0000x\"}}", CAY_E_INVALID, "");
	refuse("{\"workspace\":{\"path\":\"/no/such/folder\"}}", CAY_E_INVALID, "No such file");
	refuse("{\"workspace\":{\"path\":\"/proc/self/exe\"}}", CAY_E_INVALID, "not a folder");
	refuse("{\"workspace\":{\"path\":\"/tmp\",\"mode\":\"rx\"}}", CAY_E_INVALID,
	       "'rw' or 'ro'");
}

static void says_what_is_not_supported(void)
{
	refuse("{\"image\":\"debian\"}", CAY_E_UNSUPPORTED, "images");
	refuse("{\"template\":\"base\"}", CAY_E_UNSUPPORTED, "templates");
	refuse("{\"on_timeout\":\"pause\"}", CAY_E_UNSUPPORTED, "on_timeout");
	refuse("{\"resources\":{\"disk_mb\":1}}", CAY_E_UNSUPPORTED, "disk");
	refuse("{\"network\":{\"mode\":\"filtered\"}}", CAY_E_UNSUPPORTED, "filtered");
	refuse("{\"network\":{\"mode\":\"none\",\"allow\":[]}}", CAY_E_UNSUPPORTED, "rules");
	refuse("{\"workspace\":{\"path\":\"/tmp\",\"mode\":\"cow\"}}", CAY_E_UNSUPPORTED, "cow");
}

static void bounds_the_idempotency_key(void)
{
	struct cay_error err = {};
	char key[CAY_CREATE_KEY_MAX + 2];

	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	CHECK_INT(cay_create_input_check_key(key, &err), -1);
	CHECK_INT(cay_create_input_check_key(key + 1, &err), 0);
	CHECK_INT(cay_create_input_check_key("", &err), -1);
	CHECK_INT(cay_create_input_check_key("a\tb", &err), -1);
	json_decref(body);
	body = NULL;
}

TAP_MAIN({"takes_everything", takes_everything}, {"nothing_is_required", nothing_is_required},
	 {"refuses_wrong_types_and_unknown_fields", refuses_wrong_types_and_unknown_fields},
	 {"refuses_limits_out_of_range", refuses_limits_out_of_range},
	 {"refuses_bad_names", refuses_bad_names},
	 {"refuses_bad_workspaces", refuses_bad_workspaces},
	 {"says_what_is_not_supported", says_what_is_not_supported},
	 {"bounds_the_idempotency_key", bounds_the_idempotency_key})
