/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader under bash_split: words with their quotes and expansions, here-documents and
 * redirections. Every function moves `at` forward and returns false once `status` says why not to go
 * on. For bash_split.c and bash_word.c only.
 */
#pragma once

#include "agent/bash_split.h"

enum {
	CAY_BASH_HEREDOCS_MAX = 32, /* on one line */
	CAY_BASH_WORD_MAX = 32,     /* longest literal word that matters: a reserved one */
};

struct cay_bash_heredoc {
	size_t start, n; /* the delimiter as written, with its quotes */
	bool strip_tabs;
};

struct cay_bash_reader {
	const char *s;
	size_t n, at;
	enum cay_bash_split_result status;
	unsigned depth;
	struct cay_bash_heredoc heredocs[CAY_BASH_HEREDOCS_MAX];
	size_t n_heredocs;
	char word[CAY_BASH_WORD_MAX]; /* the last word, where it was plain and short; else empty */
};

/* Remembers the first reason; always false. */
bool cay_bash_stop(struct cay_bash_reader *r, enum cay_bash_split_result why);

/* The byte `ahead` of the position, -1 past the end. */
int cay_bash_peek(const struct cay_bash_reader *r, size_t ahead);
bool cay_bash_looking_at(const struct cay_bash_reader *r, const char *text);
bool cay_bash_is_meta(int c); /* ends a word; also -1 */

/* Counts a nested construct; the caller takes it back from `depth`. */
bool cay_bash_enter(struct cay_bash_reader *r);

/* A word, perhaps an empty one; r->word is set. */
bool cay_bash_read_word(struct cay_bash_reader *r);

/* Up to the closing character that matches, with nested pairs and quotes: arithmetic, ${}. */
bool cay_bash_read_balanced(struct cay_bash_reader *r, char open, char close);

/* A list and the closing parenthesis; the opening one has been read. */
bool cay_bash_read_substitution(struct cay_bash_reader *r);
bool cay_bash_expect_close(struct cay_bash_reader *r);

/* Blanks, continued lines and a comment. */
void cay_bash_skip_blanks(struct cay_bash_reader *r);

/* The same over newlines, each followed by the here-documents that were announced before it. */
bool cay_bash_skip_newlines(struct cay_bash_reader *r);
bool cay_bash_read_heredocs(struct cay_bash_reader *r);

bool cay_bash_at_redirection(const struct cay_bash_reader *r);
bool cay_bash_read_redirection(struct cay_bash_reader *r);
bool cay_bash_read_redirections(struct cay_bash_reader *r); /* all that stand here */

/* In bash_split.c: a list inside a construct, up to one of the words, ")", ";;" or the end. */
bool cay_bash_read_list(struct cay_bash_reader *r, const char *const *ends);
