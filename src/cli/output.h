/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people and programs see: tables, facts, JSON and errors. Text that comes from a sandbox or
 * a server passes through cay_text_quote before it reaches a terminal; colours are used only
 * there, and not where NO_COLOR is set (https://no-color.org) or TERM is "dumb".
 */
#pragma once

#include <jansson.h>

#include "base/error.h"

enum cay_style {
	CAY_STYLE_PLAIN,
	CAY_STYLE_BOLD,
	CAY_STYLE_GOOD,
	CAY_STYLE_BAD,
	CAY_STYLE_WARN,
	CAY_STYLE_DIM,
};

/* The escape sequences around text on `f`: empty strings where colours are not wanted. */
const char *cay_output_style(FILE *f, enum cay_style style);
const char *cay_output_style_end(FILE *f);

/* One line on stderr: "cay: message", and the hint below; or the error shape as JSON. */
void cay_output_error(const struct cay_error *err, bool json);

/* "cay: ..." on stderr, quoted: news that is not an error. */
void cay_output_note(const char *fmt, ...) CAY_PRINTF(1, 2);

/* The reader of our output has gone away. There is nothing to say: ends the process as any filter
 * ends, by SIGPIPE; returns the exit status for the case that it is blocked for good. */
int cay_output_end_by_sigpipe(void);

/* A value to stdout with a line end: indented on a terminal, else compact. Takes the reference. */
void cay_output_json(json_t *value);

/* One quoted string to stdout, without line end. */
void cay_output_quoted(const char *s);

/* "name:  value" lines of a list of facts; nothing for a NULL value. width: of the name column. */
void cay_output_fact(const char *name, size_t width, const char *value);

/*
 * A table: columns of equal width, the head in capitals, two spaces between. Cells are quoted when
 * they are added; missing ones are shown as "-".
 */
struct cay_table;

struct cay_table *cay_table_create(const char *const *heads); /* NULL-terminated */
void cay_table_destroy(struct cay_table *t);
void cay_table_add(struct cay_table *t, const char *cell, enum cay_style style);
void cay_table_addf(struct cay_table *t, enum cay_style style, const char *fmt, ...)
	CAY_PRINTF(3, 4);
void cay_table_print(const struct cay_table *t);
