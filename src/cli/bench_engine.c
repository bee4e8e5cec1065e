/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine without a process of its own around it, beside the floor: a minimal C program that
 * makes the same system calls (bench/floor.c), run in batches that take turns with ours.
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

enum { BATCHES = 10, BATCHES_QUICK = 3, BATCH = 20, OUTPUT_MAX = 1 << 20 };

struct engine {
	char *cache_dir, *floor;
};

/* Create, exec of a program that does nothing, destroy. */
static int once_engine(const struct engine *e, uint64_t *ret_ns, struct cay_error *err)
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
