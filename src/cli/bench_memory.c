/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What idles: the server before it has done anything, and twenty sandboxes, as the fall of the
 * machine's MemAvailable (kernel structures included) and as the agents' own share (PSS).
 */
#include <dirent.h>
#include <string.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "cli/bench_server.h"

enum { SANDBOXES = 20, FILE_MAX = 64 << 10 };

/* "NAME:  123 kB" of a file of /proc; -1 where it is not there. */
static double read_kb(const char *path, const char *name)
{
	auto_buf struct cay_buf text;
	struct cay_error ignored;
	const char *at;

	cay_buf_init(&text, FILE_MAX);
	if (cay_fd_read_file(path, &text, &ignored) < 0)
		return -1;
	at = strstr(text.data, name);
	return at ? strtod(at + strlen(name), NULL) : -1;
}

/* Sum of the proportional set sizes of all programs called cay-agent. */
static double agents_pss_kb(size_t *ret_n)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	double sum = 0;

	*ret_n = 0;
	while (proc && (entry = readdir(proc))) {
		auto_free char *status = cay_format("/proc/%s/status", entry->d_name);
		auto_free char *rollup = cay_format("/proc/%s/smaps_rollup", entry->d_name);
		auto_buf struct cay_buf text;
		struct cay_error ignored;
		double pss;

		cay_buf_init(&text, FILE_MAX);
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
		    cay_fd_read_file(status, &text, &ignored) < 0 ||
		    !memmem(text.data, strcspn(text.data, "\n"), "cay-agent", 9))
			continue;
		pss = read_kb(rollup, "\nPss:");
		if (pss > 0) {
			sum += pss;
			++*ret_n;
		}
	}
	if (proc)
		closedir(proc);
	return sum;
}

/* A server that has just started, so that nothing else counts. */
static int measure_server(struct cay_bench *b, struct cay_error *err)
{
	auto_free char *path = NULL;

	cay_bench_server_stop(b);
	if (cay_bench_server_start(b, err) < 0)
		return -1;
	path = cay_format("/proc/%d/status", (int)b->server->pid);
	cay_bench_add_value(b, "memory.server", "an idle server, resident", "kB",
			    read_kb(path, "\nVmRSS:"));
	return 0;
}

static int measure_sandboxes(struct cay_bench *b, struct cay_bench_sandbox *s, size_t *made,
			     struct cay_error *err)
{
	double before = read_kb("/proc/meminfo", "MemAvailable:"), after, pss;
	size_t agents_before, agents;
	double pss_before = agents_pss_kb(&agents_before);

	for (*made = 0; *made < SANDBOXES; ++*made)
		if (cay_bench_sandbox_create(b, NULL, &s[*made], err) < 0)
			return -1;
	after = read_kb("/proc/meminfo", "MemAvailable:");
	pss = agents_pss_kb(&agents);
	cay_bench_add_value(b, "memory.sandbox", "one of 20 idle sandboxes, from MemAvailable",
			    "kB", (before - after) / SANDBOXES);
	if (agents > agents_before)
		cay_bench_add_value(b, "memory.agent", "its agent alone, proportional", "kB",
				    (pss - pss_before) / (double)(agents - agents_before));
	return 0;
}

void cay_bench_memory(struct cay_bench *b)
{
	struct cay_bench_sandbox *s = cay_alloc(SANDBOXES * sizeof(*s)), first;
	struct cay_error err = {};
	size_t made = 0;

	if (measure_server(b, &err) < 0 || cay_bench_sandbox_create(b, NULL, &first, &err) < 0) {
		cay_bench_add_skipped(b, "memory", "idle sandboxes", err.msg);
	} else {
		/* The first one is not counted: it brings what all share into memory. */
		if (measure_sandboxes(b, s, &made, &err) < 0)
			cay_bench_add_skipped(b, "memory.sandbox", "idle sandboxes", err.msg);
		cay_bench_sandbox_destroy(&first);
	}
	for (size_t i = 0; i < made; i++)
		cay_bench_sandbox_destroy(&s[i]);
	free(s);
}
