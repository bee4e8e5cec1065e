/* SPDX-License-Identifier: Apache-2.0 */
/* The command table: every row is complete and consistent, so that help, completion and the manual
 * page that are made from it are too. */
#include <ctype.h>

#include "base/mem.h"
#include "cli/command.h"
#include "tap.h"

static void rows_are_complete(void)
{
	for (size_t i = 0; i < cay_commands_n; i++) {
		const struct cay_command *c = cay_commands[i];

		CHECK(c->name && c->summary && c->operands && c->run);
		CHECK(c->size >= sizeof(struct cay_common));
		CHECK(islower((unsigned char)c->summary[0]));
		CHECK(c->min_operands <= c->max_operands);
		CHECK((c->max_operands == 0) == (*c->operands == '\0'));
		CHECK(cay_command_find(c->name) == c);
		for (size_t j = 0; j < i; j++)
			CHECK(strcmp(c->name, cay_commands[j]->name) != 0);
	}
	CHECK(!cay_command_find("no-such-command"));
}

static void check_option(const struct cay_command *c, const struct cay_option_set *set,
			 const struct cay_option *o, size_t before)
{
	const struct cay_option *other;
	size_t at = 0;

	if (!o->name || !o->help || !islower((unsigned char)o->help[0]) ||
	    o->help[strlen(o->help) - 1] == '.')
		printf("# %s: the help of --%s\n", c->name, o->name);
	CHECK(o->name && o->help && islower((unsigned char)o->help[0]));
	CHECK(o->help[strlen(o->help) - 1] != '.');
	CHECK((o->kind == CAY_OPTION_FLAG) == (o->value == NULL));
	CHECK(o->offset < c->size);
	while (at < before && (other = cay_option_next(set, &at))) {
		if (!strcmp(o->name, other->name) || (o->letter && o->letter == other->letter))
			printf("# %s: --%s and --%s\n", c->name, o->name, other->name);
		CHECK(strcmp(o->name, other->name) != 0);
		CHECK(!o->letter || o->letter != other->letter);
	}
}

static void options_are_consistent(void)
{
	for (size_t i = 0; i < cay_commands_n; i++) {
		struct cay_option_set set = cay_command_options(cay_commands[i]);
		const struct cay_option *o;
		size_t at = 0;

		while ((o = cay_option_next(&set, &at)))
			check_option(cay_commands[i], &set, o, at - 1);
		CHECK(at <= CAY_OPTION_MAX);
	}
}

/* The fallbacks of all rows are values that the rows accept. */
static void fallbacks_parse(void)
{
	static char *const none[] = {NULL};

	for (size_t i = 0; i < cay_commands_n; i++) {
		struct cay_option_set set = cay_command_options(cay_commands[i]);
		void *options = cay_alloc(cay_commands[i]->size);
		struct cay_error err = {};
		char **operands = NULL;

		CHECK_INT(cay_option_parse(&set, none, SIZE_MAX, options, &operands, &err), 0);
		CHECK_STR(err.msg, "");
		cay_option_fini(&set, options);
		free(operands);
		free(options);
	}
}

static void examples_name_their_command(void)
{
	for (size_t i = 0; i < cay_commands_n; i++)
		for (const struct cay_example *e = cay_commands[i]->examples; e && e->line; e++) {
			auto_free char *call = cay_format("cay %s", cay_commands[i]->name);

			CHECK(strstr(e->line, call) != NULL);
			CHECK(e->what && *e->what);
		}
}

TAP_MAIN({"rows_are_complete", rows_are_complete},
	 {"options_are_consistent", options_are_consistent}, {"fallbacks_parse", fallbacks_parse},
	 {"examples_name_their_command", examples_name_their_command})
