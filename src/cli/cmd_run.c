/* SPDX-License-Identifier: Apache-2.0 */
/* cay run: one command in a sandbox of its own, in this process, without a server. */
#include <signal.h>
#include <string.h>

#include "base/buf.h"
#include "base/id.h"
#include "base/json.h"
#include "base/mem.h"
#include "box/box.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/place.h"
#include "cli/shape.h"

enum {
	CAPTURE_MAX = 8 << 20, /* of each stream, with --json */
	EXPLAIN_MAX = 1 << 20,
};

struct run_options {
	struct cay_common common;
	const char *rootfs, *workspace, *net, *name, *cwd;
	char **env;
	uint64_t memory, timeout;
	int64_t pids;
	double cpus;
	bool interactive, tty, explain;
};

#define AT(member) offsetof(struct run_options, member)

static const struct cay_option options[] = {
	{"workspace", 'w', CAY_OPTION_STRING, AT(workspace), "DIR[:ro]",
	 "share this folder with the sandbox, at /workspace (default: an empty one that is gone "
	 "afterwards)",
	 .complete = CAY_COMPLETE_DIR},
	{"rootfs", 0, CAY_OPTION_STRING, AT(rootfs), "DIR",
	 "use this folder's content as the root instead of this machine's programs; it is not "
	 "changed",
	 .complete = CAY_COMPLETE_DIR},
	{"net", 0, CAY_OPTION_CHOICE, AT(net), "none|host",
	 "network: none at all, or this machine's as it is", .fallback = "none"},
	{"env", 'e', CAY_OPTION_LIST, AT(env), "NAME[=VALUE]",
	 "set an environment variable inside; without a value, to the one it has here"},
	{"cwd", 0, CAY_OPTION_STRING, AT(cwd), "DIR", "folder inside in which the command starts",
	 .fallback = "/workspace"},
	CAY_SHAPE_ROWS(struct run_options),
	{"timeout", 0, CAY_OPTION_DURATION, AT(timeout), "TIME",
	 "kill everything inside after this long, for example 30s or 5m, and end with 124",
	 .min = 1},
	{"interactive", 'i', CAY_OPTION_FLAG, AT(interactive), NULL,
	 "connect standard input (else the command reads from /dev/null)"},
	{"tty", 't', CAY_OPTION_FLAG, AT(tty), NULL,
	 "give the command a terminal of its own; with -i, connected to this one"},
	{"name", 0, CAY_OPTION_STRING, AT(name), "NAME",
	 "the sandbox's name and host name (default: a random one)"},
	{"explain", 0, CAY_OPTION_FLAG, AT(explain), NULL,
	 "run nothing: print each step of the set-up with its reason"},
};

/* Files of the options that the spec borrows. */
struct borrowed {
	char *workspace, *rootfs, *cache_dir;
	char id[CAY_ID_LEN + 1];
};

static void free_borrowed(const struct borrowed *b)
{
	free(b->workspace);
	free(b->rootfs);
	free(b->cache_dir);
}

static int make_spec(const struct run_options *opt, struct borrowed *b, struct cay_box_spec *spec,
		     struct cay_error *err)
{
	cay_id_random(b->id, CAY_ID_LEN);
	*spec = (struct cay_box_spec){
		.name = opt->name ? opt->name : b->id,
		.net = strcmp(opt->net, "host") ? CAY_BOX_NET_NONE : CAY_BOX_NET_HOST,
		.memory_bytes = opt->memory,
		.pids = (uint64_t)opt->pids,
		.cpus = opt->cpus,
		.timeout_ms = opt->timeout,
	};
	if (opt->workspace && cay_shape_parse_workspace(opt->workspace, &b->workspace,
							&spec->workspace_read_only, err) < 0)
		return -1;
	if (opt->rootfs) {
		b->rootfs = realpath(opt->rootfs, NULL);
		if (!b->rootfs)
			return cay_fail(err, cay_error_from_errno(errno), errno, "--rootfs: '%s'",
					opt->rootfs);
	}
	if (cay_place_make_cache_dir(&b->cache_dir, err) < 0)
		return -1;
	spec->workspace = b->workspace;
	spec->rootfs = b->rootfs;
	spec->cache_dir = b->cache_dir;
	return 0;
}

static int explain(const struct cay_box_spec *spec, bool json, struct cay_error *err)
{
	auto_buf struct cay_buf text;
	json_t *plan;

	if (json) {
		if (cay_box_explain_json(spec, &plan, err) < 0)
			return -1;
		cay_output_json(plan);
		return 0;
	}
	cay_buf_init(&text, EXPLAIN_MAX);
	if (cay_box_explain(spec, &text, err) < 0)
		return -1;
	fwrite(text.data, 1, text.len, stdout);
	return 0;
}

static json_t *signal_json(int number)
{
	const char *name = sigabbrev_np(number);

	return name ? json_sprintf("SIG%s", name) : json_sprintf("SIG%d", number);
}

static void put_result_json(const struct cay_box_result *r)
{
	json_t *j = json_pack("{s:i, s:o, s:o, s:b}", "exit_code", r->exit_code, "stdout",
			      cay_json_bytes(r->out, r->out_n), "stderr",
			      cay_json_bytes(r->err_out, r->err_out_n), "timed_out", r->timed_out);

	if (r->signal)
		json_object_set_new(j, "signal", signal_json(r->signal));
	if (r->oom)
		json_object_set_new(j, "oom", json_true());
	json_object_set_new(j, "duration_ms", json_real((double)(r->duration_ns / 1000) / 1e3));
	json_object_set_new(j, "setup_ms", json_real((double)(r->setup_ns / 1000) / 1e3));
	if (r->report)
		json_object_set(j, "isolation", r->report);
	cay_output_json(j);
}

/* The status alone would not say why. */
static void put_result_notes(const struct run_options *opt, const char *program,
			     const struct cay_box_result *r)
{
	bool executed = r->duration_ns > 0;

	if (r->timed_out)
		cay_output_note("timed out after %.3g s and killed", (double)opt->timeout / 1e3);
	else if (r->oom && opt->memory)
		cay_output_note("killed: out of memory (--memory %.0f MiB)",
				(double)opt->memory / (1 << 20));
	else if (r->oom)
		cay_output_note("killed: out of memory");
	else if (!executed && r->exit_code == 127)
		cay_output_note("command not found: %s", program);
	else if (!executed && r->exit_code == 126)
		cay_output_note("cannot be executed: %s", program);
}

static int run_box(const struct run_options *opt, const struct cay_box_spec *spec,
		   const struct cay_box_command *command, struct cay_error *err)
{
	struct cay_box_result result = {};
	int status;

	if (cay_box_run(spec, command, &result, err) < 0)
		return -1;
	if (opt->common.json)
		put_result_json(&result);
	else
		put_result_notes(opt, command->argv[0], &result);
	status = result.exit_code;
	cay_box_result_fini(&result);
	return status;
}

static int run(void *arg, char **operands, struct cay_error *err)
{
	static const char *const shell[] = {"bash", NULL};
	const struct run_options *opt = arg;
	bool on_terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !opt->common.json;
	struct borrowed b = {};
	struct cay_box_spec spec;
	auto_strv char **env = cay_strv_copy(cay_box_default_env());
	struct cay_box_command command = {
		.argv = operands[0] ? (const char *const *)operands : shell,
		.cwd = opt->cwd,
		.tty = opt->tty || (!operands[0] && on_terminal),
		.no_stdin = !opt->interactive && operands[0],
		.capture = opt->common.json,
		.capture_max = CAPTURE_MAX,
		.report = opt->common.json,
	};
	int status;

	if (!operands[0] && !on_terminal && !opt->explain) {
		cay_fail(err, CAY_E_INVALID, 0, "no command, and no terminal for a shell");
		return cay_fail_hint(err, "for example: cay run -- ls -l /");
	}
	if (cay_shape_add_env(&env, opt->env, err) < 0)
		return -1;
	command.env = (const char *const *)env;
	if (make_spec(opt, &b, &spec, err) < 0)
		status = -1;
	else if (opt->explain)
		status = explain(&spec, opt->common.json, err);
	else
		status = run_box(opt, &spec, &command, err);
	free_borrowed(&b);
	return status;
}

static const struct cay_example examples[] = {
	{"cay run -- python3 -c 'print(6 * 7)'", "a command with nothing of yours in sight"},
	{"cay run --workspace . -- make test", "the same in this folder"},
	{"cay run --workspace .:ro --memory 512m --timeout 1m -- ./untrusted",
	 "look, but do not touch"},
	{"cay run -it -- bash", "a shell"},
	{"cay run --json -- uname -a", "result, times and what isolates it, as JSON"},
	{"cay run --explain", "what would be done, step by step"},
	{},
};

const struct cay_command cay_cmd_run = {
	.name = "run",
	.summary = "run one command in a sandbox of its own; no server needed",
	.operands = "[--] [COMMAND...]",
	.description =
		"The command sees this machine's programs, an empty home, an empty /workspace and "
		"no "
		"network; nothing of your files unless --workspace shares a folder. What it writes "
		"elsewhere is gone afterwards, and so are the processes that it has left.\n\n"
		"Without a command, on a terminal: a shell. The exit status is the command's; 124: "
		"timed out, 125: cay failed, 126: not executable, 127: not found.",
	.options = options,
	.n_options = CAY_LEN(options),
	.examples = examples,
	.size = sizeof(struct run_options),
	.options_until = 1,
	.max_operands = SIZE_MAX,
	.complete = CAY_COMPLETE_COMMAND,
	.failure_status = 125,
	.run = run,
};
