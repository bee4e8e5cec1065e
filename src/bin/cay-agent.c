/* SPDX-License-Identifier: Apache-2.0 */
/* cay-agent: the program inside a sandbox. */
#include <stdio.h>
#include <string.h>

#include "agent/agent.h"

static const char usage[] =
	"usage: cay-agent --listen unix:PATH|ADDRESS:PORT... [--working-dir DIR] [--config FILE]\n"
	"       cay-agent --inherit\n"
	"       cay-agent --version | --help\n"
	"\n"
	"Executes commands and serves files for an agent, over HTTP.\n"
	"\n"
	"  --listen WHERE       serve there; may be given several times\n"
	"  --working-dir DIR    where commands run (default: the current folder); created\n"
	"  --config FILE        JSON: working_dir, username, home, env, session_api_key\n"
	"  --inherit            as PID 1 of a sandbox, with what the engine hands over\n"
	"\n"
	"SESSION_API_KEY in the environment is the key that clients must send.\n";

/* The value of an option that takes one; NULL after a complaint. */
static const char *value(char **argv, int *at)
{
	if (argv[*at + 1])
		return argv[++*at];
	fprintf(stderr, "cay-agent: %s needs a value\n", argv[*at]);
	return NULL;
}

static int parse(char **argv, struct cay_agent_options *o)
{
	const char **slot;

	for (int i = 1; argv[i]; i++) {
		if (!strcmp(argv[i], "--inherit")) {
			o->inherit = true;
			continue;
		}
		if (!strcmp(argv[i], "--listen") && o->n_listen < CAY_AGENT_LISTEN_MAX) {
			slot = &o->listen[o->n_listen++];
		} else if (!strcmp(argv[i], "--working-dir")) {
			slot = &o->working_dir;
		} else if (!strcmp(argv[i], "--config")) {
			slot = &o->config;
		} else {
			fprintf(stderr, "cay-agent: unexpected '%s'; see --help\n", argv[i]);
			return -1;
		}
		*slot = value(argv, &i);
		if (!*slot)
			return -1;
	}
	if (o->inherit == (o->n_listen > 0)) {
		fputs("cay-agent: give either --inherit or --listen; see --help\n", stderr);
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct cay_agent_options options = {};
	struct cay_error err;

	if (argc == 2 && !strcmp(argv[1], "--version"))
		return puts("cay-agent " CAY_VERSION) < 0;
	if (argc == 2 && !strcmp(argv[1], "--help"))
		return fputs(usage, stdout) < 0;
	if (parse(argv, &options) < 0)
		return 2;
	if (cay_agent_run(&options, &err) < 0) {
		fprintf(stderr, "cay-agent: %s%s%s\n", err.msg, *err.hint ? "; " : "", err.hint);
		return cay_error_exit_status(err.code);
	}
	return 0;
}
