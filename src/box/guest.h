/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PID 1 of a sandbox that runs one command: our own forked process, which executes nothing itself.
 * It starts the command, collects processes that lost their parent, hands signals of the outside on
 * to the command, and when the command ends it reports that and ends, and with it all processes of
 * the sandbox.
 */
#pragma once

#include "box/spawn.h"

struct cay_guest {
	const struct cay_box_command *command;
	int stdio[3]; /* become 0, 1, 2; -1: as they are; with a tty they mean nothing */
};

/* The body for cay_spawn_fork; arg is a struct cay_guest. */
void cay_guest_main(struct cay_spawn *s, int sock, void *arg);
