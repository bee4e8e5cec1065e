/* SPDX-License-Identifier: Apache-2.0 */
/* The engine without a process of its own around it: create, exec, destroy. */
#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "box/box.h"
#include "cli/bench.h"
#include "cli/place.h"

enum { ROUNDS = 200, ROUNDS_QUICK = 30 };

/* arg: the cache folder. */
static int once_engine(struct cay_bench *b CAY_UNUSED, void *arg, uint64_t *ret_ns,
		       struct cay_error *err)
{
	static const char *const argv[] = {"/bin/true", NULL};
	char id[CAY_ID_LEN + 1];
	struct cay_box_spec spec = {.name = id, .cache_dir = arg};
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

void cay_bench_engine(struct cay_bench *b)
{
	auto_free char *cache_dir = NULL;
	struct cay_error err = {};
	struct cay_bench_case cases[] = {
		{"engine.cay", "create, exec of /bin/true, destroy; in process", once_engine},
	};

	if (cay_place_make_cache_dir(&cache_dir, &err) < 0) {
		cay_bench_add_skipped(b, "engine.cay", cases[0].what, err.msg);
		return;
	}
	cases[0].arg = cache_dir;
	cay_bench_interleave(b, cases, CAY_LEN(cases), cay_bench_rounds(b, ROUNDS, ROUNDS_QUICK));
}
