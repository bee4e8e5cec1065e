/* SPDX-License-Identifier: Apache-2.0 */
/* cay exec: a command in a sandbox of the server, on pipes or on a terminal. */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/output.h"
#include "cli/remote.h"
#include "cli/shape.h"

enum { TIMEOUT_MAX_MS = 86400 * 1000 };

struct exec_options {
	struct cay_common common;
	const char *cwd;
	char **env;
	uint64_t timeout;
	bool interactive, tty;
};

#define AT(member) offsetof(struct exec_options, member)

static const struct cay_option options[] = {
	{"interactive", 'i', CAY_OPTION_FLAG, AT(interactive), NULL,
	 "connect standard input (else the command reads from /dev/null)"},
	{"tty", 't', CAY_OPTION_FLAG, AT(tty), NULL,
	 "give the command a terminal; with -i, connected to this one"},
	{"env", 'e', CAY_OPTION_LIST, AT(env), "NAME[=VALUE]",
	 "set an environment variable; without a value, to the one it has here"},
	{"cwd", 0, CAY_OPTION_STRING, AT(cwd), "DIR",
	 "folder inside in which the command starts (default: the sandbox's)"},
	{"timeout", 0, CAY_OPTION_DURATION, AT(timeout), "TIME",
	 "kill the command after this long, and end with 124", .min = 1, .max = TIMEOUT_MAX_MS},
};

/* With --json: one exchange, output and status in the answer. */
static int exec_json(struct cay_client *c, const char *sandbox, const struct cay_remote_spec *spec,
		     struct cay_error *err)
{
	auto_free char *target = cay_client_target(sandbox, "/exec");
	json_t *answer;
	int status;

	/* The command may take as long as it likes. */
	if (cay_endpoint_json(c->endpoint, "POST", target, cay_remote_body(spec), 0, &answer, err) <
	    0)
		return cay_client_advise(c, err);
	status = (int)json_integer_value(json_object_get(answer, "exit_code"));
	cay_output_json(answer);
	return status;
}

static int exec_connected(struct cay_client *c, const char *sandbox,
			  const struct cay_remote_spec *spec, struct cay_error *err)
{
	struct cay_remote p;
	int status, result;

	if (cay_remote_start(c, sandbox, spec, &p, err) < 0)
		return -1;
	result = (spec->tty ? cay_remote_attach : cay_remote_stream)(&p, &status, err);
	cay_remote_forget(&p);
	if (result < 0 && err->code == CAY_E_SYSTEM && err->sys == EPIPE)
		return cay_output_end_by_sigpipe();
	return result < 0 ? -1 : status;
}

static int run(void *arg, char **operands, struct cay_error *err)
{
	const struct exec_options *opt = arg;
	auto_client struct cay_client c = {};
	auto_strv char **env = NULL;
	struct cay_remote_spec spec = {
		.argv = operands + 1,
		.cwd = opt->cwd,
		.timeout_ms = opt->timeout,
		.stdin_open = opt->interactive,
		.tty = opt->tty,
	};

	if (opt->common.json && (opt->interactive || opt->tty))
		return cay_fail(err, CAY_E_INVALID, 0,
				"--json collects the output: it goes with neither -i nor -t");
	if (opt->tty && getenv("TERM"))
		env = cay_env_set(env, "TERM", getenv("TERM"));
	if (cay_shape_add_env(&env, opt->env, err) < 0 ||
	    cay_client_open(&opt->common, &c, err) < 0)
		return -1;
	spec.env = env;
	return (opt->common.json ? exec_json : exec_connected)(&c, operands[0], &spec, err);
}

static const struct cay_example examples[] = {
	{"cay exec dev -- ls -l /workspace", "output and exit status are the command's"},
	{"tar c src | cay exec -i dev -- tar x -C /workspace", "with standard input"},
	{"cay exec -it dev -- vim notes.txt", "with a terminal"},
	{"cay exec --json dev -- make test", "output, exit status and time as JSON"},
	{},
};

const struct cay_command cay_cmd_exec = {
	.name = "exec",
	.summary = "run a command in a sandbox",
	.operands = "SANDBOX [--] COMMAND...",
	.description = "The exit status is the command's; 125: cay failed, 124: timed out, 126: "
		       "not executable, 127: not found. Without a terminal, signals that end cay "
		       "are handed on to the command.",
	.options = options,
	.n_options = CAY_LEN(options),
	.examples = examples,
	.size = sizeof(struct exec_options),
	.flags = CAY_COMMAND_CLIENT,
	.options_until = 2,
	.min_operands = 2,
	.max_operands = SIZE_MAX,
	.complete = CAY_COMPLETE_SANDBOX,
	.failure_status = 125,
	.run = run,
};
