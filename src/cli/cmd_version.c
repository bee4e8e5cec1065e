/* SPDX-License-Identifier: Apache-2.0 */
/* cay version */
#include "cli/command.h"
#include "cli/output.h"

static int run(void *arg, char **operands CAY_UNUSED, struct cay_error *err CAY_UNUSED)
{
	const struct cay_common *common = arg;

	if (common->json)
		cay_output_json(json_pack("{s:s}", "version", CAY_VERSION));
	else
		puts("cay " CAY_VERSION);
	return 0;
}

const struct cay_command cay_cmd_version = {
	.name = "version",
	.summary = "say which version this is",
	.operands = "",
	.size = sizeof(struct cay_common),
	.run = run,
};
