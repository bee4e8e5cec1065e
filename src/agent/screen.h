/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person in front of a terminal would see, and could scroll back to: bytes in, lines out.
 * libvterm parses (its state layer); the cells are kept here, because its own screen layer would
 * take 40 bytes for each of a million mostly empty cells, and does not tell a line that was wrapped
 * by the margin from one that has ended.
 *
 *	history: finished lines as text, the last CAY_SCREEN_HISTORY of them
 *	rows:    the screen, each row as long as what was written into it
 *
 * Nothing is answered to the program (cursor position, terminal identity): an answer would be
 * input, and a program that only prints must not be able to type.
 */
#pragma once

#include "base/macro.h"

struct cay_buf;
struct cay_screen;

enum {
	CAY_SCREEN_HISTORY = 10000,
	CAY_SCREEN_HISTORY_BYTES = 16 << 20,
};

struct cay_screen *cay_screen_create(unsigned rows, unsigned cols);
void cay_screen_destroy(struct cay_screen *s); /* NULL is fine */

void cay_screen_write(struct cay_screen *s, const void *data, size_t n);
void cay_screen_reset(struct cay_screen *s); /* empty, as after create */

/* Rises whenever something that could be seen has changed. */
uint64_t cay_screen_changes(const struct cay_screen *s);

/* Lines have left the history since the last reset. */
bool cay_screen_has_lost(const struct cay_screen *s);

/* All lines, without trailing blanks, ended by '\n'; lines that the margin wrapped are joined;
 * empty lines at the end are left out. */
void cay_screen_text(const struct cay_screen *s, struct cay_buf *out);
