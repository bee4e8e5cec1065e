/* SPDX-License-Identifier: Apache-2.0 */
/* cay help [COMMAND]: the texts themselves come from help.c and man.c. */
#include <string.h>

#include "base/text.h"
#include "cli/help.h"
#include "cli/output.h"

struct help_options {
	struct cay_common common;
	bool man;
};

static const struct cay_option options[] = {
	{"man", 0, CAY_OPTION_FLAG, offsetof(struct help_options, man), NULL,
	 "write the manual page cay(1) instead"},
};

static json_t *command_json(const struct cay_command *c)
{
	struct cay_option_set set = cay_command_options(c);
	json_t *rows = json_array();
	const struct cay_option *o;
	size_t at = 0;

	while ((o = cay_option_next(&set, &at)))
		if (!o->hidden)
			json_array_append_new(rows, json_pack("{s:s, s:s*, s:s}", "name", o->name,
							      "value", o->value, "help", o->help));
	return json_pack("{s:s, s:s, s:s, s:o}", "name", c->name, "summary", c->summary, "operands",
			 c->operands, "options", rows);
}

/* The table itself, for programs that generate something from it: one row, or all. */
static json_t *commands_json(const struct cay_command *only)
{
	json_t *list = json_array();

	for (size_t i = 0; i < cay_commands_n; i++)
		if (!only || only == cay_commands[i])
			json_array_append_new(list, command_json(cay_commands[i]));
	return json_pack("{s:o}", "commands", list);
}

static int run(void *arg, char **operands, struct cay_error *err)
{
	const struct help_options *opt = arg;
	const struct cay_command *c = operands[0] ? cay_command_find(operands[0]) : NULL;

	if (operands[0] && !c) {
		cay_fail(err, CAY_E_INVALID, 0, "unknown command '%s'", operands[0]);
		return cay_fail_hint(err, "all commands: cay help");
	}
	if (opt->man)
		cay_help_man();
	else if (opt->common.json)
		cay_output_json(commands_json(c));
	else if (c)
		cay_help_command(c);
	else
		cay_help_overview(stdout);
	return 0;
}

const struct cay_command cay_cmd_help = {
	.name = "help",
	.summary = "explain cay, or one of its commands",
	.operands = "[COMMAND]",
	.options = options,
	.n_options = CAY_LEN(options),
	.size = sizeof(struct help_options),
	.max_operands = 1,
	.complete = CAY_COMPLETE_SELF,
	.run = run,
};
