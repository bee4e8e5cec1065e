/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers of `cay bench` beside the goals and the machine, for people and as JSON. */
#include <string.h>
#include <sys/utsname.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/bench.h"
#include "cli/output.h"

/* A row's median, or its ratio to another row's, is at most `limit` (in the row's unit). */
static const struct goal {
	const char *id, *beside; /* beside NULL: the figure itself */
	double limit;
} goals[] = {
	{"run.cay", "run.bwrap", 0.6},       {"run.cay", "run.crun", 0.35},
	{"engine.cay", "engine.floor", 1.5}, {"api.create", NULL, 5000},
	{"exec.daemon", "exec.spawn", 1.5},  {"shell.agent", NULL, 300},
	{"shell.daemon", NULL, 500},         {"files.upload", "files.cp", 2},
	{"files.download", "files.cp", 2},   {"memory.server", NULL, 10240},
	{"memory.sandbox", NULL, 600},       {"agent.size", NULL, 2048},
	{"agent.start", NULL, 5000},         {"agent.memory", NULL, 1536},
};

struct machine {
	struct utsname uname;
	char cpu[128];
	long cpus;
	double memory_gib;
};

/* The value of the first line "NAME ... : VALUE" of a file of /proc. */
static void read_value(const char *path, const char *name, char *out, size_t size)
{
	auto_buf struct cay_buf text;
	struct cay_error ignored;
	const char *at;

	snprintf(out, size, "unknown");
	cay_buf_init(&text, 1 << 20);
	if (cay_fd_read_file(path, &text, &ignored) < 0)
		return;
	at = strstr(text.data, name);
	at = at ? strchr(at, ':') : NULL;
	if (!at)
		return;
	at += 1 + strspn(at + 1, " \t");
	snprintf(out, size, "%.*s", (int)strcspn(at, "\n"), at);
}

static struct machine describe_machine(void)
{
	struct machine m = {.cpus = sysconf(_SC_NPROCESSORS_ONLN)};
	char memory[64];

	uname(&m.uname);
	read_value("/proc/cpuinfo", "model name", m.cpu, sizeof(m.cpu));
	read_value("/proc/meminfo", "MemTotal", memory, sizeof(memory));
	m.memory_gib = strtod(memory, NULL) / (1 << 20);
	return m;
}

static bool has_value(const struct cay_bench_row *row)
{
	return row && !row->skipped[0] && row->p50 > 0;
}

/* What the goal looks at; false where a row is missing. */
static bool goal_value(const struct cay_bench *b, const struct goal *g, double *ret)
{
	const struct cay_bench_row *row = cay_bench_find(b, g->id);
	const struct cay_bench_row *beside = g->beside ? cay_bench_find(b, g->beside) : NULL;

	if (!has_value(row) || (g->beside && !has_value(beside)))
		return false;
	*ret = g->beside ? row->p50 / beside->p50 : row->p50;
	return true;
}

/* ---- for people ---- */

static void print_rows(const struct cay_bench *b)
{
	static const char *const heads[] = {"WHAT", "MEDIAN", "P99", "N", "HOW", NULL};
	struct cay_table *t = cay_table_create(heads);

	for (size_t i = 0; i < b->n_rows; i++) {
		const struct cay_bench_row *r = &b->rows[i];

		cay_table_add(t, r->id, CAY_STYLE_PLAIN);
		if (r->skipped[0]) {
			cay_table_add(t, "skipped", CAY_STYLE_WARN);
			cay_table_add(t, NULL, CAY_STYLE_PLAIN);
			cay_table_add(t, NULL, CAY_STYLE_PLAIN);
			cay_table_add(t, r->skipped, CAY_STYLE_DIM);
			continue;
		}
		cay_table_addf(t, CAY_STYLE_PLAIN, "%.0f %s", r->p50, r->unit);
		if (r->p99 >= 0)
			cay_table_addf(t, CAY_STYLE_PLAIN, "%.0f %s", r->p99, r->unit);
		else
			cay_table_add(t, NULL, CAY_STYLE_PLAIN);
		cay_table_addf(t, CAY_STYLE_PLAIN, "%zu", r->n);
		cay_table_add(t, r->what, CAY_STYLE_DIM);
	}
	cay_table_print(t);
	cay_table_destroy(t);
}

static void print_goals(const struct cay_bench *b)
{
	static const char *const heads[] = {"GOAL", "LIMIT", "REACHED", "RESULT", NULL};
	struct cay_table *t = cay_table_create(heads);
	double value;

	for (size_t i = 0; i < CAY_LEN(goals); i++) {
		const struct goal *g = &goals[i];
		const char *unit;

		if (!goal_value(b, g, &value))
			continue;
		unit = g->beside ? "x" : cay_bench_find(b, g->id)->unit;
		cay_table_addf(t, CAY_STYLE_PLAIN, "%s%s%s", g->id, g->beside ? " / " : "",
			       g->beside ? g->beside : "");
		cay_table_addf(t, CAY_STYLE_PLAIN, "%g %s", g->limit, unit);
		cay_table_addf(t, CAY_STYLE_PLAIN, g->beside ? "%.2f %s" : "%.0f %s", value, unit);
		cay_table_add(t, value <= g->limit ? "met" : "not met",
			      value <= g->limit ? CAY_STYLE_GOOD : CAY_STYLE_BAD);
	}
	cay_table_print(t);
	cay_table_destroy(t);
}

void cay_bench_print(const struct cay_bench *b)
{
	struct machine m = describe_machine();

	printf("cay %s, %s %s, %s, %ld CPUs, %.1f GiB\n\n", CAY_VERSION, m.uname.sysname,
	       m.uname.release, m.cpu, m.cpus, m.memory_gib);
	print_rows(b);
	putchar('\n');
	print_goals(b);
}

/* ---- for programs ---- */

static json_t *row_json(const struct cay_bench_row *r)
{
	if (r->skipped[0])
		return json_pack("{s:s, s:s, s:o}", "id", r->id, "what", r->what, "skipped",
				 cay_json_bytes(r->skipped, strlen(r->skipped)));
	if (r->p99 < 0)
		return json_pack("{s:s, s:s, s:s, s:f}", "id", r->id, "what", r->what, "unit",
				 r->unit, "value", r->p50);
	return json_pack("{s:s, s:s, s:s, s:f, s:f, s:I}", "id", r->id, "what", r->what, "unit",
			 r->unit, "p50", r->p50, "p99", r->p99, "n", (json_int_t)r->n);
}

static json_t *goals_json(const struct cay_bench *b)
{
	json_t *list = json_array();
	double value;

	for (size_t i = 0; i < CAY_LEN(goals); i++)
		if (goal_value(b, &goals[i], &value))
			json_array_append_new(list,
					      json_pack("{s:s, s:s*, s:f, s:f, s:b}", "id",
							goals[i].id, "ratio_to", goals[i].beside,
							"limit", goals[i].limit, "value", value,
							"met", value <= goals[i].limit));
	return list;
}

void cay_bench_print_json(const struct cay_bench *b)
{
	struct machine m = describe_machine();
	json_t *rows = json_array();

	for (size_t i = 0; i < b->n_rows; i++)
		json_array_append_new(rows, row_json(&b->rows[i]));
	cay_output_json(json_pack("{s:s, s:{s:s, s:s, s:o, s:I, s:f}, s:b, s:o, s:o}", "version",
				  CAY_VERSION, "machine", "kernel", m.uname.release, "arch",
				  m.uname.machine, "cpu", cay_json_bytes(m.cpu, strlen(m.cpu)),
				  "cpus", (json_int_t)m.cpus, "memory_gib", m.memory_gib, "quick",
				  b->quick, "rows", rows, "goals", goals_json(b)));
}
