/* SPDX-License-Identifier: Apache-2.0 */
/* cay rm: DELETE /v1/sandboxes/{id}, one after another. */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/output.h"

struct rm_options {
	struct cay_common common;
	bool all;
};

static const struct cay_option options[] = {
	{"all", 'a', CAY_OPTION_FLAG, offsetof(struct rm_options, all), NULL,
	 "every sandbox of the server"},
};

/* Ids of all that the server lists. */
static int list_ids(struct cay_client *c, char ***ret, struct cay_error *err)
{
	auto_json json_t *answer = NULL;
	char **ids = cay_alloc(sizeof(*ids));
	const json_t *s;
	size_t i;

	if (cay_client_json(c, "GET", "/v1/sandboxes", NULL, &answer, err) < 0) {
		free(ids);
		return -1;
	}
	json_array_foreach (json_object_get(answer, "sandboxes"), i, s) {
		const char *id = json_string_value(json_object_get(s, "id"));

		if (id)
			ids = cay_strv_append(ids, id);
	}
	*ret = ids;
	return 0;
}

/* Goes on after a failure: one that is gone already shall not keep the others. The first error is
 * the one that counts, the later ones are told on the way. */
static int remove_each(struct cay_client *c, char *const *ids, bool json, struct cay_error *err)
{
	struct cay_error first = {};
	auto_json json_t *removed = json_array();

	for (; *ids; ids++) {
		auto_free char *target = cay_client_target(*ids, "%s", "");
		struct cay_error one = {};

		if (cay_client_json(c, "DELETE", target, NULL, NULL, &one) == 0) {
			json_array_append_new(removed, json_string(*ids));
			continue;
		}
		if (first.code != CAY_OK)
			cay_output_error(&one, json);
		else
			first = one;
	}
	if (json)
		cay_output_json(json_pack("{s:O}", "removed", removed));
	if (first.code == CAY_OK)
		return 0;
	*err = first;
	return -1;
}

static int run(void *arg, char **operands, struct cay_error *err)
{
	const struct rm_options *opt = arg;
	auto_client struct cay_client c = {};
	auto_strv char **all = NULL;

	if (opt->all == (operands[0] != NULL)) {
		cay_fail(err, CAY_E_INVALID, 0, "name sandboxes to remove, or say --all");
		return cay_fail_hint(err, "see: cay rm --help");
	}
	if (cay_client_open(&opt->common, &c, err) < 0)
		return -1;
	if (opt->all && list_ids(&c, &all, err) < 0)
		return -1;
	return remove_each(&c, opt->all ? all : operands, opt->common.json, err);
}

static const struct cay_example examples[] = {
	{"cay rm dev", "one"},
	{"cay rm --all", "all of them"},
	{},
};

const struct cay_command cay_cmd_rm = {
	.name = "rm",
	.summary = "remove sandboxes and everything in them",
	.operands = "SANDBOX...",
	.options = options,
	.n_options = CAY_LEN(options),
	.examples = examples,
	.size = sizeof(struct rm_options),
	.flags = CAY_COMMAND_CLIENT,
	.max_operands = SIZE_MAX,
	.complete = CAY_COMPLETE_SANDBOX,
	.run = run,
};
