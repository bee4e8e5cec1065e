/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/api/openhands_files.h"

#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "agent/files.h"
#include "agent/service.h"
#include "base/base64.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"

enum {
	SAMPLE = 1024, /* bytes by which a binary file is told */
	NEW_FILE_MODE = 0664,
};

/* ---- paths ---- */

/* str(Path(cwd) / path) of pathlib: one slash between components, no "." components; ".." stays. */
static char *resolve(const char *cwd, const char *path)
{
	auto_free char *joined = path[0] == '/' ? cay_strdup(path) : cay_format("%s/%s", cwd, path);
	char *out = cay_alloc(strlen(joined) + 2);
	size_t n = 0, len;

	for (const char *at = joined; *at; at += len) {
		at += strspn(at, "/");
		len = strcspn(at, "/");
		if (len == 0 || (len == 1 && at[0] == '.'))
			continue;
		out[n++] = '/';
		memcpy(out + n, at, len);
		n += len;
	}
	if (!n)
		out[n++] = '/';
	return out;
}

/* What str() makes of an OSError of Python, behind what the server puts in front of it. */
static json_t *os_error(struct cay_buf *detail, const char *path)
{
	int sys = errno;

	cay_buf_printf(detail, "[Errno %d] %s: '%s'", sys, strerror(sys), path);
	return NULL;
}

int cay_oh_load(const struct cay_service *s, const char *path, struct cay_buf *out)
{
	auto_close int fd = cay_path_open(s->root_fd, path, O_PATH, 0, CAY_PATH_IN_ROOT);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (S_ISDIR(st.st_mode) || !S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : ENODEV;
		return -1;
	}
	close(fd);
	fd = cay_path_open(s->root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, CAY_PATH_IN_ROOT);
	return fd < 0 ? -1 : cay_fd_read_all(fd, out);
}

/* ---- text ---- */

void cay_oh_unify_newlines(struct cay_buf *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->len; i++) {
		if (b->data[i] != '\r') {
			b->data[n++] = b->data[i];
			continue;
		}
		b->data[n++] = '\n';
		i += i + 1 < b->len && b->data[i + 1] == '\n';
	}
	b->len = n;
	if (n)
		b->data[n] = '\0';
}

/* binaryornot's rules, without its guess at encodings: many control characters, or a NUL or 0xff,
 * unless it is UTF-8, or begins as UTF-16 does. */
static bool is_binary(const char *data, size_t n)
{
	static const char fine[] = "\n\r\t\f\b";
	size_t odd = 0, low = 0, cut = 0;

	n = CAY_MIN(n, (size_t)SAMPLE);
	if (!n || (n >= 2 && (!memcmp(data, "\xff\xfe", 2) || !memcmp(data, "\xfe\xff", 2))))
		return false;
	if (memchr(data, '\0', n) || memchr(data, 0xff, n))
		return true;
	/* The sample may end inside a character. */
	while (cut < 3 && cut < n && !cay_text_is_utf8(data, n - cut))
		cut++;
	if (cay_text_is_utf8(data, n - cut))
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)data[i];

		odd += !(c >= 32 && c < 127) && !strchr(fine, c);
		low += c < 127;
	}
	return (odd * 10 > n * 3 && low * 20 < n) || (odd * 10 > n * 8 && low * 10 > n * 8);
}

/* Lines with their ends; an index like those of Python's lists. */
struct lines {
	const char *data;
	size_t len;
	size_t *starts; /* n + 1 of them: the last one is len */
	size_t n;
};

static void lines_init(struct lines *l, const struct cay_buf *b)
{
	size_t cap = 2;

	*l = (struct lines){.data = b->data, .len = b->len};
	for (size_t i = 0; i < b->len; i++)
		cap += b->data[i] == '\n';
	l->starts = cay_alloc(cap * sizeof(*l->starts));
	for (size_t at = 0; at < b->len;) {
		const char *end = memchr(b->data + at, '\n', b->len - at);

		l->starts[l->n++] = at;
		at = end ? (size_t)(end - b->data) + 1 : b->len;
	}
	l->starts[l->n] = b->len;
}

/* The offset at which slice index i begins: negative ones count from the end. */
static size_t slice_offset(const struct lines *l, int64_t i)
{
	if (i < 0)
		i = CAY_MAX((int64_t)l->n + i, 0);
	return l->starts[CAY_MIN((size_t)i, l->n)];
}

/* ---- read ---- */

/* What is sent as a data URL, by the end of its name. */
static const struct {
	const char *suffix, *mime;
} media[] = {
	{".png", "image/png"}, {".jpg", "image/jpeg"},  {".jpeg", "image/jpeg"},
	{".bmp", "image/bmp"}, {".gif", "image/gif"},   {".pdf", "application/pdf"},
	{".mp4", "video/mp4"}, {".webm", "video/webm"}, {".ogg", "audio/ogg"},
};

static const char *media_type(const char *path)
{
	size_t n = strlen(path), k;

	for (size_t i = 0; i < CAY_LEN(media); i++) {
		k = strlen(media[i].suffix);
		if (n >= k && !strcasecmp(path + n - k, media[i].suffix))
			return media[i].mime;
	}
	return NULL;
}

static json_t *read_observation(const char *path, json_t *content, const char *source)
{
	json_t *p = cay_json_bytes(path, strlen(path));

	return cay_oh_observation("read", content,
				  json_pack("{s:o, s:s}", "path", p, "impl_source", source),
				  json_sprintf("I read the file %s.", json_string_value(p)));
}

static json_t *data_url(const char *mime, const struct cay_buf *data)
{
	struct cay_buf b;
	json_t *j;

	cay_buf_init(&b, data->len * 2 + 256);
	cay_buf_printf(&b, "data:%s;base64,", mime);
	cay_base64_encode(data->data, data->len, &b);
	j = cay_json_bytes(b.data, b.len);
	cay_buf_fini(&b);
	return j;
}

/* lines[start:end] with the original's corrections of the two. */
static json_t *read_lines(const struct cay_buf *text, int64_t start, int64_t end)
{
	struct lines l;
	size_t from, to;
	int64_t n;
	json_t *j;

	lines_init(&l, text);
	n = (int64_t)l.n;
	start = CAY_MIN(CAY_MAX(start, 0), n);
	if (end == -1) {
		from = slice_offset(&l, start);
		to = l.len;
	} else {
		end = CAY_MIN(CAY_MAX(end, 0), n);
		start = CAY_MAX(0, CAY_MIN(start, n - 2));
		from = slice_offset(&l, start);
		to = slice_offset(&l, CAY_MAX(start + 1, end));
	}
	j = cay_json_bytes(l.data + from, to > from ? to - from : 0);
	free(l.starts);
	return j;
}

static json_t *cannot_read(const char *path, const char *cwd, struct cay_buf *detail)
{
	switch (errno) {
	case ENOENT:
		return cay_oh_errorf("File not found: %s. Your current working directory is %s.",
				     path, cwd);
	case EISDIR:
		return cay_oh_errorf("Path is a directory: %s. You can only read files", path);
	case ENODEV:
		return cay_oh_errorf("Path is not a regular file: %s. You can only read files",
				     path);
	case EFBIG:
		return cay_oh_errorf("File is too large to be read as a whole: %s", path);
	default:
		return os_error(detail, path);
	}
}

json_t *cay_oh_read(const struct cay_service *s, const char *cwd, const struct cay_oh_action *a,
		    struct cay_buf *detail)
{
	const char *given = cay_oh_arg_string(a, "path");
	const char *source = cay_oh_arg_string(a, "impl_source");
	auto_free char *path = resolve(cwd, given ? given : "");
	auto_buf struct cay_buf data;
	const char *mime;

	cay_buf_init(&data, CAY_OH_FILE_MAX);
	if (!given)
		return cay_oh_errorf("the argument 'path' must be a string");
	if (cay_oh_load(s, path, &data) < 0) {
		if (source && !strcmp(source, "oh_aci"))
			return cay_oh_view(s, a);
		return cannot_read(path, cwd, detail);
	}
	/* The original looks at the path as it was given, which it finds only if it is absolute. */
	if (given[0] == '/' && is_binary(data.data, data.len))
		return cay_oh_error("ERROR_BINARY_FILE", "");
	if (source && !strcmp(source, "oh_aci"))
		return cay_oh_view(s, a);
	mime = media_type(path);
	if (mime)
		return read_observation(path, data_url(mime, &data), "default");
	if (!cay_text_is_utf8(data.data, data.len))
		return cay_oh_errorf("File could not be decoded as utf-8: %s.", path);
	cay_oh_unify_newlines(&data);
	return read_observation(
		path,
		read_lines(&data, cay_oh_arg_int(a, "start", 0), cay_oh_arg_int(a, "end", -1)),
		"default");
}

/* ---- write ---- */

static int put(struct cay_file_writer *w, const char *data, size_t n, struct cay_error *err)
{
	return n ? cay_file_writer_write(w, data, n, err) : 0;
}

/* Each line of the content gets a newline, also the last one, also where it has one already. */
static int put_content(struct cay_file_writer *w, const char *content, struct cay_error *err)
{
	if (put(w, content, strlen(content), err) < 0)
		return -1;
	return put(w, "\n", 1, err);
}

/* original[:start] + content + original[end:]. */
static int put_all(struct cay_file_writer *w, const struct cay_buf *old, const char *content,
		   int64_t start, int64_t end, struct cay_error *err)
{
	struct lines l;
	int status;
	size_t tail;

	lines_init(&l, old);
	tail = end == -1 ? l.len : slice_offset(&l, end);
	status = put(w, l.data, start == 0 ? 0 : slice_offset(&l, start), err);
	if (status == 0)
		status = put_content(w, content, err);
	if (status == 0)
		status = put(w, l.data + tail, l.len - tail, err);
	free(l.starts);
	return status;
}

static json_t *cannot_write(const char *path, int sys, struct cay_buf *detail)
{
	switch (sys) {
	case ENOENT:
		return cay_oh_errorf("File not found: %s", path);
	case EISDIR:
		return cay_oh_errorf("Path is a directory: %s. You can only write to files", path);
	case ENODEV:
		return cay_oh_errorf("Path is not a regular file: %s. You can only write to files",
				     path);
	default:
		errno = sys;
		return os_error(detail, path);
	}
}

static int store(const struct cay_service *s, const char *path, bool exists,
		 const struct cay_buf *old, const char *content, const struct cay_oh_action *a,
		 struct cay_error *err)
{
	char text[CAY_PATH_MAX];
	struct cay_file_writer w;
	int status;

	/* ".." is taken away as text: it came from the client, and names what the client means. */
	if (cay_path_normalize(path, text, err) < 0)
		return -1;
	if (cay_file_writer_open(&w, s->root_fd, text, exists ? 0 : NEW_FILE_MODE, true, err) < 0)
		return -1;
	status = put_all(&w, old, content, exists ? cay_oh_arg_int(a, "start", 0) : 0,
			 exists ? cay_oh_arg_int(a, "end", -1) : -1, err);
	if (status == 0)
		status = cay_file_writer_commit(&w, err);
	cay_file_writer_close(&w);
	return status;
}

json_t *cay_oh_write(const struct cay_service *s, const char *cwd, const struct cay_oh_action *a,
		     struct cay_buf *detail)
{
	const char *given = cay_oh_arg_string(a, "path");
	const char *content = cay_oh_arg_string(a, "content");
	auto_free char *path = resolve(cwd, given ? given : "");
	struct cay_error err = {};
	auto_buf struct cay_buf old;
	json_t *p;
	bool exists;

	cay_buf_init(&old, CAY_OH_FILE_MAX);
	if (!given || !content)
		return cay_oh_errorf("the arguments 'path' and 'content' must be strings");
	exists = cay_oh_load(s, path, &old) == 0;
	if (!exists && errno != ENOENT)
		return cannot_write(path, errno, detail);
	if (!cay_text_is_utf8(old.data, old.len))
		return cay_oh_errorf("File could not be decoded as utf-8: %s", path);
	cay_oh_unify_newlines(&old);
	if (store(s, path, exists, &old, content, a, &err) < 0)
		return cannot_write(path, err.sys ? err.sys : EINVAL, detail);
	p = cay_json_bytes(path, strlen(path));
	return cay_oh_observation("write", json_string(""), json_pack("{s:o}", "path", p),
				  json_sprintf("I wrote to the file %s.", json_string_value(p)));
}
