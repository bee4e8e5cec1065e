/* SPDX-License-Identifier: Apache-2.0 */
/* Words, quotes, expansions, here-documents and redirections of bash, as far as they decide where a
 * command ends. */
#include <string.h>

#include "agent/bash_reader.h"

enum { DEPTH_MAX = 200 }; /* nested constructs; deeper counts as bad */

bool cay_bash_stop(struct cay_bash_reader *r, enum cay_bash_split_result why)
{
	if (r->status == CAY_BASH_COMPLETE)
		r->status = why;
	return false;
}

int cay_bash_peek(const struct cay_bash_reader *r, size_t ahead)
{
	return r->at + ahead < r->n ? (unsigned char)r->s[r->at + ahead] : -1;
}

bool cay_bash_looking_at(const struct cay_bash_reader *r, const char *text)
{
	size_t n = strlen(text);

	return r->n - r->at >= n && !memcmp(r->s + r->at, text, n);
}

bool cay_bash_enter(struct cay_bash_reader *r)
{
	return ++r->depth <= DEPTH_MAX ? true : cay_bash_stop(r, CAY_BASH_BAD);
}

bool cay_bash_is_meta(int c)
{
	return c < 0 || strchr(" \t\n;&|()<>", c);
}

/* ---- words ---- */

static bool read_single_quoted(struct cay_bash_reader *r)
{
	const char *end = memchr(r->s + r->at, '\'', r->n - r->at);

	if (!end)
		return cay_bash_stop(r, CAY_BASH_INCOMPLETE);
	r->at = (size_t)(end - r->s) + 1;
	return true;
}

/* $'...': a backslash protects the quote. */
static bool read_ansi_quoted(struct cay_bash_reader *r)
{
	for (; r->at < r->n; r->at++) {
		if (r->s[r->at] == '\\')
			r->at++;
		else if (r->s[r->at] == '\'')
			return r->at++, true;
	}
	return cay_bash_stop(r, CAY_BASH_INCOMPLETE);
}

static bool read_backquoted(struct cay_bash_reader *r)
{
	for (; r->at < r->n; r->at++) {
		if (r->s[r->at] == '\\')
			r->at++;
		else if (r->s[r->at] == '`')
			return r->at++, true;
	}
	return cay_bash_stop(r, CAY_BASH_INCOMPLETE);
}

static bool read_dollar(struct cay_bash_reader *r);

static bool read_double_quoted(struct cay_bash_reader *r)
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
	return cay_bash_stop(r, CAY_BASH_INCOMPLETE);
}

/* One quoted piece or expansion that begins with c, which has been read. */
static bool read_quoting(struct cay_bash_reader *r, char c)
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
bool cay_bash_read_balanced(struct cay_bash_reader *r, char open, char close)
{
	unsigned nested = 1;

	if (!cay_bash_enter(r))
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
	return cay_bash_stop(r, CAY_BASH_INCOMPLETE);
}

bool cay_bash_expect_close(struct cay_bash_reader *r)
{
	if (r->at == r->n)
		return cay_bash_stop(r, CAY_BASH_INCOMPLETE);
	if (r->s[r->at] != ')')
		return cay_bash_stop(r, CAY_BASH_BAD);
	r->at++;
	return true;
}

/* $(...), <(...), >(...): a list of commands; the parenthesis has been read. */
bool cay_bash_read_substitution(struct cay_bash_reader *r)
{
	static const char *const none[] = {NULL};
	bool ok;

	if (!cay_bash_enter(r))
		return false;
	ok = cay_bash_read_list(r, none) && cay_bash_expect_close(r);
	r->depth--;
	return ok;
}

/* After '$'. */
static bool read_dollar(struct cay_bash_reader *r)
{
	switch (cay_bash_peek(r, 0)) {
	case '(':
		r->at++;
		if (cay_bash_peek(r, 0) != '(')
			return cay_bash_read_substitution(r);
		return cay_bash_read_balanced(r, '(', ')'); /* $((...)), or a subshell inside $() */
	case '{':
		r->at++;
		return cay_bash_read_balanced(r, '{', '}');
	case '[':
		r->at++;
		return cay_bash_read_balanced(r, '[', ']');
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
static bool paren_in_word(const struct cay_bash_reader *r, size_t start)
{
	size_t len = r->at - start;

	return len > 0 && (r->s[r->at - 1] == '=' || strchr("?*+@!", r->s[r->at - 1]));
}

static bool read_array(struct cay_bash_reader *r);

bool cay_bash_read_word(struct cay_bash_reader *r)
{
	size_t start = r->at;
	bool plain = true;

	r->word[0] = '\0';
	while (r->at < r->n) {
		int c = cay_bash_peek(r, 0);

		if ((c == '<' || c == '>') && cay_bash_peek(r, 1) == '(') {
			r->at += 2;
			plain = false;
			if (!cay_bash_read_substitution(r))
				return false;
			continue;
		}
		if (c == '(' && paren_in_word(r, start)) {
			bool array = r->s[r->at - 1] == '=';

			r->at++;
			plain = false;
			if (!(array ? read_array(r) : cay_bash_read_balanced(r, '(', ')')))
				return false;
			continue;
		}
		if (cay_bash_is_meta(c))
			break;
		r->at++;
		if (strchr("\\'\"`$", c)) {
			plain = false;
			if (!read_quoting(r, (char)c))
				return false;
		}
	}
	if (plain && r->at - start < CAY_BASH_WORD_MAX) {
		memcpy(r->word, r->s + start, r->at - start);
		r->word[r->at - start] = '\0';
	}
	return true;
}

/* ---- blanks, newlines, here-documents ---- */

void cay_bash_skip_blanks(struct cay_bash_reader *r)
{
	for (;;) {
		int c = cay_bash_peek(r, 0);

		if (c == ' ' || c == '\t')
			r->at++;
		else if (c == '\\' && cay_bash_peek(r, 1) == '\n')
			r->at += 2;
		else
			break;
	}
	if (cay_bash_peek(r, 0) == '#')
		while (r->at < r->n && r->s[r->at] != '\n')
			r->at++;
}

/* The delimiter without its quotes. */
static size_t unquote(const struct cay_bash_reader *r, const struct cay_bash_heredoc *h, char *out,
		      size_t max)
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

static bool read_heredoc(struct cay_bash_reader *r, const struct cay_bash_heredoc *h)
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
	return cay_bash_stop(r, CAY_BASH_INCOMPLETE);
}

/* After a newline has been read: the here-documents that were announced before it. */
bool cay_bash_read_heredocs(struct cay_bash_reader *r)
{
	size_t n = r->n_heredocs;

	r->n_heredocs = 0;
	for (size_t i = 0; i < n; i++)
		if (!read_heredoc(r, &r->heredocs[i]))
			return false;
	return true;
}

bool cay_bash_skip_newlines(struct cay_bash_reader *r)
{
	for (cay_bash_skip_blanks(r); cay_bash_peek(r, 0) == '\n'; cay_bash_skip_blanks(r)) {
		r->at++;
		if (!cay_bash_read_heredocs(r))
			return false;
	}
	return true;
}

/* name=( words ): over lines, with comments; the parenthesis has been read. */
static bool read_array(struct cay_bash_reader *r)
{
	size_t start;

	if (!cay_bash_enter(r))
		return false;
	for (;;) {
		if (!cay_bash_skip_newlines(r))
			return false;
		if (r->at == r->n || r->s[r->at] == ')')
			break;
		start = r->at;
		if (!cay_bash_read_word(r))
			return false;
		if (r->at == start)
			return cay_bash_stop(r, CAY_BASH_BAD);
	}
	r->depth--;
	return cay_bash_expect_close(r);
}

/* ---- redirections ---- */

static bool read_heredoc_delimiter(struct cay_bash_reader *r, bool strip_tabs)
{
	size_t start;

	cay_bash_skip_blanks(r);
	start = r->at;
	if (!cay_bash_read_word(r))
		return false;
	if (r->at == start)
		return cay_bash_stop(r, r->at == r->n ? CAY_BASH_INCOMPLETE : CAY_BASH_BAD);
	if (r->n_heredocs == CAY_BASH_HEREDOCS_MAX)
		return cay_bash_stop(r, CAY_BASH_BAD);
	r->heredocs[r->n_heredocs++] = (struct cay_bash_heredoc){
		.start = start, .n = r->at - start, .strip_tabs = strip_tabs};
	return true;
}

bool cay_bash_read_redirection(struct cay_bash_reader *r)
{
	static const char *const operators[] = {"&>>", "<<<", "&>", ">>", "<&", ">&",
						"<>",  ">|",  "<",  ">",  NULL};
	size_t start;

	if (cay_bash_looking_at(r, "<<") && !cay_bash_looking_at(r, "<<<")) {
		bool strip = cay_bash_looking_at(r, "<<-");

		r->at += strip ? 3 : 2;
		return read_heredoc_delimiter(r, strip);
	}
	for (size_t i = 0; operators[i]; i++) {
		if (cay_bash_looking_at(r, operators[i])) {
			r->at += strlen(operators[i]);
			break;
		}
	}
	cay_bash_skip_blanks(r);
	start = r->at;
	if (!cay_bash_read_word(r))
		return false;
	if (r->at == start)
		return cay_bash_stop(r, r->at == r->n ? CAY_BASH_INCOMPLETE : CAY_BASH_BAD);
	return true;
}

bool cay_bash_at_redirection(const struct cay_bash_reader *r)
{
	int c = cay_bash_peek(r, 0);

	if (cay_bash_looking_at(r, "&>"))
		return true;
	return (c == '<' || c == '>') && cay_bash_peek(r, 1) != '(';
}

bool cay_bash_read_redirections(struct cay_bash_reader *r)
{
	for (cay_bash_skip_blanks(r); cay_bash_at_redirection(r); cay_bash_skip_blanks(r))
		if (!cay_bash_read_redirection(r))
			return false;
	return true;
}
