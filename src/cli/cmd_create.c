/* SPDX-License-Identifier: Apache-2.0 */
/* cay create: POST /v1/sandboxes. */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/shape.h"

struct create_options {
	struct cay_common common;
	const char *workspace, *net, *name;
	char **env, **label;
	uint64_t memory, timeout;
	int64_t pids;
	double cpus;
};

#define AT(member) offsetof(struct create_options, member)

static const struct cay_option options[] = {
	{"name", 'n', CAY_OPTION_STRING, AT(name), "NAME",
	 "a name of yours that works wherever the id does"},
	{"workspace", 'w', CAY_OPTION_STRING, AT(workspace), "DIR[:ro]",
	 "share this folder of the server's machine, at /workspace (default: an empty one)",
	 .complete = CAY_COMPLETE_DIR},
	{"net", 0, CAY_OPTION_CHOICE, AT(net), "none|host",
	 "network: none at all, or the machine's as it is (default none)"},
	{"env", 'e', CAY_OPTION_LIST, AT(env), "NAME[=VALUE]",
	 "an environment variable of everything inside; without a value, the one it has here"},
	{"label", 0, CAY_OPTION_LIST, AT(label), "KEY=VALUE", "a label, to find it by: cay ls"},
	CAY_SHAPE_ROWS(struct create_options),
	{"timeout", 0, CAY_OPTION_DURATION, AT(timeout), "TIME",
	 "end the sandbox after this long, for example 30m or 8h", .min = 1000},
};

/* "K=V" strings as a JSON object. */
static json_t *json_from_pairs(char *const *pairs)
{
	json_t *map = json_object();

	for (; pairs && *pairs; pairs++) {
		size_t n = strcspn(*pairs, "=");
		auto_free char *name = cay_strndup(*pairs, n);

		json_object_set_new(map, name, json_string((*pairs)[n] ? *pairs + n + 1 : ""));
	}
	return map;
}

static int add_workspace(json_t *body, const char *text, struct cay_error *err)
{
	auto_free char *path = NULL;
	bool read_only;

	if (!text)
		return 0;
	if (cay_shape_parse_workspace(text, &path, &read_only, err) < 0)
		return -1;
	json_object_set_new(body, "workspace",
			    json_pack("{s:s, s:s}", "path", path, "mode", read_only ? "ro" : "rw"));
	return 0;
}

static void add_resources(json_t *body, const struct create_options *opt)
{
	json_t *r = json_object();

	if (opt->memory)
		json_object_set_new(
			r, "memory_mb",
			json_integer((json_int_t)((opt->memory + (1 << 20) - 1) >> 20)));
	if (opt->pids)
		json_object_set_new(r, "pids", json_integer(opt->pids));
	if (opt->cpus > 0)
		json_object_set_new(r, "cpus", json_real(opt->cpus));
	json_object_set_new(body, "resources", r);
}

static int make_body(const struct create_options *opt, json_t *body, struct cay_error *err)
{
	auto_strv char **env = NULL;

	if (add_workspace(body, opt->workspace, err) < 0)
		return -1;
	if (cay_shape_add_env(&env, opt->env, err) < 0)
		return -1;
	for (char *const *l = opt->label; l && *l; l++)
		if (!strchr(*l, '='))
			return cay_fail(err, CAY_E_INVALID, 0, "--label: '%s' is not KEY=VALUE",
					*l);
	if (opt->name)
		json_object_set_new(body, "name", json_string(opt->name));
	if (env)
		json_object_set_new(body, "env", json_from_pairs(env));
	if (opt->label)
		json_object_set_new(body, "labels", json_from_pairs(opt->label));
	if (opt->net)
		json_object_set_new(body, "network", json_pack("{s:s}", "mode", opt->net));
	if (opt->memory || opt->pids || opt->cpus > 0)
		add_resources(body, opt);
	if (opt->timeout)
		json_object_set_new(body, "timeout_s",
				    json_integer((json_int_t)((opt->timeout + 999) / 1000)));
	return 0;
}

static int run(void *arg, char **operands CAY_UNUSED, struct cay_error *err)
{
	const struct create_options *opt = arg;
	auto_client struct cay_client c = {};
	auto_json json_t *body = json_object();
	json_t *answer;

	if (make_body(opt, body, err) < 0 || cay_client_open(&opt->common, &c, err) < 0 ||
	    cay_client_json(&c, "POST", "/v1/sandboxes", json_incref(body), &answer, err) < 0)
		return -1;
	if (opt->common.json) {
		cay_output_json(answer);
		return 0;
	}
	cay_output_quoted(json_string_value(json_object_get(answer, "id")) ?: "");
	putchar('\n');
	json_decref(answer);
	return 0;
}

static const struct cay_example examples[] = {
	{"cay create", "an empty one; prints its id"},
	{"cay create --name dev --workspace . --memory 2g", "with this folder at /workspace"},
	{"id=$(cay create --timeout 1h) && cay exec $id -- make test", "in a script"},
	{},
};

const struct cay_command cay_cmd_create = {
	.name = "create",
	.summary = "make a sandbox with an agent inside; prints its id",
	.operands = "",
	.options = options,
	.n_options = CAY_LEN(options),
	.examples = examples,
	.size = sizeof(struct create_options),
	.flags = CAY_COMMAND_CLIENT,
	.run = run,
};
