/* SPDX-License-Identifier: Apache-2.0 */
/* Native dialect: files. */
#include <string.h>

#include "agent/api/native.h"
#include "agent/api/server.h"
#include "agent/files.h"
#include "agent/service.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

enum { DATE_MAX = 32 };

#define UPLOAD_MAX (UINT64_C(1) << 40)

static int root_fd(const struct cay_http_req *req)
{
	const struct cay_agent_server *s = cay_http_user(req);

	return s->service->root_fd;
}

static int query_path(struct cay_http_req *req, const char **ret, struct cay_error *err)
{
	*ret = cay_http_query_get(req, "path");
	if (*ret)
		return 0;
	cay_fail(err, CAY_E_INVALID, 0, "the query has no 'path'");
	return cay_fail_hint(err, "add ?path=/absolute/path");
}

/* "0644", "755": up to four octal digits. */
static int parse_mode(const char *text, mode_t *ret, struct cay_error *err)
{
	size_t n = strlen(text);
	mode_t mode = 0;

	if (n == 0 || n > 4 || strspn(text, "01234567") != n) {
		cay_fail(err, CAY_E_INVALID, 0, "mode must be octal, got '%.20s'", text);
		return cay_fail_hint(err, "for example 0644");
	}
	for (size_t i = 0; i < n; i++)
		mode = mode << 3 | (mode_t)(text[i] - '0');
	*ret = mode;
	return 0;
}

/* ---- read ---- */

static void set_last_modified(struct cay_http_req *req, const struct stat *st)
{
	char text[DATE_MAX];
	struct tm tm;

	/* The names of RFC 9110, 5.6.7, are English, as in the C locale that the agent keeps. */
	gmtime_r(&st->st_mtime, &tm);
	strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	cay_http_set(req, "Last-Modified", text);
}

static void get_file(struct cay_http_req *req)
{
	struct cay_error err;
	const char *path;
	struct stat st;
	int fd;

	if (query_path(req, &path, &err) < 0 ||
	    cay_files_open(root_fd(req), path, &fd, &st, &err) < 0) {
		cay_http_reply_error(req, &err);
		return;
	}
	set_last_modified(req, &st);
	cay_http_reply_file(req, "application/octet-stream", fd, (uint64_t)st.st_size);
}

/* ---- write ---- */

struct upload {
	struct cay_file_writer writer;
	char *path;
};

static void free_upload(struct upload *u)
{
	cay_file_writer_close(&u->writer);
	free(u->path);
	free(u);
}

static int on_upload_data(struct cay_http_req *req, const void *data, size_t n, void *arg,
			  struct cay_error *err)
{
	struct upload *u = arg;

	(void)req;
	return cay_file_writer_write(&u->writer, data, n, err);
}

static void on_upload_gone(struct cay_http_req *req, void *arg)
{
	(void)req;
	free_upload(arg);
}

static void on_upload_end(struct cay_http_req *req, void *arg)
{
	struct upload *u = arg;
	struct cay_error err;
	int status = u->writer.exists ? 200 : 201;

	if (cay_file_writer_commit(&u->writer, &err) < 0)
		cay_http_reply_error(req, &err);
	else
		cay_http_reply_json(req, status,
				    json_pack("{s:o, s:I}", "path",
					      cay_json_bytes(u->path, strlen(u->path)), "size",
					      (json_int_t)u->writer.size));
	free_upload(u);
}

static int open_upload(struct cay_http_req *req, struct upload *u, struct cay_error *err)
{
	const char *mode_text = cay_http_query_get(req, "mode");
	const char *path;
	int64_t mkdirs;
	mode_t mode = 0;

	if (query_path(req, &path, err) < 0 ||
	    cay_http_query_int(req, "mkdirs", 0, 1, 0, &mkdirs, err) < 0 ||
	    (mode_text && parse_mode(mode_text, &mode, err) < 0) ||
	    cay_file_writer_open(&u->writer, root_fd(req), path, mode, mkdirs, err) < 0)
		return -1;
	u->path = cay_strdup(path);
	return 0;
}

static void put_file(struct cay_http_req *req)
{
	static const struct cay_http_body_ops ops = {.on_data = on_upload_data,
						     .on_end = on_upload_end};
	struct upload *u = cay_alloc(sizeof(*u));
	struct cay_error err;

	if (open_upload(req, u, &err) < 0) {
		free(u);
		cay_http_reply_error(req, &err);
		return;
	}
	cay_http_on_close(req, on_upload_gone, u);
	cay_http_receive(req, &ops, u);
}

/* ---- stat, list ---- */

static json_t *describe(const struct stat *st)
{
	char date[CAY_CLOCK_TEXT_MAX];
	int64_t unix_ms = (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;

	return json_pack("{s:s, s:I, s:o, s:s}", "type", cay_files_type(st->st_mode), "size",
			 (json_int_t)st->st_size, "mode", json_sprintf("%04o", st->st_mode & 07777),
			 "mtime", cay_clock_text(unix_ms, date));
}

static void get_stat(struct cay_http_req *req)
{
	auto_free char *target = NULL;
	struct cay_error err;
	const char *path;
	json_t *answer;
	struct stat st;

	if (query_path(req, &path, &err) < 0 ||
	    cay_files_stat(root_fd(req), path, &st, &target, &err) < 0) {
		cay_http_reply_error(req, &err);
		return;
	}
	answer = describe(&st);
	json_object_set_new(answer, "path", cay_json_bytes(path, strlen(path)));
	json_object_set_new(answer, "uid", json_integer(st.st_uid));
	json_object_set_new(answer, "gid", json_integer(st.st_gid));
	if (target)
		json_object_set_new(answer, "target", cay_json_bytes(target, strlen(target)));
	cay_http_reply_json(req, 200, answer);
}

static void get_list(struct cay_http_req *req)
{
	json_t *entries = json_array(), *answer;
	struct cay_files_list list;
	struct cay_error err;
	const char *path;
	int64_t depth;

	if (query_path(req, &path, &err) < 0 ||
	    cay_http_query_int(req, "depth", 1, CAY_FILES_LIST_DEPTH_MAX, 1, &depth, &err) < 0 ||
	    cay_files_list(root_fd(req), path, (unsigned)depth, &list, &err) < 0) {
		json_decref(entries);
		cay_http_reply_error(req, &err);
		return;
	}
	for (size_t i = 0; i < list.n; i++) {
		const char *name = list.entries[i].name;
		json_t *entry = describe(&list.entries[i].st);

		json_object_set_new(entry, "name", cay_json_bytes(name, strlen(name)));
		json_array_append_new(entries, entry);
	}
	answer = json_pack("{s:o, s:o}", "path", cay_json_bytes(path, strlen(path)), "entries",
			   entries);
	if (list.truncated)
		json_object_set_new(answer, "truncated", json_true());
	cay_files_list_fini(&list);
	cay_http_reply_json(req, 200, answer);
}

/* ---- mkdir, move, remove ---- */

struct mkdir_input {
	const char *path;
	const char *mode;
	bool parents;
};

static const struct cay_json_field mkdir_fields[] = {
	CAY_JSON_FIELD(struct mkdir_input, mode, CAY_JSON_STRING, .max = 8),
	CAY_JSON_FIELD(struct mkdir_input, parents, CAY_JSON_BOOL),
	CAY_JSON_FIELD(struct mkdir_input, path, CAY_JSON_STRING, .required = true),
};

static void post_mkdir(struct cay_http_req *req)
{
	struct mkdir_input in = {.parents = true};
	struct cay_error err;
	mode_t mode = 0755;

	if (cay_json_decode(cay_http_json(req), mkdir_fields, CAY_LEN(mkdir_fields), &in, "", 0,
			    &err) < 0 ||
	    (in.mode && parse_mode(in.mode, &mode, &err) < 0) ||
	    cay_files_mkdir(root_fd(req), in.path, mode, in.parents, &err) < 0)
		cay_http_reply_error(req, &err);
	else
		cay_http_reply_json(req, 201, json_object());
}

struct move_input {
	const char *from, *to;
	bool overwrite;
};

static const struct cay_json_field move_fields[] = {
	CAY_JSON_FIELD(struct move_input, from, CAY_JSON_STRING, .required = true),
	CAY_JSON_FIELD(struct move_input, overwrite, CAY_JSON_BOOL),
	CAY_JSON_FIELD(struct move_input, to, CAY_JSON_STRING, .required = true),
};

static void post_move(struct cay_http_req *req)
{
	struct move_input in = {};
	struct cay_error err;

	if (cay_json_decode(cay_http_json(req), move_fields, CAY_LEN(move_fields), &in, "", 0,
			    &err) < 0 ||
	    cay_files_move(root_fd(req), in.from, in.to, in.overwrite, &err) < 0)
		cay_http_reply_error(req, &err);
	else
		cay_http_reply_json(req, 200, json_object());
}

static void delete_file(struct cay_http_req *req)
{
	struct cay_error err;
	const char *path;
	int64_t recursive;

	if (query_path(req, &path, &err) < 0 ||
	    cay_http_query_int(req, "recursive", 0, 1, 0, &recursive, &err) < 0 ||
	    cay_files_remove(root_fd(req), path, recursive, &err) < 0)
		cay_http_reply_error(req, &err);
	else
		cay_http_reply_json(req, 200, json_object());
}

const struct cay_http_route cay_native_files_routes[] = {
	{"DELETE", "/v1/files", delete_file, 0, 0, "Removes a file, or a folder (recursive=1)"},
	{"GET", "/v1/files", get_file, 0, 0, "A file's bytes; one Range is understood"},
	{"PUT", "/v1/files", put_file, CAY_HTTP_STREAM, UPLOAD_MAX,
	 "Writes a file as a whole, atomically"},
	{"GET", "/v1/files/list", get_list, 0, 0, "The entries of a folder, down to a depth"},
	{"POST", "/v1/files/mkdir", post_mkdir, CAY_HTTP_JSON, 0, "Creates a folder"},
	{"POST", "/v1/files/move", post_move, CAY_HTTP_JSON, 0, "Renames a file or folder"},
	{"GET", "/v1/files/stat", get_stat, 0, 0, "Type, size, mode, owner and date of a path"},
	{},
};
