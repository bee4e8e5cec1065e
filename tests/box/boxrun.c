/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine alone, for tests and measurements: boxrun [options] -- command...
 *
 *	-n N  N times, each with its output dropped; prints the times as JSON
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "box/box.h"

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int fail(const struct cay_error *err)
{
	fprintf(stderr, "boxrun: %s%s%s\n", err->msg, *err->hint ? "\n  " : "", err->hint);
	return cay_error_exit_status(err->code);
}

static int measure(const struct cay_box_spec *spec, const struct cay_box_command *command, size_t n)
{
	auto_free uint64_t *ns = cay_alloc(n * sizeof(*ns));
	struct cay_box_result result;
	struct cay_error err = {};

	for (size_t i = 0; i < n; i++) {
		uint64_t start = cay_clock_ns();

		if (cay_box_run(spec, command, &result, &err) < 0)
			return fail(&err);
		ns[i] = cay_clock_ns() - start;
		cay_box_result_fini(&result);
	}
	qsort(ns, n, sizeof(*ns), compare);
	printf("{\"n\":%zu,\"p50_ns\":%llu,\"p99_ns\":%llu}\n", n, (unsigned long long)ns[n / 2],
	       (unsigned long long)ns[n * 99 / 100]);
	return 0;
}

int main(int argc, char **argv)
{
	struct cay_box_spec spec = {.name = "boxrun", .cache_dir = getenv("BOXRUN_CACHE")};
	struct cay_box_command command = {};
	struct cay_box_result result;
	struct cay_error err = {};
	int64_t n = 0;
	int exit_code;
	bool report = false;
	int option;

	while ((option = getopt(argc, argv, "+n:w:Wr:m:p:c:t:HTNj")) != -1) {
		if (option == 'n' && cay_text_int(optarg, "-n", 1, 100000, &n, &err) < 0)
			return fail(&err);
		if (option == 'm' &&
		    cay_text_size(optarg, "-m", UINT64_MAX, &spec.memory_bytes, &err) < 0)
			return fail(&err);
		if (option == 'p')
			spec.pids = strtoull(optarg, NULL, 10);
		if (option == 'c')
			spec.cpus = strtod(optarg, NULL);
		if (option == 't' &&
		    cay_text_duration(optarg, "-t", UINT64_MAX, &spec.timeout_ms, &err) < 0)
			return fail(&err);
		if (option == 'w')
			spec.workspace = optarg;
		if (option == 'W')
			spec.workspace_read_only = true;
		if (option == 'r')
			spec.rootfs = optarg;
		if (option == 'H')
			spec.net = CAY_BOX_NET_HOST;
		if (option == 'T')
			command.tty = true;
		if (option == 'N')
			command.no_stdin = true;
		if (option == 'j')
			report = command.report = true;
	}
	if (!spec.cache_dir)
		spec.cache_dir = "/tmp/boxrun-cache";
	command.argv = (const char *const *)argv + optind;
	if (n > 0)
		return measure(&spec, &command, (size_t)n);
	if (cay_box_run(&spec, &command, &result, &err) < 0)
		return fail(&err);
	if (report) {
		char *text = json_dumps(result.report, JSON_INDENT(1));

		fprintf(stderr, "%s\nsetup %llu us, oom %d, timed out %d\n", text,
			(unsigned long long)result.setup_ns / 1000, result.oom, result.timed_out);
		free(text);
	}
	exit_code = result.exit_code;
	cay_box_result_fini(&result);
	return exit_code;
}
