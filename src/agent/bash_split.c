/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recursive-descent reader of bash's grammar, as far as it decides where commands end. Every
 * function moves `at` forward and returns false once `status` says why not to go on.
 */
#include "agent/bash_split.h"

#include <string.h>

#include "base/mem.h"

enum {
	DEPTH_MAX = 200,   /* nested constructs; deeper counts as bad */
	HEREDOCS_MAX = 32, /* on one line */
	WORD_MAX = 32,     /* longest literal word that matters: a reserved one */
};

struct heredoc {
	size_t start, n; /* the delimiter as written, with its quotes */
	bool strip_tabs;
};

struct reader {
	const char *s;
	size_t n, at;
	enum cay_bash_split_result status;
	unsigned depth;
	struct heredoc heredocs[HEREDOCS_MAX];
	size_t n_heredocs;
	char word[WORD_MAX]; /* the last word, where it was plain and short; else empty */
};

static bool stop(struct reader *r, enum cay_bash_split_result why)
{
	if (r->status == CAY_BASH_COMPLETE)
		r->status = why;
	return false;
}

static int peek(const struct reader *r, size_t ahead)
{
	return r->at + ahead < r->n ? (unsigned char)r->s[r->at + ahead] : -1;
}

static bool looking_at(const struct reader *r, const char *text)
{
	size_t n = strlen(text);

	return r->n - r->at >= n && !memcmp(r->s + r->at, text, n);
}

static bool enter(struct reader *r)
{
	return ++r->depth <= DEPTH_MAX ? true : stop(r, CAY_BASH_BAD);
}

static bool is_meta(int c)
{
	return c < 0 || strchr(" \t\n;&|()<>", c);
}

static bool read_list(struct reader *r, const char *const *ends);

/* ---- words ---- */

static bool read_single_quoted(struct reader *r)
{
	const char *end = memchr(r->s + r->at, '\'', r->n - r->at);

	if (!end)
		return stop(r, CAY_BASH_INCOMPLETE);
	r->at = (size_t)(end - r->s) + 1;
	return true;
}

/* $'...': a backslash protects the quote. */
static bool read_ansi_quoted(struct reader *r)
{
	for (; r->at < r->n; r->at++) {
		if (r->s[r->at] == '\\')
			r->at++;
		else if (r->s[r->at] == '\'')
			return r->at++, true;
	}
	return stop(r, CAY_BASH_INCOMPLETE);
}

static bool read_backquoted(struct reader *r)
{
	for (; r->at < r->n; r->at++) {
		if (r->s[r->at] == '\\')
			r->at++;
		else if (r->s[r->at] == '`')
			return r->at++, true;
	}
	return stop(r, CAY_BASH_INCOMPLETE);
}

static bool read_dollar(struct reader *r);

static bool read_double_quoted(struct reader *r)
{
	while (r->at < r->n) {
		char c = r->s[r->at++];

		if (c == '"')
			return true;
		if (c == '\\')
			r->at++;
		else if (c == '`' && !read_backquoted(r))
			return false;
		else if (c == '$' && !read_dollar(r))
			return false;
	}
	return stop(r, CAY_BASH_INCOMPLETE);
}

/* One quoted piece or expansion that begins with c, which has been read. */
static bool read_quoting(struct reader *r, char c)
{
	switch (c) {
	case '\\':
		r->at += r->at < r->n;
		return true;
	case '\'':
		return read_single_quoted(r);
	case '"':
		return read_double_quoted(r);
	case '`':
		return read_backquoted(r);
	case '$':
		return read_dollar(r);
	default:
		return true;
	}
}

/* Up to the closing character that matches, nested pairs and quotes inside: arithmetic, ${}. */
static bool read_balanced(struct reader *r, char open, char close)
{
	unsigned nested = 1;

	if (!enter(r))
		return false;
	while (r->at < r->n) {
		char c = r->s[r->at++];

		if (c == close && --nested == 0)
			return r->depth--, true;
		if (c == open)
			nested++;
		else if (!read_quoting(r, c))
			return false;
	}
	return stop(r, CAY_BASH_INCOMPLETE);
}

static bool expect_close(struct reader *r)
{
	if (r->at == r->n)
		return stop(r, CAY_BASH_INCOMPLETE);
	if (r->s[r->at] != ')')
		return stop(r, CAY_BASH_BAD);
	r->at++;
	return true;
}

/* $(...), <(...), >(...): a list of commands; the parenthesis has been read. */
static bool read_substitution(struct reader *r)
{
	static const char *const none[] = {NULL};
	bool ok;

	if (!enter(r))
		return false;
	ok = read_list(r, none) && expect_close(r);
	r->depth--;
	return ok;
}

/* After '$'. */
static bool read_dollar(struct reader *r)
{
	switch (peek(r, 0)) {
	case '(':
		r->at++;
		if (peek(r, 0) != '(')
			return read_substitution(r);
		return read_balanced(r, '(', ')'); /* $((...)), or a subshell inside $() */
	case '{':
		r->at++;
		return read_balanced(r, '{', '}');
	case '[':
		r->at++;
		return read_balanced(r, '[', ']');
	case '\'':
		r->at++;
		return read_ansi_quoted(r);
	case '"':
		r->at++;
		return read_double_quoted(r);
	default:
		return true;
	}
}

/* Is an opening parenthesis here part of the word: an array (name=( or name+=() or an extended
 * pattern such as @(a|b)? */
static bool paren_in_word(const struct reader *r, size_t start)
{
	size_t len = r->at - start;

	return len > 0 && (r->s[r->at - 1] == '=' || strchr("?*+@!", r->s[r->at - 1]));
}

static bool read_array(struct reader *r);

static bool read_word(struct reader *r)
{
	size_t start = r->at;
	bool plain = true;

	r->word[0] = '\0';
	while (r->at < r->n) {
		int c = peek(r, 0);

		if ((c == '<' || c == '>') && peek(r, 1) == '(') {
			r->at += 2;
			plain = false;
			if (!read_substitution(r))
				return false;
			continue;
		}
		if (c == '(' && paren_in_word(r, start)) {
			bool array = r->s[r->at - 1] == '=';

			r->at++;
			plain = false;
			if (!(array ? read_array(r) : read_balanced(r, '(', ')')))
				return false;
			continue;
		}
		if (is_meta(c))
			break;
		r->at++;
		if (strchr("\\'\"`$", c)) {
			plain = false;
			if (!read_quoting(r, (char)c))
				return false;
		}
	}
	if (plain && r->at - start < WORD_MAX) {
		memcpy(r->word, r->s + start, r->at - start);
		r->word[r->at - start] = '\0';
	}
	return true;
}

/* ---- blanks, newlines, here-documents ---- */

static void skip_blanks(struct reader *r)
{
	for (;;) {
		int c = peek(r, 0);

		if (c == ' ' || c == '\t')
			r->at++;
		else if (c == '\\' && peek(r, 1) == '\n')
			r->at += 2;
		else
			break;
	}
	if (peek(r, 0) == '#')
		while (r->at < r->n && r->s[r->at] != '\n')
			r->at++;
}

/* The delimiter without its quotes. */
static size_t unquote(const struct reader *r, const struct heredoc *h, char *out, size_t max)
{
	size_t n = 0;
	char quote = 0;

	for (size_t i = h->start; i < h->start + h->n && n < max; i++) {
		char c = r->s[i];

		if (quote && c == quote)
			quote = 0;
		else if (!quote && (c == '\'' || c == '"'))
			quote = c;
		else if (c == '\\' && quote != '\'' && i + 1 < h->start + h->n)
			out[n++] = r->s[++i];
		else if (!(c == '$' && !quote && i + 1 < h->start + h->n &&
			   strchr("'\"", r->s[i + 1])))
			out[n++] = c;
	}
	return n;
}

static bool read_heredoc(struct reader *r, const struct heredoc *h)
{
	char delimiter[256];
	size_t n = unquote(r, h, delimiter, sizeof(delimiter));

	while (r->at < r->n) {
		const char *line = r->s + r->at;
		const char *end = memchr(line, '\n', r->n - r->at);
		size_t len = end ? (size_t)(end - line) : r->n - r->at;
		size_t tabs = 0;

		r->at += len + (end ? 1 : 0);
		while (h->strip_tabs && tabs < len && line[tabs] == '\t')
			tabs++;
		if (len - tabs == n && !memcmp(line + tabs, delimiter, n))
			return true;
	}
	return stop(r, CAY_BASH_INCOMPLETE);
}

/* After a newline has been read: the here-documents that were announced before it. */
static bool read_heredocs(struct reader *r)
{
	size_t n = r->n_heredocs;

	r->n_heredocs = 0;
	for (size_t i = 0; i < n; i++)
		if (!read_heredoc(r, &r->heredocs[i]))
			return false;
	return true;
}

static bool skip_newlines(struct reader *r)
{
	for (skip_blanks(r); peek(r, 0) == '\n'; skip_blanks(r)) {
		r->at++;
		if (!read_heredocs(r))
			return false;
	}
	return true;
}

/* name=( words ): over lines, with comments; the parenthesis has been read. */
static bool read_array(struct reader *r)
{
	size_t start;

	if (!enter(r))
		return false;
	for (;;) {
		if (!skip_newlines(r))
			return false;
		if (r->at == r->n || r->s[r->at] == ')')
			break;
		start = r->at;
		if (!read_word(r))
			return false;
		if (r->at == start)
			return stop(r, CAY_BASH_BAD);
	}
	r->depth--;
	return expect_close(r);
}

/* ---- redirections ---- */

static bool read_heredoc_delimiter(struct reader *r, bool strip_tabs)
{
	size_t start;

	skip_blanks(r);
	start = r->at;
	if (!read_word(r))
		return false;
	if (r->at == start)
		return stop(r, r->at == r->n ? CAY_BASH_INCOMPLETE : CAY_BASH_BAD);
	if (r->n_heredocs == HEREDOCS_MAX)
		return stop(r, CAY_BASH_BAD);
	r->heredocs[r->n_heredocs++] =
		(struct heredoc){.start = start, .n = r->at - start, .strip_tabs = strip_tabs};
	return true;
}

static bool read_redirection(struct reader *r)
{
	static const char *const operators[] = {"&>>", "<<<", "&>", ">>", "<&", ">&",
						"<>",  ">|",  "<",  ">",  NULL};
	size_t start;

	if (looking_at(r, "<<") && !looking_at(r, "<<<")) {
		bool strip = looking_at(r, "<<-");

		r->at += strip ? 3 : 2;
		return read_heredoc_delimiter(r, strip);
	}
	for (size_t i = 0; operators[i]; i++) {
		if (looking_at(r, operators[i])) {
			r->at += strlen(operators[i]);
			break;
		}
	}
	skip_blanks(r);
	start = r->at;
	if (!read_word(r))
		return false;
	if (r->at == start)
		return stop(r, r->at == r->n ? CAY_BASH_INCOMPLETE : CAY_BASH_BAD);
	return true;
}

static bool at_redirection(const struct reader *r)
{
	int c = peek(r, 0);

	if (looking_at(r, "&>"))
		return true;
	return (c == '<' || c == '>') && peek(r, 1) != '(';
}

static bool read_redirections(struct reader *r)
{
	for (skip_blanks(r); at_redirection(r); skip_blanks(r))
		if (!read_redirection(r))
			return false;
	return true;
}

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
static void peek_word(const struct reader *r, char out[WORD_MAX])
{
	size_t n = 0;

	while (n < WORD_MAX - 1 && !is_meta(peek(r, n)))
		n++;
	memcpy(out, r->s + r->at, n);
	out[n] = '\0';
}

/* Moves over a reserved word that must be here. */
static bool expect_word(struct reader *r, const char *word)
{
	if (!skip_newlines(r))
		return false;
	if (r->at == r->n)
		return stop(r, CAY_BASH_INCOMPLETE);
	if (!read_word(r))
		return false;
	return !strcmp(r->word, word) ? true : stop(r, CAY_BASH_BAD);
}

static bool read_until(struct reader *r, const char *end)
{
	const char *const ends[] = {end, NULL};

	return read_list(r, ends) && expect_word(r, end);
}

static bool read_if(struct reader *r)
{
	static const char *const ends[] = {"elif", "else", "fi", NULL};

	if (!read_until(r, "then"))
		return false;
	for (;;) {
		if (!read_list(r, ends) || !skip_newlines(r))
			return false;
		if (r->at == r->n)
			return stop(r, CAY_BASH_INCOMPLETE);
		if (!read_word(r))
			return false;
		if (!strcmp(r->word, "fi"))
			return true;
		if (!strcmp(r->word, "else"))
			return read_until(r, "fi");
		if (strcmp(r->word, "elif"))
			return stop(r, CAY_BASH_BAD);
		if (!read_until(r, "then"))
			return false;
	}
}

static bool read_loop(struct reader *r)
{
	return read_until(r, "do") && read_until(r, "done");
}

static bool read_words_until_separator(struct reader *r)
{
	for (skip_blanks(r); !is_meta(peek(r, 0)) || looking_at(r, "<(") || looking_at(r, ">(");
	     skip_blanks(r))
		if (!read_word(r))
			return false;
	return true;
}

/* for name [in words]; do list done, for ((...)); do list done, and select. A body in braces
 * instead of do and done is accepted by bash, undocumented. */
static bool read_for(struct reader *r)
{
	char word[WORD_MAX];

	skip_blanks(r);
	if (looking_at(r, "((")) {
		r->at++;
		r->at++;
		if (!read_balanced(r, '(', ')') || !expect_close(r))
			return false;
	} else if (!read_words_until_separator(r)) {
		return false;
	}
	skip_blanks(r);
	if (peek(r, 0) == ';')
		r->at++;
	if (!skip_newlines(r))
		return false;
	peek_word(r, word);
	if (!strcmp(word, "{"))
		return expect_word(r, "{") && read_until(r, "}");
	if (!strcmp(word, "in")) {
		if (!expect_word(r, "in") || !read_words_until_separator(r))
			return false;
		if (peek(r, 0) == ';')
			r->at++;
	}
	return expect_word(r, "do") && read_until(r, "done");
}

/* One "pattern | pattern) list ;;". */
static bool read_case_clause(struct reader *r)
{
	static const char *const ends[] = {"esac", NULL};

	if (peek(r, 0) == '(')
		r->at++;
	for (;;) {
		skip_blanks(r);
		if (!read_word(r))
			return false;
		skip_blanks(r);
		if (peek(r, 0) != '|')
			break;
		r->at++;
	}
	if (!expect_close(r) || !read_list(r, ends))
		return false;
	skip_blanks(r);
	if (looking_at(r, ";;&"))
		r->at += 3;
	else if (looking_at(r, ";;") || looking_at(r, ";&"))
		r->at += 2;
	return true;
}

static bool read_case(struct reader *r)
{
	char word[WORD_MAX];

	skip_blanks(r);
	if (!read_word(r) || !expect_word(r, "in"))
		return false;
	for (;;) {
		if (!skip_newlines(r))
			return false;
		if (r->at == r->n)
			return stop(r, CAY_BASH_INCOMPLETE);
		peek_word(r, word);
		if (!strcmp(word, "esac"))
			return expect_word(r, "esac");
		if (!read_case_clause(r))
			return false;
	}
}

/* [[ ... ]]: newlines, parentheses, < and > are its own; ends with the word ]]. */
static bool read_condition(struct reader *r)
{
	while (r->at < r->n) {
		skip_blanks(r);
		if (is_meta(peek(r, 0)) && r->at < r->n) {
			r->at++;
			continue;
		}
		if (!read_word(r))
			return false;
		if (!strcmp(r->word, "]]"))
			return true;
	}
	return stop(r, CAY_BASH_INCOMPLETE);
}

static bool read_command(struct reader *r);

static bool read_body(struct reader *r)
{
	return skip_newlines(r) && (r->at < r->n ? read_command(r) : stop(r, CAY_BASH_INCOMPLETE));
}

static bool read_function(struct reader *r)
{
	skip_blanks(r);
	if (!read_word(r))
		return false;
	skip_blanks(r);
	if (peek(r, 0) == '(') {
		r->at++;
		skip_blanks(r);
		if (!expect_close(r))
			return false;
	}
	return read_body(r);
}

static bool read_brace_group(struct reader *r)
{
	return read_until(r, "}");
}

/* Reserved words that begin something; the word itself has been read. */
static const struct {
	const char *word;
	bool (*read)(struct reader *r);
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
static bool read_simple(struct reader *r)
{
	skip_blanks(r);
	if (peek(r, 0) == '(') {
		r->at++;
		skip_blanks(r);
		return expect_close(r) && read_body(r);
	}
	for (;;) {
		skip_blanks(r);
		if (at_redirection(r)) {
			if (!read_redirection(r))
				return false;
		} else if (!is_meta(peek(r, 0)) || looking_at(r, "<(") || looking_at(r, ">(")) {
			if (!read_word(r))
				return false;
		} else if (peek(r, 0) == '(') {
			return stop(r, CAY_BASH_BAD);
		} else {
			return true;
		}
	}
}

/* ( list ), or (( expression )). */
static bool read_parenthesis(struct reader *r)
{
	r->at++;
	if (peek(r, 0) != '(')
		return read_substitution(r);
	return read_balanced(r, '(', ')');
}

static bool read_named(struct reader *r)
{
	char word[WORD_MAX];

	if (!read_word(r))
		return false;
	memcpy(word, r->word, sizeof(word));
	for (size_t i = 0; i < CAY_LEN(compounds); i++)
		if (!strcmp(word, compounds[i].word))
			return compounds[i].read(r) && read_redirections(r);
	if (is_one_of(word, closers))
		return stop(r, CAY_BASH_BAD);
	if (is_one_of(word, prefixes)) {
		skip_blanks(r);
		return is_meta(peek(r, 0)) && peek(r, 0) != '(' && !at_redirection(r)
			       ? true
			       : read_command(r);
	}
	return read_simple(r);
}

static bool read_command(struct reader *r)
{
	bool ok;

	skip_blanks(r);
	if (!enter(r))
		return false;
	if (at_redirection(r))
		ok = read_redirection(r) && read_simple(r);
	else if (peek(r, 0) == '(')
		ok = read_parenthesis(r) && read_redirections(r);
	else if (is_meta(peek(r, 0)) && !looking_at(r, "<(") && !looking_at(r, ">("))
		ok = stop(r, r->at == r->n ? CAY_BASH_INCOMPLETE : CAY_BASH_BAD);
	else
		ok = read_named(r);
	r->depth--;
	return ok;
}

/* Commands joined by && || | |&, over newlines. */
static bool read_and_or(struct reader *r)
{
	for (;;) {
		if (!read_command(r))
			return false;
		skip_blanks(r);
		if (looking_at(r, "&&") || looking_at(r, "||") || looking_at(r, "|&"))
			r->at += 2;
		else if (peek(r, 0) == '|')
			r->at++;
		else
			return true;
		if (!skip_newlines(r))
			return false;
	}
}

/* ";" or "&", and not ";;", ";&". */
static bool take_separator(struct reader *r)
{
	skip_blanks(r);
	if (looking_at(r, ";;") || looking_at(r, ";&") || looking_at(r, "&&"))
		return false;
	if (peek(r, 0) != ';' && peek(r, 0) != '&')
		return false;
	r->at++;
	skip_blanks(r);
	return true;
}

/* A list inside a construct, up to one of the words, ")", ";;" or the end of the text. */
static bool read_list(struct reader *r, const char *const *ends)
{
	char word[WORD_MAX];
	int c;

	for (;;) {
		if (!skip_newlines(r))
			return false;
		c = peek(r, 0);
		if (c < 0 || c == ')' || looking_at(r, ";;") || looking_at(r, ";&"))
			return true;
		peek_word(r, word);
		if (is_one_of(word, ends))
			return true;
		if (!read_and_or(r))
			return false;
		if (!take_separator(r) && peek(r, 0) != '\n') {
			c = peek(r, 0);
			if (c >= 0 && c != ')' && c != ';') {
				peek_word(r, word);
				/* "done fi": a construct may be closed right after another. */
				return is_one_of(word, ends) ? true : stop(r, CAY_BASH_BAD);
			}
		}
	}
}

/* One complete command: lists up to the newline that ends them. */
static bool read_complete(struct reader *r)
{
	do {
		if (!read_and_or(r))
			return false;
	} while (take_separator(r) && peek(r, 0) >= 0 && peek(r, 0) != '\n');
	if (r->at < r->n && r->s[r->at] != '\n')
		return stop(r, CAY_BASH_BAD);
	if (r->at == r->n)
		return r->n_heredocs ? stop(r, CAY_BASH_INCOMPLETE) : true;
	r->at++;
	return read_heredocs(r);
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
	struct reader r = {.s = text, .n = n};

	*ret = (struct cay_bash_split){};
	while (skip_newlines(&r) && r.at < n) {
		add_range(ret, ret->n ? r.at : 0);
		if (!read_complete(&r))
			break;
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
