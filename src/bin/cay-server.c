/* SPDX-License-Identifier: Apache-2.0 */
/* cay-server: what `cay` executes for the work that needs more than a static program has. Carries
 * cay-agent. */
#include <stdio.h>
#include <string.h>

#include "api/serve.h"

/* Written by tools/embed. */
extern const char cay_agent_image[], cay_agent_image_end[];

static int serve(char **argv)
{
	return cay_serve(argv, cay_agent_image, (size_t)(cay_agent_image_end - cay_agent_image));
}

static int version(char **argv)
{
	return puts("cay-server " CAY_VERSION) < 0;
}

static const struct {
	const char *name;
	int (*run)(char **argv);
} commands[] = {
	{"serve", serve},
	{"version", version},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argv + 2);
	fputs("usage: cay-server serve [OPTION]... | version\n", stderr);
	return 2;
}
