/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `cay-server serve`: the daemon from its arguments to its exit.
 *
 *	options -> state folder (locked, swept) -> key -> agent image -> launcher -> listeners
 *	-> "cay: listening on URL" -> loop -> SIGTERM or SIGINT: drain -> sandboxes destroyed -> 0
 *
 * The launcher is forked before anything listens, so that no listening socket outlives the daemon
 * in it.
 */
#pragma once

#include <stddef.h>

/* argv: options only. agent: the bytes of cay-agent. Returns the exit status. */
int cay_serve(char *const *argv, const void *agent, size_t agent_n);
