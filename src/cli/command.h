/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of `cay`: one row each, defined in cmd_<name>.c and listed in commands.def.
 * Dispatch, `cay help`, completion and the manual page read the rows; nothing else knows a command
 * by name.
 *
 * A command's run function gets its options filled, its operands counted, and returns the exit
 * status of the process, or -1 with an error that the caller prints (as text, or with --json as
 * JSON, on stderr). It writes its results to stdout and does not look after flushing: a full disk
 * or a closed pipe is noticed at the end, in one place.
 */
#pragma once

#include "cli/option.h"

/* Every command's struct of options begins with this. */
struct cay_common {
	bool help;
	bool json;
	/* Only of commands with CAY_COMMAND_CLIENT: */
	const char *server;
	const char *state;
};

enum cay_command_flags {
	CAY_COMMAND_CLIENT = 1, /* speaks to the server: --server, --state */
};

struct cay_example {
	const char *line, *what;
};

struct cay_command {
	const char *name;
	const char *summary;     /* one line, begins in lower case */
	const char *operands;    /* of the synopsis: "SANDBOX [--] COMMAND..." */
	const char *description; /* paragraphs, separated by an empty line; may be NULL */
	const struct cay_option *options;
	size_t n_options;
	const struct cay_example *examples; /* ended by {} */
	size_t size;                        /* of the struct of options */
	unsigned flags;
	size_t options_until; /* the operand after which everything is an operand; 0: never */
	size_t min_operands, max_operands; /* max 0: none are taken; SIZE_MAX: any number */
	enum cay_complete complete;        /* of operands */
	int failure_status; /* exit status of a failure of cay itself; 0: by error (errors.def) */
	int (*run)(void *options, char **operands, struct cay_error *err);
};

/* All of them, in the order of help. */
extern const struct cay_command *const cay_commands[];
extern const size_t cay_commands_n;

const struct cay_command *cay_command_find(const char *name); /* NULL if there is none */

/* The rows that a command accepts: the common ones, the client's, its own. */
struct cay_option_set cay_command_options(const struct cay_command *c);

/* The program: finds the command, parses, runs, reports. Returns the exit status. */
int cay_command_main(char **argv);
