/* SPDX-License-Identifier: Apache-2.0 */
/* cay sh: an interactive shell in a sandbox of the server. */
#include <string.h>

#include "base/mem.h"
#include "cli/output.h"
#include "cli/remote.h"

struct sh_options {
	struct cay_common common;
	const char *cwd;
};

static const struct cay_option options[] = {
	{"cwd", 0, CAY_OPTION_STRING, offsetof(struct sh_options, cwd), "DIR",
	 "folder inside in which the shell starts (default: the sandbox's)"},
};

/* bash where there is one, else the shell that every system has. */
static int start_shell(struct cay_client *c, const char *sandbox, struct cay_remote_spec *spec,
		       struct cay_remote *ret, struct cay_error *err)
{
	static char bash[] = "/bin/bash", sh[] = "/bin/sh";
	static char *const shells[][2] = {{bash, NULL}, {sh, NULL}};

	for (size_t i = 0; i < CAY_LEN(shells); i++) {
		spec->argv = shells[i];
		if (cay_remote_start(c, sandbox, spec, ret, err) == 0)
			return 0;
		if (err->code != CAY_E_NO_COMMAND)
			return -1;
	}
	return -1;
}

static int run(void *arg, char **operands, struct cay_error *err)
{
	const struct sh_options *opt = arg;
	auto_client struct cay_client c = {};
	auto_strv char **env = NULL;
	struct cay_remote_spec spec = {.cwd = opt->cwd, .stdin_open = true, .tty = true};
	struct cay_remote p;
	int status, result;

	if (!isatty(STDIN_FILENO)) {
		cay_fail(err, CAY_E_INVALID, 0, "cay sh needs a terminal");
		return cay_fail_hint(err, "for a script: cay exec -i %s -- bash", operands[0]);
	}
	if (getenv("TERM"))
		env = cay_env_set(env, "TERM", getenv("TERM"));
	spec.env = env;
	if (cay_client_open(&opt->common, &c, err) < 0 ||
	    start_shell(&c, operands[0], &spec, &p, err) < 0)
		return -1;
	result = cay_remote_attach(&p, &status, err);
	cay_remote_forget(&p);
	return result < 0 ? -1 : status;
}

static const struct cay_example examples[] = {
	{"cay sh dev", "leave with exit or Ctrl-D; the sandbox goes on"},
	{},
};

const struct cay_command cay_cmd_sh = {
	.name = "sh",
	.summary = "open a shell in a sandbox",
	.operands = "SANDBOX",
	.description = "Keys, Ctrl-C among them, go to the shell; the size of the terminal is "
		       "handed on. The exit status is the shell's; 125: cay failed.",
	.options = options,
	.n_options = CAY_LEN(options),
	.examples = examples,
	.size = sizeof(struct sh_options),
	.flags = CAY_COMMAND_CLIENT,
	.min_operands = 1,
	.max_operands = 1,
	.complete = CAY_COMPLETE_SANDBOX,
	.failure_status = 125,
	.run = run,
};
