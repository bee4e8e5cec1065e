/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput(): it is linked
 * with libFuzzer (-Dlibfuzzer=true), or with replay.c, which runs it over fuzz/corpus/<target>/ in
 * the tests. A target aborts when something that must hold does not.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

/* Sizes of pieces, drawn from the input's own bytes, so that a crash is found again. */
struct pieces {
	uint32_t state;
};

static inline size_t piece(struct pieces *p, size_t left)
{
	size_t n;

	p->state = p->state * 1664525 + 1013904223;
	n = 1 + (p->state >> 16) % ((p->state >> 8) % 4 ? 8 : 300);
	return n < left ? n : left;
}
