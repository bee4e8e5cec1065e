/* SPDX-License-Identifier: Apache-2.0 */
/* cay ls: GET /v1/sandboxes. */
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/output.h"
#include "net/url.h"

enum { TARGET_MAX = 16384 };

struct ls_options {
	struct cay_common common;
	const char *state, *label;
	bool quiet;
};

#define AT(member) offsetof(struct ls_options, member)

static const struct cay_option options[] = {
	{"quiet", 'q', CAY_OPTION_FLAG, AT(quiet), NULL,
	 "only the names, or the ids of those that have none"},
	{"in-state", 0, CAY_OPTION_STRING, AT(state), "STATE",
	 "only those in this state: creating, running, stopping, error, gone"},
	{"label", 0, CAY_OPTION_STRING, AT(label), "KEY=VALUE", "only those with this label"},
};

static const char *text_of(const json_t *sandbox, const char *member)
{
	return json_string_value(json_object_get(sandbox, member));
}

static void add_filter(struct cay_buf *target, const char *name, const char *value)
{
	cay_buf_printf(target, "%c%s=", strchr(target->data, '?') ? '&' : '?', name);
	cay_url_encode(value, false, target);
}

static void print_names(const json_t *list)
{
	const json_t *s;
	size_t i;

	json_array_foreach (list, i, s) {
		const char *name = text_of(s, "name");

		cay_output_quoted(name && *name ? name : text_of(s, "id") ?: "");
		putchar('\n');
	}
}

static enum cay_style state_style(const char *state)
{
	if (state && !strcmp(state, "running"))
		return CAY_STYLE_GOOD;
	return state && !strcmp(state, "error") ? CAY_STYLE_BAD : CAY_STYLE_WARN;
}

static void print_table(const json_t *list)
{
	static const char *const heads[] = {"ID",      "NAME",    "STATE", "RUNTIME",
					    "CREATED", "EXPIRES", NULL};
	struct cay_table *t = cay_table_create(heads);
	const json_t *s;
	size_t i;

	json_array_foreach (list, i, s) {
		cay_table_add(t, text_of(s, "id"), CAY_STYLE_PLAIN);
		cay_table_add(t, text_of(s, "name"), CAY_STYLE_PLAIN);
		cay_table_add(t, text_of(s, "state"), state_style(text_of(s, "state")));
		cay_table_add(t, text_of(s, "runtime"), CAY_STYLE_PLAIN);
		cay_table_add(t, text_of(s, "created_at"), CAY_STYLE_PLAIN);
		cay_table_add(t, text_of(s, "expires_at"), CAY_STYLE_PLAIN);
	}
	cay_table_print(t);
	cay_table_destroy(t);
}

static int run(void *arg, char **operands CAY_UNUSED, struct cay_error *err)
{
	const struct ls_options *opt = arg;
	auto_client struct cay_client c = {};
	auto_buf struct cay_buf target;
	json_t *answer;

	cay_buf_init(&target, TARGET_MAX);
	cay_buf_puts(&target, "/v1/sandboxes");
	if (opt->state)
		add_filter(&target, "state", opt->state);
	if (opt->label)
		add_filter(&target, "label", opt->label);
	if (target.overflow)
		return cay_fail(err, CAY_E_LIMIT, 0, "the filters are too long");
	if (cay_client_open(&opt->common, &c, err) < 0 ||
	    cay_client_json(&c, "GET", target.data, NULL, &answer, err) < 0)
		return -1;
	if (opt->common.json) {
		cay_output_json(answer);
		return 0;
	}
	(opt->quiet ? print_names : print_table)(json_object_get(answer, "sandboxes"));
	json_decref(answer);
	return 0;
}

static const struct cay_example examples[] = {
	{"cay ls", "all of them"},
	{"cay ls --label job=42 --quiet", "names of those with a label"},
	{},
};

const struct cay_command cay_cmd_ls = {
	.name = "ls",
	.summary = "list the server's sandboxes",
	.operands = "",
	.options = options,
	.n_options = CAY_LEN(options),
	.examples = examples,
	.size = sizeof(struct ls_options),
	.flags = CAY_COMMAND_CLIENT,
	.run = run,
};
