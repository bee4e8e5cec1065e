/* SPDX-License-Identifier: Apache-2.0 */
/* cay serve: the server is a program of its own, cay-server, because it links what `cay` must not.
 */
#include <string.h>

#include "base/mem.h"
#include "cli/command.h"
#include "cli/place.h"

struct serve_options {
	struct cay_common common;
	char **listen, **allow_host;
	const char *state, *log_format, *log_level;
	int64_t max_sandboxes;
};

#define AT(member) offsetof(struct serve_options, member)

/* The same options as cay-server's: tests/cli/test_serve.py compares the two. */
static const struct cay_option options[] = {
	{"listen", 'l', CAY_OPTION_LIST, AT(listen), "ADDR:PORT|unix:PATH",
	 "where to listen (default 127.0.0.1:7070; port 0: any that is free)"},
	{"state", 0, CAY_OPTION_STRING, AT(state), "DIR",
	 "state folder: api-key, sockets and logs (default: /var/lib/cay for root, else "
	 "$XDG_STATE_HOME/cay or ~/.local/state/cay)",
	 .complete = CAY_COMPLETE_DIR},
	{"allow-host", 0, CAY_OPTION_LIST, AT(allow_host), "NAME",
	 "accept this Host header too, for example behind a proxy"},
	{"max-sandboxes", 0, CAY_OPTION_INT, AT(max_sandboxes), "N",
	 "most sandboxes alive at once (default 1000)", .min = 1, .max = 100000},
	{"log-format", 0, CAY_OPTION_CHOICE, AT(log_format), "text|json",
	 "how the log on standard error is written (default text)"},
	{"log-level", 0, CAY_OPTION_CHOICE, AT(log_level), "error|warning|info|debug",
	 "what is logged (default info)"},
};

/* The options again, as text for cay-server. */
static char **server_args(const void *opt, const char *program)
{
	char **args = cay_strv_append(cay_strv_append(NULL, program), "serve");

	for (size_t i = 0; i < CAY_LEN(options); i++) {
		const struct cay_option *o = &options[i];
		const void *member = (const char *)opt + o->offset;
		auto_free char *arg = NULL;

		if (o->kind == CAY_OPTION_LIST)
			for (char *const *v = *(char *const *const *)member; v && *v; v++) {
				auto_free char *one = cay_format("--%s=%s", o->name, *v);

				args = cay_strv_append(args, one);
			}
		else if (o->kind == CAY_OPTION_INT && *(const int64_t *)member)
			arg = cay_format("--%s=%lld", o->name, (long long)*(const int64_t *)member);
		else if (o->kind != CAY_OPTION_INT && *(const char *const *)member)
			arg = cay_format("--%s=%s", o->name, *(const char *const *)member);
		if (arg)
			args = cay_strv_append(args, arg);
	}
	return args;
}

static int run(void *opt, char **operands CAY_UNUSED, struct cay_error *err)
{
	auto_free char *program = NULL;
	auto_strv char **args = NULL;

	if (cay_place_find_program("cay-server", &program, err) < 0)
		return -1;
	args = server_args(opt, program);
	execv(program, args);
	return cay_fail(err, CAY_E_SYSTEM, errno, "cannot execute %s", program);
}

static const struct cay_example examples[] = {
	{"cay serve", "on 127.0.0.1:7070, with a key of its own in the state folder"},
	{"cay serve --listen unix:/run/cay/cay.sock", "on a unix socket"},
	{"CAY_API_KEY=secret cay serve --listen 127.0.0.1:8080", "with a key that you choose"},
	{},
};

const struct cay_command cay_cmd_serve = {
	.name = "serve",
	.summary = "start the server: sandboxes with an agent inside, over HTTP",
	.operands = "",
	.description = "Says on standard error where it listens as soon as it does. SIGTERM or "
		       "Ctrl-C ends it, and its sandboxes.",
	.options = options,
	.n_options = CAY_LEN(options),
	.examples = examples,
	.size = sizeof(struct serve_options),
	.run = run,
};
