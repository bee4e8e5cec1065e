/* SPDX-License-Identifier: Apache-2.0 */
/* A recursive-descent reader of bash's grammar: lists, compound commands, complete commands. */
#include "agent/bash_split.h"

#include <string.h>

#include "agent/bash_reader.h"
#include "base/mem.h"

/* ---- commands ---- */

static bool is_one_of(const char *word, const char *const *list)
{
	for (; word[0] && *list; list++)
		if (!strcmp(word, *list))
			return true;
	return false;
}

/* The reserved word at `at`, without moving; empty if there is none. Plain characters only: nothing
 * that would have to be read twice. */
static void peek_word(const struct cay_bash_reader *r, char out[CAY_BASH_WORD_MAX])
{
	size_t n = 0;

	while (n < CAY_BASH_WORD_MAX - 1 && !cay_bash_is_meta(cay_bash_peek(r, n)))
		n++;
	memcpy(out, r->s + r->at, n);
	out[n] = '\0';
}

/* Moves over a reserved word that must be here. */
static bool expect_word(struct cay_bash_reader *r, const char *word)
{
	if (!cay_bash_skip_newlines(r))
		return false;
	if (r->at == r->n)
		return cay_bash_stop(r, CAY_BASH_INCOMPLETE);
	if (!cay_bash_read_word(r))
		return false;
	return !strcmp(r->word, word) ? true : cay_bash_stop(r, CAY_BASH_BAD);
}

static bool read_until(struct cay_bash_reader *r, const char *end)
{
	const char *const ends[] = {end, NULL};

	return cay_bash_read_list(r, ends) && expect_word(r, end);
}

static bool read_if(struct cay_bash_reader *r)
{
	static const char *const ends[] = {"elif", "else", "fi", NULL};

	if (!read_until(r, "then"))
		return false;
	for (;;) {
		if (!cay_bash_read_list(r, ends) || !cay_bash_skip_newlines(r))
			return false;
		if (r->at == r->n)
			return cay_bash_stop(r, CAY_BASH_INCOMPLETE);
		if (!cay_bash_read_word(r))
			return false;
		if (!strcmp(r->word, "fi"))
			return true;
		if (!strcmp(r->word, "else"))
			return read_until(r, "fi");
		if (strcmp(r->word, "elif"))
			return cay_bash_stop(r, CAY_BASH_BAD);
		if (!read_until(r, "then"))
			return false;
	}
}

static bool read_loop(struct cay_bash_reader *r)
{
	return read_until(r, "do") && read_until(r, "done");
}

static bool read_words_until_separator(struct cay_bash_reader *r)
{
	for (cay_bash_skip_blanks(r); !cay_bash_is_meta(cay_bash_peek(r, 0)) ||
				      cay_bash_looking_at(r, "<(") || cay_bash_looking_at(r, ">(");
	     cay_bash_skip_blanks(r))
		if (!cay_bash_read_word(r))
			return false;
	return true;
}

/* for name [in words]; do list done, for ((...)); do list done, and select. A body in braces
 * instead of do and done is accepted by bash, undocumented. */
static bool read_for(struct cay_bash_reader *r)
{
	char word[CAY_BASH_WORD_MAX];

	cay_bash_skip_blanks(r);
	if (cay_bash_looking_at(r, "((")) {
		r->at++;
		r->at++;
		if (!cay_bash_read_balanced(r, '(', ')') || !cay_bash_expect_close(r))
			return false;
	} else if (!read_words_until_separator(r)) {
		return false;
	}
	cay_bash_skip_blanks(r);
	if (cay_bash_peek(r, 0) == ';')
		r->at++;
	if (!cay_bash_skip_newlines(r))
		return false;
	peek_word(r, word);
	if (!strcmp(word, "{"))
		return expect_word(r, "{") && read_until(r, "}");
	if (!strcmp(word, "in")) {
		if (!expect_word(r, "in") || !read_words_until_separator(r))
			return false;
		if (cay_bash_peek(r, 0) == ';')
			r->at++;
	}
	return expect_word(r, "do") && read_until(r, "done");
}

/* One "pattern | pattern) list ;;". */
static bool read_case_clause(struct cay_bash_reader *r)
{
	static const char *const ends[] = {"esac", NULL};

	if (cay_bash_peek(r, 0) == '(')
		r->at++;
	for (;;) {
		cay_bash_skip_blanks(r);
		if (!cay_bash_read_word(r))
			return false;
		cay_bash_skip_blanks(r);
		if (cay_bash_peek(r, 0) != '|')
			break;
		r->at++;
	}
	if (!cay_bash_expect_close(r) || !cay_bash_read_list(r, ends))
		return false;
	cay_bash_skip_blanks(r);
	if (cay_bash_looking_at(r, ";;&"))
		r->at += 3;
	else if (cay_bash_looking_at(r, ";;") || cay_bash_looking_at(r, ";&"))
		r->at += 2;
	return true;
}

static bool read_case(struct cay_bash_reader *r)
{
	char word[CAY_BASH_WORD_MAX];

	cay_bash_skip_blanks(r);
	if (!cay_bash_read_word(r) || !expect_word(r, "in"))
		return false;
	for (;;) {
		if (!cay_bash_skip_newlines(r))
			return false;
		if (r->at == r->n)
			return cay_bash_stop(r, CAY_BASH_INCOMPLETE);
		peek_word(r, word);
		if (!strcmp(word, "esac"))
			return expect_word(r, "esac");
		if (!read_case_clause(r))
			return false;
	}
}

/* [[ ... ]]: newlines, parentheses, < and > are its own; ends with the word ]]. */
static bool read_condition(struct cay_bash_reader *r)
{
	while (r->at < r->n) {
		cay_bash_skip_blanks(r);
		if (cay_bash_is_meta(cay_bash_peek(r, 0)) && r->at < r->n) {
			r->at++;
			continue;
		}
		if (!cay_bash_read_word(r))
			return false;
		if (!strcmp(r->word, "]]"))
			return true;
	}
	return cay_bash_stop(r, CAY_BASH_INCOMPLETE);
}

static bool read_command(struct cay_bash_reader *r);

static bool read_body(struct cay_bash_reader *r)
{
	return cay_bash_skip_newlines(r) &&
	       (r->at < r->n ? read_command(r) : cay_bash_stop(r, CAY_BASH_INCOMPLETE));
}

static bool read_function(struct cay_bash_reader *r)
{
	cay_bash_skip_blanks(r);
	if (!cay_bash_read_word(r))
		return false;
	cay_bash_skip_blanks(r);
	if (cay_bash_peek(r, 0) == '(') {
		r->at++;
		cay_bash_skip_blanks(r);
		if (!cay_bash_expect_close(r))
			return false;
	}
	return read_body(r);
}

static bool read_brace_group(struct cay_bash_reader *r)
{
	return read_until(r, "}");
}

/* Reserved words that begin something; the word itself has been read. */
static const struct {
	const char *word;
	bool (*read)(struct cay_bash_reader *r);
} compounds[] = {
	{"[[", read_condition},      {"case", read_case},  {"for", read_for},
	{"function", read_function}, {"if", read_if},      {"select", read_for},
	{"until", read_loop},        {"while", read_loop}, {"{", read_brace_group},
};

/* Reserved words that may only appear where their construct looks for them. */
static const char *const closers[] = {"}",    "do", "done", "elif", "else",
				      "esac", "fi", "then", NULL};

/* Words that stand before a command. */
static const char *const prefixes[] = {"!", "coproc", "time", NULL};

/* A simple command whose first word has been read, or a function definition: name () body. */
static bool read_simple(struct cay_bash_reader *r)
{
	cay_bash_skip_blanks(r);
	if (cay_bash_peek(r, 0) == '(') {
		r->at++;
		cay_bash_skip_blanks(r);
		return cay_bash_expect_close(r) && read_body(r);
	}
	for (;;) {
		cay_bash_skip_blanks(r);
		if (cay_bash_at_redirection(r)) {
			if (!cay_bash_read_redirection(r))
				return false;
		} else if (!cay_bash_is_meta(cay_bash_peek(r, 0)) || cay_bash_looking_at(r, "<(") ||
			   cay_bash_looking_at(r, ">(")) {
			if (!cay_bash_read_word(r))
				return false;
		} else if (cay_bash_peek(r, 0) == '(') {
			return cay_bash_stop(r, CAY_BASH_BAD);
		} else {
			return true;
		}
	}
}

/* ( list ), or (( expression )). */
static bool read_parenthesis(struct cay_bash_reader *r)
{
	r->at++;
	if (cay_bash_peek(r, 0) != '(')
		return cay_bash_read_substitution(r);
	return cay_bash_read_balanced(r, '(', ')');
}

static bool read_named(struct cay_bash_reader *r)
{
	char word[CAY_BASH_WORD_MAX];

	if (!cay_bash_read_word(r))
		return false;
	memcpy(word, r->word, sizeof(word));
	for (size_t i = 0; i < CAY_LEN(compounds); i++)
		if (!strcmp(word, compounds[i].word))
			return compounds[i].read(r) && cay_bash_read_redirections(r);
	if (is_one_of(word, closers))
		return cay_bash_stop(r, CAY_BASH_BAD);
	if (is_one_of(word, prefixes)) {
		cay_bash_skip_blanks(r);
		return cay_bash_is_meta(cay_bash_peek(r, 0)) && cay_bash_peek(r, 0) != '(' &&
				       !cay_bash_at_redirection(r)
			       ? true
			       : read_command(r);
	}
	return read_simple(r);
}

static bool read_command(struct cay_bash_reader *r)
{
	bool ok;

	cay_bash_skip_blanks(r);
	if (!cay_bash_enter(r))
		return false;
	if (cay_bash_at_redirection(r))
		ok = cay_bash_read_redirection(r) && read_simple(r);
	else if (cay_bash_peek(r, 0) == '(')
		ok = read_parenthesis(r) && cay_bash_read_redirections(r);
	else if (cay_bash_is_meta(cay_bash_peek(r, 0)) && !cay_bash_looking_at(r, "<(") &&
		 !cay_bash_looking_at(r, ">("))
		ok = cay_bash_stop(r, r->at == r->n ? CAY_BASH_INCOMPLETE : CAY_BASH_BAD);
	else
		ok = read_named(r);
	r->depth--;
	return ok;
}

/* Commands joined by && || | |&, over newlines. */
static bool read_and_or(struct cay_bash_reader *r)
{
	for (;;) {
		if (!read_command(r))
			return false;
		cay_bash_skip_blanks(r);
		if (cay_bash_looking_at(r, "&&") || cay_bash_looking_at(r, "||") ||
		    cay_bash_looking_at(r, "|&"))
			r->at += 2;
		else if (cay_bash_peek(r, 0) == '|')
			r->at++;
		else
			return true;
		if (!cay_bash_skip_newlines(r))
			return false;
	}
}

/* ";" or "&", and not ";;", ";&". */
static bool take_separator(struct cay_bash_reader *r)
{
	cay_bash_skip_blanks(r);
	if (cay_bash_looking_at(r, ";;") || cay_bash_looking_at(r, ";&") ||
	    cay_bash_looking_at(r, "&&"))
		return false;
	if (cay_bash_peek(r, 0) != ';' && cay_bash_peek(r, 0) != '&')
		return false;
	r->at++;
	cay_bash_skip_blanks(r);
	return true;
}

/* A list inside a construct, up to one of the words, ")", ";;" or the end of the text. */
bool cay_bash_read_list(struct cay_bash_reader *r, const char *const *ends)
{
	char word[CAY_BASH_WORD_MAX];
	int c;

	for (;;) {
		if (!cay_bash_skip_newlines(r))
			return false;
		c = cay_bash_peek(r, 0);
		if (c < 0 || c == ')' || cay_bash_looking_at(r, ";;") ||
		    cay_bash_looking_at(r, ";&"))
			return true;
		peek_word(r, word);
		if (is_one_of(word, ends))
			return true;
		if (!read_and_or(r))
			return false;
		if (!take_separator(r) && cay_bash_peek(r, 0) != '\n') {
			c = cay_bash_peek(r, 0);
			if (c >= 0 && c != ')' && c != ';') {
				peek_word(r, word);
				/* "done fi": a construct may be closed right after another. */
				return is_one_of(word, ends) ? true
							     : cay_bash_stop(r, CAY_BASH_BAD);
			}
		}
	}
}

/* One complete command: lists up to the newline that ends them. */
static bool read_complete(struct cay_bash_reader *r)
{
	do {
		if (!read_and_or(r))
			return false;
	} while (take_separator(r) && cay_bash_peek(r, 0) >= 0 && cay_bash_peek(r, 0) != '\n');
	if (r->at < r->n && r->s[r->at] != '\n')
		return cay_bash_stop(r, CAY_BASH_BAD);
	if (r->at == r->n)
		return r->n_heredocs ? cay_bash_stop(r, CAY_BASH_INCOMPLETE) : true;
	r->at++;
	return cay_bash_read_heredocs(r);
}

static size_t trimmed_end(const char *text, size_t start, size_t end)
{
	while (end > start && strchr(" \t\r\n", text[end - 1]))
		end--;
	return end;
}

static void add_range(struct cay_bash_split *s, size_t start)
{
	s->commands = cay_realloc_array(s->commands, s->n + 1, sizeof(*s->commands));
	s->commands[s->n++] = (struct cay_bash_range){.start = start};
}

void cay_bash_split(const char *text, size_t n, struct cay_bash_split *ret)
{
	struct cay_bash_reader r = {.s = text, .n = n};

	*ret = (struct cay_bash_split){};
	while (cay_bash_skip_newlines(&r) && r.at < n) {
		add_range(ret, ret->n ? r.at : 0);
		if (!read_complete(&r))
			break;
		ret->n_ended++;
	}
	ret->result = r.status;
	if (r.status != CAY_BASH_COMPLETE) {
		free(ret->commands);
		ret->commands = NULL;
		ret->n = 0;
		add_range(ret, 0);
	}
	for (size_t i = 0; i < ret->n; i++)
		ret->commands[i].end = trimmed_end(text, ret->commands[i].start,
						   i + 1 < ret->n ? ret->commands[i + 1].start : n);
}

void cay_bash_split_fini(struct cay_bash_split *s)
{
	free(s->commands);
	*s = (struct cay_bash_split){};
}
