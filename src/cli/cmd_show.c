/* SPDX-License-Identifier: Apache-2.0 */
/* cay show: GET /v1/sandboxes/{id}. */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/output.h"

enum { NAME_WIDTH = 24, DEPTH_MAX = 4 };

static void put_value(const char *name, const json_t *value, int depth);

/* Members of an object as "outer.inner" facts. */
static void put_members(const char *prefix, const json_t *object, int depth)
{
	/* jansson's iteration takes a pointer without const, but changes nothing. */
	json_t *members = (json_t *)(uintptr_t)object;
	const char *name;
	json_t *value;

	json_object_foreach (members, name, value) {
		auto_free char *path = cay_format("%s%s%s", prefix, *prefix ? "." : "", name);

		put_value(path, value, depth);
	}
}

static void put_value(const char *name, const json_t *value, int depth)
{
	auto_free char *text = NULL;

	/* A key is for programs: --json has it. */
	if (!strcmp(name, "session_api_key"))
		return;
	if (json_is_null(value) || (json_is_array(value) && !json_array_size(value)))
		return;
	if (json_is_object(value) && depth < DEPTH_MAX) {
		put_members(name, value, depth + 1);
		return;
	}
	text = json_is_string(value) ? cay_strdup(json_string_value(value))
				     : json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
	cay_output_fact(name, NAME_WIDTH, text);
}

static int run(void *arg, char **operands, struct cay_error *err)
{
	const struct cay_common *common = arg;
	auto_client struct cay_client c = {};
	auto_free char *target = cay_client_target(operands[0], "%s", "");
	json_t *answer;

	if (cay_client_open(common, &c, err) < 0 ||
	    cay_client_json(&c, "GET", target, NULL, &answer, err) < 0)
		return -1;
	if (common->json) {
		cay_output_json(answer);
		return 0;
	}
	put_members("", answer, 0);
	json_decref(answer);
	return 0;
}

static const struct cay_example examples[] = {
	{"cay show dev", "state, address, isolation and limits of a sandbox"},
	{},
};

const struct cay_command cay_cmd_show = {
	.name = "show",
	.summary = "say what is known about a sandbox, with what isolates it",
	.operands = "SANDBOX",
	.examples = examples,
	.size = sizeof(struct cay_common),
	.flags = CAY_COMMAND_CLIENT,
	.min_operands = 1,
	.max_operands = 1,
	.complete = CAY_COMPLETE_SANDBOX,
	.run = run,
};
