/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command-line options as tables. One row says everything about an option: how it is written, what
 * values it takes, where else its value may come from and how help explains it. The parser, the
 * help texts, the manual page and shell completion are all derived from the rows.
 *
 *	struct greet_options { struct cay_common common; uint64_t size; };
 *	static const struct cay_option rows[] = {
 *		{"size", 's', CAY_OPTION_SIZE, offsetof(struct greet_options, size), "SIZE",
 *		 "how large the greeting may be", .fallback = "1m"},
 *	};
 *
 * Written as --name VALUE, --name=VALUE, -sVALUE, -s VALUE; flags without values may be bundled
 * (-it); "--" ends the options. A value comes from the command line (the last one counts), else
 * from the row's environment variable, else from its fallback, else the member stays zero.
 */
#pragma once

#include "base/error.h"

enum cay_option_kind {
	CAY_OPTION_FLAG,     /* bool; takes no value */
	CAY_OPTION_STRING,   /* const char *, borrowed from argv, environment or table */
	CAY_OPTION_CHOICE,   /* const char *, one of the words in `value`: "none|host" */
	CAY_OPTION_SIZE,     /* uint64_t bytes */
	CAY_OPTION_DURATION, /* uint64_t milliseconds */
	CAY_OPTION_INT,      /* int64_t */
	CAY_OPTION_NUMBER,   /* double */
	CAY_OPTION_LIST,     /* char **, NULL-terminated, owned: may be given several times */
};

/* What a shell offers for a value or an operand. */
enum cay_complete {
	CAY_COMPLETE_NONE,
	CAY_COMPLETE_FILE,
	CAY_COMPLETE_DIR,
	CAY_COMPLETE_SANDBOX, /* names and ids from the server */
	CAY_COMPLETE_COMMAND, /* programs in PATH */
	CAY_COMPLETE_SELF,    /* commands of cay */
};

struct cay_option {
	const char *name; /* long form, without dashes */
	char letter;      /* short form, or 0 */
	enum cay_option_kind kind;
	size_t offset;     /* of the member in the command's struct */
	const char *value; /* how help calls the value; NULL for flags */
	const char *help;  /* begins in lower case, no final stop */
	const char *env;   /* environment variable, or NULL */
	const char *fallback;
	double min, max; /* of numbers, in bytes, milliseconds or as they are; max 0: no bound */
	enum cay_complete complete;
	bool hidden; /* works, but is not shown */
};

/* The rows that one command accepts: at most CAY_OPTION_TABLES tables over one struct. */
enum { CAY_OPTION_TABLES = 3, CAY_OPTION_MAX = 64 };
struct cay_option_set {
	struct {
		const struct cay_option *rows;
		size_t n;
	} tables[CAY_OPTION_TABLES];
};

const struct cay_option *cay_option_next(const struct cay_option_set *set, size_t *at);

/* Reads args (NULL-terminated, without the command's name) into the struct at `out`, which is
 * zeroed. ret_operands: what is left, borrowed strings in an owned array. Options are looked for
 * until the operand number `last` has been seen (SIZE_MAX: everywhere), so that what follows may
 * be a command with options of its own. On failure `out` may be half filled: cay_option_fini
 * either way. */
int cay_option_parse(const struct cay_option_set *set, char *const *args, size_t last, void *out,
		     char ***ret_operands, struct cay_error *err) CAY_NODISCARD;

/* Frees what lists own. */
void cay_option_fini(const struct cay_option_set *set, void *out);
