/* SPDX-License-Identifier: Apache-2.0 */
/* What the editor's command "view" shows: a file with numbered lines, or a folder. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/api/openhands_files.h"
#include "agent/files.h"
#include "agent/service.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"

enum {
	VIEW_MAX_CHARS = 16000,
	FILE_MAX = 10 << 20,
	FOLDER_DEPTH = 2,
	OUT_MAX = 64 << 20,
	RANGE_MAX = 4096,
};

#define FILE_CLIPPED                                                                               \
	"<response clipped><NOTE>Due to the max output limit, only part of this file has been "    \
	"shown to you. You should retry this tool after you have searched inside the file with "   \
	"`grep -n` in order to find the line numbers of what you are looking for.</NOTE>"
#define FOLDER_CLIPPED                                                                             \
	"<response clipped><NOTE>Due to the max output limit, only part of this directory has "    \
	"been shown to you. You should use `ls -la` instead to view large directories "            \
	"incrementally.</NOTE>"

/* Cuts after max characters and adds the notice. */
static void clip(struct cay_buf *b, size_t from, const char *notice)
{
	size_t at = from, chars = 0;

	while (at < b->len && chars < VIEW_MAX_CHARS) {
		for (at++; at < b->len && ((unsigned char)b->data[at] & 0xc0) == 0x80; at++)
			;
		chars++;
	}
	if (at == b->len)
		return;
	b->len = at;
	cay_buf_puts(b, notice);
}

static void invalid(struct cay_buf *out, const char *name, const char *value, const char *why)
{
	cay_buf_printf(out, "ERROR:\nInvalid `%s` parameter: %s. %s", name, value, why);
}

/* ---- files ---- */

/* Bytes that are not UTF-8 are taken for Latin-1, in which every byte is a character. */
static void to_utf8(struct cay_buf *b)
{
	struct cay_buf out;

	if (cay_text_is_utf8(b->data, b->len))
		return;
	cay_buf_init(&out, b->len * 2);
	for (size_t i = 0; i < b->len; i++) {
		unsigned char c = (unsigned char)b->data[i];

		if (c >= 0x80)
			cay_buf_putc(&out, (char)(0xc0 | c >> 6));
		cay_buf_putc(&out, (char)(c < 0x80 ? c : 0x80 | (c & 0x3f)));
	}
	cay_buf_fini(b);
	*b = out;
}

static int64_t count_lines(const struct cay_buf *b)
{
	int64_t n = 0;

	for (size_t i = 0; i < b->len; i++)
		n += b->data[i] == '\n';
	return n + (b->len > 0 && b->data[b->len - 1] != '\n');
}

struct range {
	int64_t first, last; /* lines from 1 */
	bool whole;
	bool beyond; /* last was past the end */
};

/* -1: an error is in `out`. */
static int read_range(const json_t *view_range, int64_t n_lines, struct range *ret,
		      struct cay_buf *out)
{
	const json_t *first = json_array_get(view_range, 0), *last = json_array_get(view_range, 1);
	auto_buf struct cay_buf shown;
	auto_free char *why = NULL;

	*ret = (struct range){.first = 1, .last = n_lines, .whole = true};
	cay_buf_init(&shown, RANGE_MAX);
	if (!view_range || json_is_null(view_range))
		return 0;
	cay_oh_repr(view_range, &shown);
	if (json_array_size(view_range) != 2 || !json_is_integer(first) || !json_is_integer(last)) {
		invalid(out, "view_range", shown.data, "It should be a list of two integers.");
		return -1;
	}
	*ret = (struct range){.first = json_integer_value(first), .last = json_integer_value(last)};
	ret->beyond = ret->last > n_lines;
	if (ret->last == -1 || ret->beyond)
		ret->last = n_lines;
	if (ret->first < 1 || ret->first > n_lines)
		why = cay_format("Its first element `%lld` should be within the range of lines of "
				 "the file: [1, %lld].",
				 (long long)ret->first, (long long)n_lines);
	else if (ret->last < ret->first)
		why = cay_format("Its second element `%lld` should be greater than or equal to the "
				 "first element `%lld`.",
				 (long long)ret->last, (long long)ret->first);
	if (!why)
		return 0;
	invalid(out, "view_range", shown.data, why);
	return -1;
}

/* The bytes of lines first to last. */
static void keep_range(struct cay_buf *b, const struct range *r)
{
	size_t at = 0, from = 0;

	for (int64_t line = 1; at < b->len && line <= r->last; line++) {
		const char *end = memchr(b->data + at, '\n', b->len - at);

		if (line == r->first)
			from = at;
		at = end ? (size_t)(end - b->data) + 1 : b->len;
	}
	b->len = at;
	cay_buf_consume(b, from);
}

static void number_lines(const struct cay_buf *text, int64_t first, struct cay_buf *out)
{
	const char *at = text->data, *end = at + text->len;

	for (;; first++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t n = newline ? (size_t)(newline - at) : (size_t)(end - at);

		cay_buf_printf(out, "%6lld\t", (long long)first);
		cay_buf_append(out, at, n);
		cay_buf_putc(out, '\n');
		if (!newline)
			return;
		at = newline + 1;
	}
}

static void view_file(const struct cay_service *s, const char *path, const json_t *view_range,
		      struct cay_buf *out)
{
	auto_buf struct cay_buf text;
	struct range range;
	int64_t n_lines;

	cay_buf_init(&text, CAY_OH_FILE_MAX);
	if (cay_oh_load(s, path, &text) < 0) {
		cay_buf_printf(out, "ERROR:\nRan into %s while trying to read %s", strerror(errno),
			       path);
		return;
	}
	if (text.len > FILE_MAX) {
		cay_buf_printf(out,
			       "ERROR:\nFile validation failed for %s: File is too large (%.1fMB). "
			       "Maximum allowed size is %dMB.",
			       path, (double)text.len / (1 << 20), FILE_MAX >> 20);
		return;
	}
	to_utf8(&text);
	cay_oh_unify_newlines(&text);
	n_lines = count_lines(&text);
	if (read_range(view_range, n_lines, &range, out) < 0)
		return;
	if (!range.whole)
		keep_range(&text, &range);
	if (range.beyond)
		cay_buf_printf(out,
			       "NOTE: We only show up to %lld since there're only %lld lines in "
			       "this file.\n",
			       (long long)n_lines, (long long)n_lines);
	clip(&text, 0, FILE_CLIPPED);
	cay_buf_printf(out, "Here's the result of running `cat -n` on %s:\n", path);
	number_lines(&text, range.first, out);
}

/* ---- folders ---- */

static bool is_hidden(const char *name)
{
	const char *slash = strrchr(name, '/');

	return name[0] == '.' || (slash && slash[1] == '.');
}

static bool is_folder(const struct cay_service *s, const char *dir, const char *name)
{
	auto_free char *path = cay_format("%s/%s", dir, name);
	auto_close int fd =
		cay_path_open(s->root_fd, path, O_PATH | O_DIRECTORY, 0, CAY_PATH_IN_ROOT);

	return fd >= 0;
}

static void view_folder(const struct cay_service *s, const char *path, struct cay_buf *out)
{
	struct cay_files_list list;
	char plain[CAY_PATH_MAX]; /* without "..", which a listing does not take */
	struct cay_error err;
	size_t from, hidden = 0;

	if (cay_path_normalize(path, plain, &err) < 0 ||
	    cay_files_list(s->root_fd, plain, FOLDER_DEPTH, &list, &err) < 0) {
		cay_buf_printf(out, "ERROR:\n%s", err.msg);
		return;
	}
	cay_buf_printf(out,
		       "Here's the files and directories up to 2 levels deep in %s, excluding "
		       "hidden items:\n",
		       path);
	from = out->len;
	cay_buf_printf(out, "%s/", path);
	for (size_t i = 0; i < list.n; i++) {
		const char *name = list.entries[i].name;

		hidden += name[0] == '.' && !strchr(name, '/');
		if (is_hidden(name))
			continue;
		cay_buf_printf(out, "\n%s/%s%s", path, name, is_folder(s, path, name) ? "/" : "");
	}
	clip(out, from, FOLDER_CLIPPED);
	if (hidden)
		cay_buf_printf(out,
			       "\n\n%zu hidden files/directories in this directory are excluded. "
			       "You can use 'ls -la %s' to see them.",
			       hidden, path);
	cay_files_list_fini(&list);
}

/* ---- both ---- */

static void view_relative(const struct cay_service *s, const char *path, struct cay_buf *out)
{
	auto_free char *meant = cay_format("%s/%s", s->config.working_dir, path);
	auto_close int there = cay_path_open(s->root_fd, meant, O_PATH, 0, CAY_PATH_IN_ROOT);
	auto_free char *hint =
		there >= 0 ? cay_format(" Maybe you meant %s?", meant) : cay_strdup("");
	auto_free char *why =
		cay_format("The path should be an absolute path, starting with `/`.%s", hint);

	invalid(out, "path", path, why);
}

static void view(const struct cay_service *s, const char *path, const json_t *view_range,
		 struct cay_buf *out)
{
	auto_close int fd = cay_path_open(s->root_fd, path, O_PATH, 0, CAY_PATH_IN_ROOT);
	struct stat st;

	if (path[0] != '/') {
		view_relative(s, path, out);
	} else if (fd < 0 || fstat(fd, &st) < 0) {
		auto_free char *why =
			cay_format("The path %s does not exist. Please provide a valid "
				   "path.",
				   path);

		invalid(out, "path", path, why);
	} else if (!S_ISDIR(st.st_mode)) {
		view_file(s, path, view_range, out);
	} else if (view_range && !json_is_null(view_range)) {
		auto_buf struct cay_buf shown;

		cay_buf_init(&shown, RANGE_MAX);
		cay_oh_repr(view_range, &shown);
		invalid(out, "view_range", shown.data,
			"The `view_range` parameter is not allowed when `path` points to a "
			"directory.");
	} else {
		view_folder(s, path, out);
	}
}

json_t *cay_oh_view(const struct cay_service *s, const struct cay_oh_action *a)
{
	const char *path = cay_oh_arg_string(a, "path");
	auto_buf struct cay_buf out;
	json_t *p;

	cay_buf_init(&out, OUT_MAX);
	view(s, path, json_object_get(a->args, "view_range"), &out);
	p = cay_json_bytes(path, strlen(path));
	return cay_oh_observation("read", cay_json_bytes(out.data, out.len),
				  json_pack("{s:o, s:s}", "path", p, "impl_source", "oh_aci"),
				  json_sprintf("I read the file %s.", json_string_value(p)));
}
