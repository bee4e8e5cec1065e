/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A unit test program: a table of cases, TAP on stdout. `./test_x` runs all, `./test_x name...`
 *some.
 *
 *	static void adds(void) { CHECK(1 + 1 == 2); }
 *	TAP_MAIN({"adds", adds})
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct tap_case {
	const char *name;
	void (*run)(void);
};

static int tap_failures;
static const char *tap_skip_reason;

/* A failed check is reported and the case goes on. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			tap_failures++;                                                            \
			printf("# %s:%d: failed: %s\n", __FILE__, __LINE__, #condition);           \
		}                                                                                  \
	} while (0)

#define CHECK_INT(got, want)                                                                       \
	do {                                                                                       \
		long long got_ = (long long)(got), want_ = (long long)(want);                      \
		if (got_ != want_) {                                                               \
			tap_failures++;                                                            \
			printf("# %s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #got, got_,  \
			       want_);                                                             \
		}                                                                                  \
	} while (0)

#define CHECK_STR(got, want)                                                                       \
	do {                                                                                       \
		const char *got_ = (got), *want_ = (want);                                         \
		if (!got_ || strcmp(got_, want_) != 0) {                                           \
			tap_failures++;                                                            \
			printf("# %s:%d: %s is\n#   '%s', not\n#   '%s'\n", __FILE__, __LINE__,    \
			       #got, got_ ? got_ : "(null)", want_);                               \
		}                                                                                  \
	} while (0)

/* Ends the case as skipped; the reason is shown and counted. */
#define SKIP(reason)                                                                               \
	do {                                                                                       \
		tap_skip_reason = (reason);                                                        \
		return;                                                                            \
	} while (0)

static bool tap_wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc < 2;
}

static int tap_run(const struct tap_case *cases, size_t n, int argc, char **argv)
{
	int failed_cases = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%zu\n", n);
	for (size_t i = 0; i < n; i++) {
		int before = tap_failures;

		tap_skip_reason = tap_wanted(cases[i].name, argc, argv) ? NULL : "not asked for";
		if (!tap_skip_reason)
			cases[i].run();
		failed_cases += tap_failures > before;
		printf("%sok %zu - %s%s%s\n", tap_failures > before ? "not " : "", i + 1,
		       cases[i].name, tap_skip_reason ? " # SKIP " : "",
		       tap_skip_reason ? tap_skip_reason : "");
	}
	return failed_cases ? 1 : 0;
}

#define TAP_MAIN(...)                                                                              \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		static const struct tap_case cases[] = {__VA_ARGS__};                              \
		return tap_run(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);               \
	}
