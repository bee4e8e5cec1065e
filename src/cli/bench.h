/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `cay bench`: how long things take here, beside what else does them and beside a floor.
 *
 * A group of cases measures one kind of thing. Its cases are run in turn, A B C A B C, so that what
 * the machine does meanwhile falls on all of them alike; the first rounds warm caches and do not
 * count. A case that cannot be run is skipped with its reason. Numbers end up as rows with an id
 * ("run.bwrap"); goals are a table over the ids (bench_report.c).
 */
#pragma once

#include "base/error.h"

enum { CAY_BENCH_REASON_MAX = 200 };

struct cay_bench_row {
	const char *id, *what; /* static text */
	const char *unit;      /* "us", "kB", "MiB/s" */
	double p50, p99;       /* p99 < 0: a single figure */
	size_t n;
	char skipped[CAY_BENCH_REASON_MAX]; /* "": it was measured */
};

struct cay_bench {
	bool quick;
	const char *only; /* group, or NULL */
	char *tmp;        /* a folder of this run, removed at the end */
	char *cay;        /* path of this executable */
	struct cay_bench_row *rows;
	size_t n_rows;
	struct cay_bench_server *server; /* started when the first group needs it */
};

struct cay_bench_case {
	const char *id, *what;
	/* Does the thing once and says how long it took; -1: it cannot be done. */
	int (*once)(struct cay_bench *b, void *arg, uint64_t *ret_ns, struct cay_error *err);
	void *arg;
	size_t rounds_max; /* for slow things: fewer rounds than the others; 0: as they */
};

/* Adds a row for each case. */
void cay_bench_interleave(struct cay_bench *b, const struct cay_bench_case *cases, size_t n,
			  size_t rounds);

/* A row from samples in nanoseconds (sorted in place), from one figure, and of a thing left out. */
void cay_bench_add_samples(struct cay_bench *b, const char *id, const char *what, uint64_t *ns,
			   size_t n);
void cay_bench_add_value(struct cay_bench *b, const char *id, const char *what, const char *unit,
			 double value);
void cay_bench_add_skipped(struct cay_bench *b, const char *id, const char *what,
			   const char *reason);

const struct cay_bench_row *cay_bench_find(const struct cay_bench *b, const char *id);

/* How many rounds: fewer where it shall be quick. */
size_t cay_bench_rounds(const struct cay_bench *b, size_t full, size_t quick);

/* Starts argv (argv[0] looked up in PATH) with all three descriptors on /dev/null, waits, and fails
 * unless it ends with 0. *ret_ns may be NULL. */
int cay_bench_time_process(const char *const *argv, uint64_t *ret_ns,
			   struct cay_error *err) CAY_NODISCARD;

/* ---- groups: each adds its rows ---- */

struct cay_bench_group {
	const char *name, *what;
	void (*run)(struct cay_bench *b);
};

extern const struct cay_bench_group cay_bench_groups[];
extern const size_t cay_bench_groups_n;

void cay_bench_run(struct cay_bench *b);    /* commands in a sandbox, as processes */
void cay_bench_engine(struct cay_bench *b); /* the engine alone, and the floor */
void cay_bench_api(struct cay_bench *b);    /* create and delete, exec, shell */
void cay_bench_files(struct cay_bench *b);
void cay_bench_memory(struct cay_bench *b);
void cay_bench_agent(struct cay_bench *b);

/* ---- the report ---- */

void cay_bench_print(const struct cay_bench *b);
void cay_bench_print_json(const struct cay_bench *b);
