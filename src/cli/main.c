/* SPDX-License-Identifier: Apache-2.0 */
/* From argv to the exit status: the one place that parses for a command and prints its errors. */
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/output.h"

/* Errors of usage may come before the options are parsed, and shall be JSON all the same. */
static bool wants_json(char *const *args)
{
	for (; *args && strcmp(*args, "--") != 0; args++)
		if (!strcmp(*args, "--json"))
			return true;
	return false;
}

/* What was written must have arrived: a full disk is a failure even of `cay help`. */
static int finish_output(int status, bool json)
{
	struct cay_error err = {};

	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (errno == EPIPE)
		return cay_output_end_by_sigpipe();
	cay_fail(&err, CAY_E_SYSTEM, errno, "cannot write the output");
	cay_output_error(&err, json);
	return status ? status : cay_error_exit_status(err.code);
}

/* A command that is not there keeps its own status (127, 126) whoever finds out. */
static int report(const struct cay_command *c, const struct cay_error *err, bool json)
{
	bool no_program = err->code == CAY_E_NO_COMMAND || err->code == CAY_E_NOT_EXEC;

	cay_output_error(err, json);
	return c && c->failure_status && !no_program ? c->failure_status
						     : cay_error_exit_status(err->code);
}

static int check_operands(const struct cay_command *c, char **operands, struct cay_error *err)
{
	size_t n = cay_strv_len((const char *const *)operands);

	if (n < c->min_operands)
		return cay_fail(err, CAY_E_INVALID, 0, "missing operand: cay %s %s", c->name,
				c->operands);
	if (n > c->max_operands)
		return cay_fail(err, CAY_E_INVALID, 0, "unexpected operand '%s'",
				operands[c->max_operands]);
	return 0;
}

/* Adds where to read on, unless the error knows something better. */
static int fail_usage(const struct cay_command *c, struct cay_error *err)
{
	return err->hint[0] ? -1 : cay_fail_hint(err, "see: cay %s --help", c->name);
}

static int parse_and_run(const struct cay_command *c, char **args, void *options,
			 struct cay_error *err)
{
	struct cay_option_set set = cay_command_options(c);
	struct cay_common *common = options;
	char **operands = NULL;
	int status;

	if (cay_option_parse(&set, args, c->options_until ? c->options_until : SIZE_MAX, options,
			     &operands, err) < 0)
		return fail_usage(c, err);
	if (common->help) {
		cay_help_command(c);
		status = 0;
	} else if (check_operands(c, operands, err) < 0) {
		status = fail_usage(c, err);
	} else {
		status = c->run(options, operands, err);
	}
	free(operands);
	return status;
}

static int run_command(const struct cay_command *c, char **args)
{
	struct cay_option_set set = cay_command_options(c);
	void *options = cay_alloc(c->size);
	struct cay_error err = {};
	bool json = wants_json(args);
	int status = parse_and_run(c, args, options, &err);

	if (status < 0)
		status = report(c, &err, json);
	cay_option_fini(&set, options);
	free(options);
	return finish_output(status, json);
}

static int fail_unknown(const char *name, struct cay_error *err)
{
	const char **names = cay_alloc((cay_commands_n + 1) * sizeof(*names));
	const char *near;

	for (size_t i = 0; i < cay_commands_n; i++)
		names[i] = cay_commands[i]->name;
	near = cay_text_nearest(name, names);
	free(names);
	if (name[0] == '-') {
		cay_fail(err, CAY_E_INVALID, 0, "unknown option '%s' before the command", name);
		return cay_fail_hint(err, "options follow the command: cay COMMAND [OPTIONS]");
	}
	cay_fail(err, CAY_E_INVALID, 0, "unknown command '%s'", name);
	if (near)
		return cay_fail_hint(err, "did you mean 'cay %s'? All commands: cay help", near);
	return cay_fail_hint(err, "all commands: cay help");
}

int cay_command_main(char **argv)
{
	const char *name = argv[0] ? argv[1] : NULL;
	const struct cay_command *c;
	struct cay_error err = {};

	if (!name) {
		cay_help_overview(stderr);
		return cay_error_exit_status(CAY_E_INVALID);
	}
	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	else if (!strcmp(name, "--version") || !strcmp(name, "-V"))
		name = "version";
	c = cay_command_find(name);
	if (c)
		return run_command(c, argv + 2);
	fail_unknown(name, &err);
	return report(NULL, &err, wants_json(argv + 1));
}
