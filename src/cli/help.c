/* SPDX-License-Identifier: Apache-2.0 */
/* Help for people at a terminal, 80 columns wide, from the table of commands. */
#include "cli/help.h"

#include <string.h>

#include "base/mem.h"
#include "cli/output.h"

enum { WIDTH = 80, HELP_COLUMN = 30 };

/* Prints text filled to WIDTH, `column` being where the cursor stands and `indent` where the next
 * lines begin. An empty line in the text stays one. */
static void put_filled(FILE *f, const char *text, size_t column, size_t indent)
{
	bool first = true;

	while (*text) {
		size_t word = strcspn(text, " \n");

		if (!first && column + 1 + word > WIDTH) {
			fprintf(f, "\n%*s", (int)indent, "");
			column = indent;
		} else if (!first) {
			fputc(' ', f);
			column++;
		}
		fwrite(text, 1, word, f);
		column += word;
		first = false;
		text += word;
		if (!strncmp(text, "\n\n", 2)) {
			fprintf(f, "\n\n%*s", (int)indent, "");
			column = indent;
			first = true;
		}
		text += strspn(text, " \n");
	}
	fputc('\n', f);
}

static void put_heading(FILE *f, const char *text)
{
	fprintf(f, "\n%s%s%s\n", cay_output_style(f, CAY_STYLE_BOLD), text,
		cay_output_style_end(f));
}

void cay_help_overview(FILE *f)
{
	fputs("cay: sandboxes for AI agents\n", f);
	put_heading(f, "Usage");
	fputs("  cay COMMAND [OPTIONS] [OPERANDS]\n", f);
	put_heading(f, "Commands");
	for (size_t i = 0; i < cay_commands_n; i++)
		fprintf(f, "  %-12s %s\n", cay_commands[i]->name, cay_commands[i]->summary);
	put_heading(f, "First steps");
	fputs("  cay run -- COMMAND         a command in a sandbox of its own, nothing left "
	      "behind\n"
	      "  cay run --workspace . -it  a shell in a sandbox that sees this folder\n"
	      "  cay doctor                 what this machine can do, and how to get the rest\n"
	      "  cay help COMMAND           options and examples of a command\n",
	      f);
}

static void put_option(const struct cay_option *o)
{
	char left[128];
	auto_free char *help = NULL;
	int n;

	if (o->letter)
		n = snprintf(left, sizeof(left), "  -%c, --%s", o->letter, o->name);
	else
		n = snprintf(left, sizeof(left), "      --%s", o->name);
	if (o->value)
		n += snprintf(left + n, sizeof(left) - (size_t)n, " %s", o->value);
	help = cay_format("%s%s%s%s%s%s%s%s", o->help,
			  o->kind == CAY_OPTION_LIST ? "; may be given several times" : "",
			  o->env ? " [" : "", o->env ? o->env : "", o->env ? "]" : "",
			  o->fallback ? " (default " : "", o->fallback ? o->fallback : "",
			  o->fallback ? ")" : "");
	fputs(left, stdout);
	if (n + 2 > HELP_COLUMN)
		printf("\n%*s", HELP_COLUMN, "");
	else
		printf("%*s", HELP_COLUMN - n, "");
	put_filled(stdout, help, HELP_COLUMN, HELP_COLUMN);
}

void cay_help_command(const struct cay_command *c)
{
	struct cay_option_set set = cay_command_options(c);
	const struct cay_option *o;
	size_t at = 0;

	printf("cay %s: ", c->name);
	put_filled(stdout, c->summary, strlen(c->name) + 6, 2);
	put_heading(stdout, "Usage");
	printf("  cay %s [OPTIONS]%s%s\n", c->name, *c->operands ? " " : "", c->operands);
	if (c->description) {
		fputs("\n", stdout);
		put_filled(stdout, c->description, 0, 0);
	}
	put_heading(stdout, "Options");
	while ((o = cay_option_next(&set, &at)))
		if (!o->hidden)
			put_option(o);
	if (c->examples) {
		put_heading(stdout, "Examples");
		for (const struct cay_example *e = c->examples; e->line; e++)
			printf("  # %s\n  %s\n", e->what, e->line);
	}
}
