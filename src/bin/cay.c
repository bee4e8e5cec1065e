/* SPDX-License-Identifier: Apache-2.0 */
/* cay: the command line, the engine and the client of the server in one small static program. */
#include "cli/command.h"

int main(int argc CAY_UNUSED, char **argv)
{
	return cay_command_main(argv);
}
