/* SPDX-License-Identifier: Apache-2.0 */
/* The engine without a process of its own around it, and the floor: a minimal C program that does
 * the same system calls (bench/floor.c). The two take turns in batches. */
#include "cli/bench.h"

void cay_bench_engine(struct cay_bench *b)
{
	cay_bench_add_skipped(b, "engine.cay", "the engine alone", "not here yet");
}
