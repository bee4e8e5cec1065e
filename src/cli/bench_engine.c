/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine without a process of its own around it, beside the floor: a minimal C program that
 * makes the same system calls (bench/floor.c). The two take turns in batches; each times itself.
 */
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/json.h"
#include "base/mem.h"
#include "box/box.h"
#include "cli/bench.h"
#include "cli/place.h"

enum {
	BATCHES = 12,
	BATCHES_QUICK = 3,
	BATCH = 20,
	WARM_UP = 2, /* of each batch; they do not count */
	OUTPUT_MAX = 1 << 20,
};

struct engine {
	char *cache_dir, *floor;
	uint64_t *ours, *theirs;
	size_t n_ours, n_theirs;
};

/* Create, exec of a program that does nothing, destroy. */
static int run_once(const struct engine *e, uint64_t *ret_ns, struct cay_error *err)
{
	static const char *const argv[] = {"/bin/true", NULL};
	char id[CAY_ID_LEN + 1];
	struct cay_box_spec spec = {.name = id, .cache_dir = e->cache_dir};
	struct cay_box_command command = {.argv = argv, .no_stdin = true};
	struct cay_box_result result;
	uint64_t start = cay_clock_ns();
	int status;

	cay_id_random(id, CAY_ID_LEN);
	if (cay_box_run(&spec, &command, &result, err) < 0)
		return -1;
	status = result.exit_code;
	cay_box_result_fini(&result);
	*ret_ns = cay_clock_ns() - start;
	return status ? cay_fail(err, CAY_E_SYSTEM, 0, "/bin/true ended with %d", status) : 0;
}

static int batch_engine(struct engine *e, struct cay_error *err)
{
	uint64_t ns;

	for (int i = 0; i < BATCH + WARM_UP; i++) {
		if (run_once(e, &ns, err) < 0)
			return -1;
		if (i >= WARM_UP)
			e->ours[e->n_ours++] = ns;
	}
	return 0;
}

/* Runs the floor and keeps what it writes. */
static int capture_floor(const char *program, struct cay_buf *out, struct cay_error *err)
{
	auto_free char *name = cay_strdup(program), *times = cay_format("%d", BATCH + WARM_UP);
	char option[] = "-n";
	char *const argv[] = {name, option, times, NULL};
	posix_spawn_file_actions_t actions;
	int fds[2], status, result;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "cannot make a pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	result = posix_spawn(&pid, program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	if (result) {
		close(fds[0]);
		return cay_fail(err, CAY_E_SYSTEM, result, "cannot execute %s", program);
	}
	result = cay_fd_read_all(fds[0], out);
	close(fds[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (result < 0 || status != 0)
		return cay_fail(err, CAY_E_SYSTEM, 0, "the floor program does not work here");
	return 0;
}

static int batch_floor(struct engine *e, struct cay_error *err)
{
	auto_buf struct cay_buf out;
	auto_json json_t *answer = NULL;
	const json_t *samples, *sample;
	size_t i;

	cay_buf_init(&out, OUTPUT_MAX);
	if (capture_floor(e->floor, &out, err) < 0 ||
	    cay_json_parse(out.data, out.len, &answer, err) < 0)
		return -1;
	samples = json_object_get(answer, "samples_ns");
	json_array_foreach (samples, i, sample) {
		if (i >= WARM_UP && i < BATCH + WARM_UP)
			e->theirs[e->n_theirs++] = (uint64_t)json_integer_value(sample);
	}
	return e->n_theirs ? 0 : cay_fail(err, CAY_E_INTERNAL, 0, "the floor gave no samples");
}

static void add_rows(struct cay_bench *b, const struct engine *e, const struct cay_error *ours,
		     const struct cay_error *theirs)
{
	static const char what[] = "create, exec of /bin/true, destroy; in process";
	static const char what_floor[] = "the same system calls in a minimal C program";

	if (ours->code != CAY_OK)
		cay_bench_add_skipped(b, "engine.cay", what, ours->msg);
	else
		cay_bench_add_samples(b, "engine.cay", what, e->ours, e->n_ours);
	if (theirs->code != CAY_OK)
		cay_bench_add_skipped(b, "engine.floor", what_floor, theirs->msg);
	else
		cay_bench_add_samples(b, "engine.floor", what_floor, e->theirs, e->n_theirs);
}

void cay_bench_engine(struct cay_bench *b)
{
	size_t batches = cay_bench_rounds(b, BATCHES, BATCHES_QUICK);
	struct cay_error ours = {}, theirs = {};
	struct engine e = {};

	e.ours = cay_alloc(batches * BATCH * sizeof(*e.ours));
	e.theirs = cay_alloc(batches * BATCH * sizeof(*e.theirs));
	bool has_cache = cay_place_make_cache_dir(&e.cache_dir, &ours) == 0;
	bool has_floor = cay_place_find_program("bench/floor", &e.floor, &theirs) == 0;

	for (size_t i = 0; i < batches; i++) {
		has_cache = has_cache && batch_engine(&e, &ours) == 0;
		has_floor = has_floor && batch_floor(&e, &theirs) == 0;
	}
	add_rows(b, &e, &ours, &theirs);
	free(e.ours);
	free(e.theirs);
	free(e.cache_dir);
	free(e.floor);
}
