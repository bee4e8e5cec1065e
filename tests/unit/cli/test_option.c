/* SPDX-License-Identifier: Apache-2.0 */
/* cli/option: the spellings of options, values, environment and fallbacks, and every refusal. */
#include <stdlib.h>

#include "base/mem.h"
#include "cli/option.h"
#include "tap.h"

struct opts {
	bool all, tty;
	const char *name, *net;
	char **env;
	uint64_t size, time;
	int64_t count;
	double cpus;
};

#define AT(member) offsetof(struct opts, member)

static const struct cay_option rows[] = {
	{"all", 'a', CAY_OPTION_FLAG, AT(all), NULL, ""},
	{"tty", 't', CAY_OPTION_FLAG, AT(tty), NULL, ""},
	{"name", 'n', CAY_OPTION_STRING, AT(name), "NAME", "", .env = "TEST_OPTION_NAME"},
	{"net", 0, CAY_OPTION_CHOICE, AT(net), "none|host", "", .fallback = "none"},
	{"env", 'e', CAY_OPTION_LIST, AT(env), "K=V", ""},
	{"size", 's', CAY_OPTION_SIZE, AT(size), "SIZE", "", .min = 4096, .max = 1 << 30},
	{"time", 0, CAY_OPTION_DURATION, AT(time), "TIME", "", .min = 1, .max = 60000},
	{"count", 'c', CAY_OPTION_INT, AT(count), "N", "", .min = 1, .max = 10},
	{"cpus", 0, CAY_OPTION_NUMBER, AT(cpus), "N", "", .min = 0.1, .max = 8,
	 .env = "TEST_OPTION_CPUS"},
	{"secret", 0, CAY_OPTION_FLAG, AT(all), NULL, "", .hidden = true},
};
static const struct cay_option_set set = {.tables = {{rows, CAY_LEN(rows)}}};

static struct opts opts;
static char **operands;
static struct cay_error err;

static int parse_until(size_t last, const char *const *args)
{
	cay_option_fini(&set, &opts);
	free(operands);
	operands = NULL;
	opts = (struct opts){};
	err = (struct cay_error){};
	return cay_option_parse(&set, (char *const *)(uintptr_t)args, last, &opts, &operands, &err);
}

#define PARSE(...) parse_until(SIZE_MAX, (const char *const[]){__VA_ARGS__, NULL})

static void spellings(void)
{
	CHECK_INT(PARSE("-at", "--name", "x", "-s4k", "-c", "3", "--cpus=1.5", "op"), 0);
	CHECK(opts.all && opts.tty);
	CHECK_STR(opts.name, "x");
	CHECK_INT(opts.size, 4096);
	CHECK_INT(opts.count, 3);
	CHECK(opts.cpus > 1.49 && opts.cpus < 1.51);
	CHECK_STR(operands[0], "op");
	CHECK(!operands[1]);
	CHECK_INT(PARSE("-tn", "y", "--name=z", "--time=2s"), 0);
	CHECK_STR(opts.name, "z");
	CHECK_INT(opts.time, 2000);
	CHECK_INT(PARSE("--name="), 0);
	CHECK_STR(opts.name, "");
	CHECK_INT(PARSE("-tnvalue"), 0);
	CHECK_STR(opts.name, "value");
}

static void lists(void)
{
	CHECK_INT(PARSE("-e", "A=1", "--env=B=2", "-eC=--tty"), 0);
	CHECK_INT(cay_strv_len((const char *const *)opts.env), 3);
	CHECK_STR(opts.env[1], "B=2");
	CHECK_STR(opts.env[2], "C=--tty");
	CHECK(!opts.tty);
}

static void ends(void)
{
	CHECK_INT(PARSE("--", "--all", "-x"), 0);
	CHECK_STR(operands[0], "--all");
	CHECK_STR(operands[1], "-x");
	CHECK(!opts.all);
	CHECK_INT(PARSE("-", "-a"), 0);
	CHECK_STR(operands[0], "-");
	CHECK(opts.all);
}

static void command_with_options_of_its_own(void)
{
	static const char *const plain[] = {"-a", "ls", "-t", "--", "--bad", NULL};
	static const char *const dashes[] = {"id", "-a", "--", "ls", "--", "-t", NULL};

	CHECK_INT(parse_until(1, plain), 0);
	CHECK(opts.all && !opts.tty);
	CHECK_STR(operands[1], "-t");
	CHECK_STR(operands[2], "--");
	CHECK_STR(operands[3], "--bad");
	CHECK_INT(parse_until(2, dashes), 0);
	CHECK(opts.all && !opts.tty);
	CHECK_STR(operands[0], "id");
	CHECK_STR(operands[1], "ls");
	CHECK_STR(operands[2], "--");
	CHECK_STR(operands[3], "-t");
}

static void defaults(void)
{
	CHECK_INT(PARSE("x"), 0);
	CHECK_STR(opts.net, "none");
	CHECK(!opts.name);
	setenv("TEST_OPTION_NAME", "from-env", 1);
	CHECK_INT(PARSE("x"), 0);
	CHECK_STR(opts.name, "from-env");
	CHECK_INT(PARSE("--name", "given"), 0);
	CHECK_STR(opts.name, "given");
	setenv("TEST_OPTION_NAME", "", 1);
	CHECK_INT(PARSE("x"), 0);
	CHECK(!opts.name);
	unsetenv("TEST_OPTION_NAME");
	setenv("TEST_OPTION_CPUS", "many", 1);
	CHECK_INT(PARSE("x"), -1);
	CHECK(strstr(err.msg, "TEST_OPTION_CPUS"));
	CHECK_INT(PARSE("--cpus", "1"), 0);
	unsetenv("TEST_OPTION_CPUS");
}

static void refusals(void)
{
	CHECK_INT(PARSE("--nmae", "x"), -1);
	CHECK_STR(err.msg, "unknown option '--nmae'");
	CHECK_STR(err.hint, "did you mean '--name'?");
	CHECK_INT(PARSE("--secre"), -1);
	CHECK_STR(err.hint, "");
	CHECK_INT(PARSE("-az"), -1);
	CHECK_STR(err.msg, "unknown option '-z'");
	CHECK_INT(PARSE("--name"), -1);
	CHECK_STR(err.msg, "--name needs a value (NAME)");
	CHECK_INT(PARSE("--all=yes"), -1);
	CHECK_STR(err.msg, "--all takes no value");
	CHECK_INT(PARSE("--net", "hos"), -1);
	CHECK_STR(err.msg, "--net: 'hos' is not one of none|host");
	CHECK_INT(PARSE("--net", "none|host"), -1);
	CHECK_INT(PARSE("--size", "4095"), -1);
	CHECK_INT(PARSE("--size", "2g"), -1);
	CHECK_INT(PARSE("--size", "-1"), -1);
	CHECK_INT(PARSE("--time", "0"), -1);
	CHECK_INT(PARSE("--time", "2m"), -1);
	CHECK_INT(PARSE("--count", "11"), -1);
	CHECK_INT(PARSE("--count", "1x"), -1);
	CHECK_INT(PARSE("--cpus", "0"), -1);
	CHECK_INT(err.code, CAY_E_INVALID);
}

TAP_MAIN({"spellings", spellings}, {"lists", lists}, {"ends", ends},
	 {"command_with_options_of_its_own", command_with_options_of_its_own},
	 {"defaults", defaults}, {"refusals", refusals})
