/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where one complete bash command ends and the next begins, in text that a client sent: commands
 * are separated by a newline that ends one (POSIX 2.10, `complete_command`). "a; b", "a && b",
 * a pipeline over several lines, a function, a here-document and an if or a loop are one command
 * each. Comments and blank lines are none.
 *
 * It reads structure only: quotes, expansions, here-documents, compound commands. It does not
 * expand or execute, and where bash itself would see an error it says so and lets bash report it.
 */
#pragma once

#include "base/macro.h"

enum cay_bash_split_result {
	CAY_BASH_COMPLETE,   /* each command ends */
	CAY_BASH_INCOMPLETE, /* the last one goes on: an open quote, an if without fi, ... */
	CAY_BASH_BAD,        /* something that bash does not accept */
};

struct cay_bash_split {
	enum cay_bash_split_result result;
	/* Byte ranges of the text, in order; for INCOMPLETE and BAD the whole is one. A range begins
	 * with the comments before its first command, has those that follow a command up to the next
	 * one, and no white space at its end. NULL where there is no command. */
	struct cay_bash_range {
		size_t start, end;
	} * commands;
	size_t n;
	size_t n_ended; /* commands that end, also for INCOMPLETE and BAD */
};

void cay_bash_split(const char *text, size_t n, struct cay_bash_split *ret);
void cay_bash_split_fini(struct cay_bash_split *s);
