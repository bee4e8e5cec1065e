/* SPDX-License-Identifier: Apache-2.0 */
/* Help texts and the manual page, both written from the table of commands. */
#pragma once

#include "cli/command.h"

void cay_help_overview(FILE *f);
void cay_help_command(const struct cay_command *c); /* to stdout */
void cay_help_man(void);                            /* cay(1) in man(7) macros, to stdout */
