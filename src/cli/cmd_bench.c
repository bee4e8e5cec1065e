/* SPDX-License-Identifier: Apache-2.0 */
/* cay bench: runs the groups of bench.c and prints what bench_report.c makes of them. */
#include <fcntl.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "cli/bench_server.h"
#include "cli/command.h"
#include "cli/output.h"

struct bench_options {
	struct cay_common common;
	bool quick;
	const char *only;
};

static const struct cay_option options[] = {
	{"quick", 0, CAY_OPTION_FLAG, offsetof(struct bench_options, quick), NULL,
	 "fewer rounds: some seconds, and less certain"},
	{"only", 0, CAY_OPTION_CHOICE, offsetof(struct bench_options, only),
	 "run|engine|api|files|memory|agent", "only this group"},
};

static int make_tmp(struct cay_bench *b, struct cay_error *err)
{
	const char *dir = getenv("TMPDIR");

	b->tmp = cay_format("%s/cay-bench-XXXXXX", dir && *dir == '/' ? dir : "/tmp");
	if (!mkdtemp(b->tmp))
		return cay_fail(err, CAY_E_SYSTEM, errno, "cannot create %s", b->tmp);
	return 0;
}

static void remove_tmp(const struct cay_bench *b)
{
	auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (cay_path_remove_tree(root, b->tmp + 1) < 0)
		cay_output_note("cannot remove %s", b->tmp);
}

static void run_groups(struct cay_bench *b, bool tell)
{
	for (size_t i = 0; i < cay_bench_groups_n; i++) {
		const struct cay_bench_group *g = &cay_bench_groups[i];

		if (b->only && strcmp(b->only, g->name) != 0)
			continue;
		if (tell)
			fprintf(stderr, "\r\033[K%s: %s ...", g->name, g->what);
		g->run(b);
	}
	if (tell)
		fputs("\r\033[K", stderr);
}

static int run(void *arg, char **operands CAY_UNUSED, struct cay_error *err)
{
	const struct bench_options *opt = arg;
	struct cay_bench b = {.quick = opt->quick, .only = opt->only};

	b.cay = realpath("/proc/self/exe", NULL);
	if (!b.cay)
		return cay_fail(err, CAY_E_SYSTEM, errno, "cannot find this program's own file");
	if (make_tmp(&b, err) < 0) {
		free(b.cay);
		free(b.tmp);
		return -1;
	}
	run_groups(&b, isatty(STDERR_FILENO) && !opt->common.json);
	cay_bench_server_stop(&b);
	remove_tmp(&b);
	(opt->common.json ? cay_bench_print_json : cay_bench_print)(&b);
	free(b.rows);
	free(b.cay);
	free(b.tmp);
	return 0;
}

static const struct cay_example examples[] = {
	{"cay bench", "everything, as a table; takes about a minute"},
	{"cay bench --quick --only run", "a command in a sandbox, beside bubblewrap and others"},
	{"cay bench --json > bench.json", "for a program"},
	{},
};

const struct cay_command cay_cmd_bench = {
	.name = "bench",
	.summary = "measure, beside other sandboxes and beside a floor",
	.operands = "",
	.description =
		"The things compared are run in turn within one run; medians and ratios are what "
		"counts. It starts a server of its own and leaves nothing behind. Goals are shown "
		"with what was reached.",
	.options = options,
	.n_options = CAY_LEN(options),
	.examples = examples,
	.size = sizeof(struct bench_options),
	.run = run,
};
