/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands, and the options that all of them share. */
#include <string.h>

#include "cli/command.h"

#define CAY_COMMAND(name) extern const struct cay_command cay_cmd_##name;
#include "cli/commands.def"
#undef CAY_COMMAND

const struct cay_command *const cay_commands[] = {
#define CAY_COMMAND(name) &cay_cmd_##name,
#include "cli/commands.def"
#undef CAY_COMMAND
};
const size_t cay_commands_n = CAY_LEN(cay_commands);

static const struct cay_option common_options[] = {
	{"json", 0, CAY_OPTION_FLAG, offsetof(struct cay_common, json), NULL,
	 "results and errors as JSON, for programs"},
	{"help", 'h', CAY_OPTION_FLAG, offsetof(struct cay_common, help), NULL,
	 "explain this command"},
};

static const struct cay_option client_options[] = {
	{"server", 0, CAY_OPTION_STRING, offsetof(struct cay_common, server), "URL",
	 "the server: http://HOST:PORT or unix:PATH", .env = "CAY_URL",
	 .fallback = "http://127.0.0.1:7070"},
	{"state", 0, CAY_OPTION_STRING, offsetof(struct cay_common, state), "DIR",
	 "state folder of a server on this machine, whose api-key file is used where CAY_API_KEY "
	 "is not set (default: /var/lib/cay for root, else ~/.local/state/cay)",
	 .complete = CAY_COMPLETE_DIR},
};

const struct cay_command *cay_command_find(const char *name)
{
	for (size_t i = 0; i < cay_commands_n; i++)
		if (!strcmp(cay_commands[i]->name, name))
			return cay_commands[i];
	return NULL;
}

struct cay_option_set cay_command_options(const struct cay_command *c)
{
	struct cay_option_set set = {};

	set.tables[0].rows = c->options;
	set.tables[0].n = c->n_options;
	if (c->flags & CAY_COMMAND_CLIENT) {
		set.tables[1].rows = client_options;
		set.tables[1].n = CAY_LEN(client_options);
	}
	set.tables[2].rows = common_options;
	set.tables[2].n = CAY_LEN(common_options);
	return set;
}
