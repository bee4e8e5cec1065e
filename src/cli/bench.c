/* SPDX-License-Identifier: Apache-2.0 */
/* Running cases in turn and keeping their numbers; see bench.h. */
#include "cli/bench.h"

#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/mem.h"

enum { WARM_UP = 2 };

const struct cay_bench_group cay_bench_groups[] = {
	{"run", "a command in a sandbox, as a process", cay_bench_run},
	{"engine", "the engine alone beside the floor", cay_bench_engine},
	{"api", "sandboxes, commands and shell lines over HTTP", cay_bench_api},
	{"files", "a large file up and down", cay_bench_files},
	{"memory", "what idle sandboxes and an idle server cost", cay_bench_memory},
	{"agent", "the program inside: size, start, memory", cay_bench_agent},
};
const size_t cay_bench_groups_n = CAY_LEN(cay_bench_groups);

size_t cay_bench_rounds(const struct cay_bench *b, size_t full, size_t quick)
{
	return b->quick ? quick : full;
}

static struct cay_bench_row *new_row(struct cay_bench *b, const char *id, const char *what)
{
	struct cay_bench_row *row;

	b->rows = cay_realloc_array(b->rows, b->n_rows + 1, sizeof(*b->rows));
	row = &b->rows[b->n_rows++];
	*row = (struct cay_bench_row){.id = id, .what = what, .unit = "us", .p99 = -1};
	return row;
}

static int compare_ns(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void cay_bench_add_samples(struct cay_bench *b, const char *id, const char *what, uint64_t *ns,
			   size_t n)
{
	struct cay_bench_row *row = new_row(b, id, what);

	qsort(ns, n, sizeof(*ns), compare_ns);
	row->n = n;
	row->p50 = (double)ns[n / 2] / 1e3;
	row->p99 = (double)ns[CAY_MIN(n - 1, n * 99 / 100)] / 1e3;
}

void cay_bench_add_value(struct cay_bench *b, const char *id, const char *what, const char *unit,
			 double value)
{
	struct cay_bench_row *row = new_row(b, id, what);

	row->unit = unit;
	row->p50 = value;
	row->n = 1;
}

void cay_bench_add_skipped(struct cay_bench *b, const char *id, const char *what,
			   const char *reason)
{
	struct cay_bench_row *row = new_row(b, id, what);

	snprintf(row->skipped, sizeof(row->skipped), "%s", reason);
}

const struct cay_bench_row *cay_bench_find(const struct cay_bench *b, const char *id)
{
	for (size_t i = 0; i < b->n_rows; i++)
		if (!strcmp(b->rows[i].id, id))
			return &b->rows[i];
	return NULL;
}

struct series {
	uint64_t *ns;
	size_t n;
	bool broken;
	struct cay_error err;
};

void cay_bench_interleave(struct cay_bench *b, const struct cay_bench_case *cases, size_t n,
			  size_t rounds)
{
	struct series *series = cay_alloc(n * sizeof(*series));

	for (size_t i = 0; i < n; i++)
		series[i].ns = cay_alloc((rounds + WARM_UP) * sizeof(uint64_t));
	for (size_t round = 0; round < rounds + WARM_UP; round++)
		for (size_t i = 0; i < n; i++) {
			struct series *s = &series[i];
			size_t most = cases[i].rounds_max ? cases[i].rounds_max : rounds;
			uint64_t ns = 0;

			if (s->broken || s->n >= most)
				continue;
			s->broken = cases[i].once(b, cases[i].arg, &ns, &s->err) < 0;
			if (!s->broken && round >= WARM_UP)
				s->ns[s->n++] = ns;
		}
	for (size_t i = 0; i < n; i++) {
		if (series[i].broken)
			cay_bench_add_skipped(b, cases[i].id, cases[i].what, series[i].err.msg);
		else
			cay_bench_add_samples(b, cases[i].id, cases[i].what, series[i].ns,
					      series[i].n);
		free(series[i].ns);
	}
	free(series);
}

static int spawn_quietly(const char *const *argv, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	int result;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	/* posix_spawn does not change what it is given; its prototype is older than const. */
	result = posix_spawnp(ret_pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv,
			      environ);
	posix_spawn_file_actions_destroy(&actions);
	return result;
}

int cay_bench_time_process(const char *const *argv, uint64_t *ret_ns, struct cay_error *err)
{
	uint64_t start = cay_clock_ns();
	int status, sys;
	pid_t pid;

	sys = spawn_quietly(argv, &pid);
	if (sys == ENOENT)
		return cay_fail(err, CAY_E_NO_COMMAND, 0, "%s is not installed", argv[0]);
	if (sys)
		return cay_fail(err, CAY_E_SYSTEM, sys, "cannot execute %s", argv[0]);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return cay_fail(err, CAY_E_SYSTEM, errno, "cannot wait for %s", argv[0]);
	if (ret_ns)
		*ret_ns = cay_clock_ns() - start;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return cay_fail(err, CAY_E_SYSTEM, 0, "%s does not work here (status %d)", argv[0],
				WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return 0;
}
