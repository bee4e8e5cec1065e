/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cay cp: files and folders into a sandbox and out of it. Names that come out of a sandbox are
 * hostile: each is one component, created and opened beneath a descriptor of ours, links not
 * followed.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "base/id.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "cli/output.h"
#include "cli/transfer.h"

enum { DEPTH_MAX = 100 };

static int put_dir(struct cay_transfer *t, int dir_fd, const char *path, int depth,
		   struct cay_error *err);
static int get_dir(struct cay_transfer *t, const char *path, int dir_fd, int depth,
		   struct cay_error *err);

/* The part after the last slash, trailing slashes aside: "." for "/" and for "a/..". Owned. */
static char *last_name(const char *path)
{
	size_t end = strlen(path), start;

	while (end > 1 && path[end - 1] == '/')
		end--;
	for (start = end; start > 0 && path[start - 1] != '/';)
		start--;
	if (start == end || !strncmp(path + start, "..", end - start))
		return cay_strdup(".");
	return cay_strndup(path + start, end - start);
}

/* ---- into a sandbox ---- */

static int put_file(struct cay_transfer *t, int fd, const struct stat *st, const char *path,
		    struct cay_error *err)
{
	return cay_transfer_put(t, fd, S_ISREG(st->st_mode) ? st->st_size : -1,
				S_ISREG(st->st_mode) ? st->st_mode & 0777 : 0, path, err);
}

/* One entry of a folder. Links and special files have no counterpart in the protocol: counted, and
 * told at the end. */
static int put_entry(struct cay_transfer *t, int dir_fd, const char *name, const char *path,
		     int depth, struct cay_error *err)
{
	auto_close int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && (errno == ELOOP || errno == ENXIO)) {
		t->skipped++;
		return 0;
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return cay_fail(err, cay_error_from_errno(errno), errno, "cannot read '%s'", name);
	if (S_ISDIR(st.st_mode))
		return put_dir(t, fd, path, depth + 1, err);
	if (S_ISREG(st.st_mode))
		return put_file(t, fd, &st, path, err);
	t->skipped++;
	return 0;
}

static int put_dir(struct cay_transfer *t, int dir_fd, const char *path, int depth,
		   struct cay_error *err)
{
	const struct dirent *entry;
	DIR *dir;
	int result = 0;

	if (depth > DEPTH_MAX)
		return cay_fail(err, CAY_E_LIMIT, 0, "%s: folders are nested too deeply", path);
	if (cay_transfer_mkdir(t, path, err) < 0)
		return -1;
	dir = fdopendir(fcntl(dir_fd, F_DUPFD_CLOEXEC, 0));
	if (!dir)
		return cay_fail(err, CAY_E_SYSTEM, errno, "cannot list a folder");
	while (result == 0 && (entry = readdir(dir))) {
		auto_free char *below = NULL;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		below = cay_format("%s/%s", path, entry->d_name);
		result = put_entry(t, dir_fd, entry->d_name, below, depth, err);
	}
	closedir(dir);
	return result;
}

/* As cp(1) does: into a folder that exists, under the source's own name; else to the name given. */
static int find_remote_place(struct cay_transfer *t, const char *source, const char *path,
			     char **ret, struct cay_error *err)
{
	size_t n = strlen(path);
	bool is_dir = path[n - 1] == '/';
	struct cay_remote_stat st;
	auto_free char *name = last_name(source);

	if (cay_transfer_stat(t, path, &st, err) == 0)
		is_dir = is_dir || S_ISDIR(st.mode);
	else if (err->code != CAY_E_NOT_FOUND)
		return -1;
	if (is_dir && !strcmp(source, "-"))
		return cay_fail(err, CAY_E_INVALID, 0, "'%s' is a folder: name a file in it", path);
	while (n > 1 && path[n - 1] == '/')
		n--;
	if (is_dir && strcmp(name, ".") != 0)
		*ret = cay_format("%.*s/%s", path[n - 1] == '/' ? 0 : (int)n, path, name);
	else
		*ret = cay_strndup(path, n);
	return 0;
}

static int copy_in(struct cay_transfer *t, const char *source, const char *path,
		   struct cay_error *err)
{
	bool from_stdin = !strcmp(source, "-");
	auto_close int opened = from_stdin ? -1 : open(source, O_RDONLY | O_CLOEXEC);
	int fd = from_stdin ? STDIN_FILENO : opened;
	auto_free char *place = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return cay_fail(err, cay_error_from_errno(errno), errno, "cannot read '%s'",
				source);
	if (find_remote_place(t, source, path, &place, err) < 0)
		return -1;
	if (S_ISDIR(st.st_mode))
		return put_dir(t, fd, place, 0, err);
	if (from_stdin)
		return cay_transfer_put(t, fd, -1, 0, place, err);
	return put_file(t, fd, &st, place, err);
}

/* ---- out of a sandbox ---- */

/* Without a name until it is complete, where the file system can (open(2), O_TMPFILE), so that
 * nothing is left when we are interrupted; else under the temporary name at once. */
static int open_unnamed(int dir_fd, const char *temporary, mode_t mode, bool *ret_named)
{
	int fd = openat(dir_fd, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, mode);

	*ret_named = fd < 0;
	if (fd >= 0)
		return fd;
	return openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		      mode);
}

/* A link cannot replace a file, a rename can: first the one, then the other. */
static int give_name(int fd, bool named, int dir_fd, const char *temporary, const char *name)
{
	auto_free char *self = cay_format("/proc/self/fd/%d", fd);

	if (!named && linkat(AT_FDCWD, self, dir_fd, temporary, AT_SYMLINK_FOLLOW) < 0)
		return -1;
	return renameat(dir_fd, temporary, dir_fd, name);
}

static int get_file(struct cay_transfer *t, const char *path, mode_t mode, int dir_fd,
		    const char *name, struct cay_error *err)
{
	char id[CAY_ID_LEN + 1];
	auto_free char *temporary = NULL;
	auto_close int fd = -1;
	bool named;

	cay_id_random(id, CAY_ID_LEN);
	temporary = cay_format(".cay-%s", id);
	fd = open_unnamed(dir_fd, temporary, (mode & 0777) | 0600, &named);
	if (fd < 0)
		return cay_fail(err, cay_error_from_errno(errno), errno, "cannot create '%s'",
				name);
	if (cay_transfer_get(t, path, fd, err) == 0) {
		if (give_name(fd, named, dir_fd, temporary, name) == 0)
			return 0;
		cay_fail(err, cay_error_from_errno(errno), errno, "cannot create '%s'", name);
	}
	unlinkat(dir_fd, temporary, 0);
	return -1;
}

static int open_or_make_dir(int dir_fd, const char *name, mode_t mode, int *ret_fd,
			    struct cay_error *err)
{
	if (mkdirat(dir_fd, name, (mode & 0777) | 0700) < 0 && errno != EEXIST)
		return cay_fail(err, cay_error_from_errno(errno), errno, "cannot create '%s'",
				name);
	*ret_fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*ret_fd < 0)
		return cay_fail(err, cay_error_from_errno(errno), errno, "cannot open '%s'", name);
	return 0;
}

static bool is_one_component(const char *name)
{
	return name && *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	       !strchr(name, '/') && strlen(name) <= CAY_PATH_NAME_MAX;
}

static int get_entry(struct cay_transfer *t, const char *folder, const json_t *entry, int dir_fd,
		     int depth, struct cay_error *err)
{
	const char *name = json_string_value(json_object_get(entry, "name"));
	mode_t mode = cay_transfer_mode(entry);
	auto_free char *path = NULL;
	auto_close int below = -1;

	if (!is_one_component(name))
		return cay_fail(err, CAY_E_DENIED, 0, "%s: the sandbox lists a bad file name",
				folder);
	path = cay_format("%s/%s", folder, name);
	if (S_ISREG(mode))
		return get_file(t, path, mode, dir_fd, name, err);
	if (!S_ISDIR(mode)) {
		t->skipped++;
		return 0;
	}
	if (open_or_make_dir(dir_fd, name, mode, &below, err) < 0)
		return -1;
	return get_dir(t, path, below, depth + 1, err);
}

static int get_dir(struct cay_transfer *t, const char *path, int dir_fd, int depth,
		   struct cay_error *err)
{
	auto_json json_t *entries = NULL;
	const json_t *entry;
	size_t i;

	if (depth > DEPTH_MAX)
		return cay_fail(err, CAY_E_LIMIT, 0, "%s: folders are nested too deeply", path);
	if (cay_transfer_list(t, path, &entries, err) < 0)
		return -1;
	json_array_foreach (entries, i, entry) {
		if (get_entry(t, path, entry, dir_fd, depth, err) < 0)
			return -1;
	}
	return 0;
}

/* The folder and the name in it that a copy of `name` to `target` gets, as cp(1) does. */
static int find_local_place(const char *given, const char *name, bool is_dir, int *ret_dir,
			    char **ret_name, struct cay_error *err)
{
	auto_free char *own = last_name(given), *parent = NULL, *target = cay_strdup(given);
	size_t n = strlen(target);
	char *slash;
	struct stat st;

	/* "out/" may be a folder that is about to be made, but not a file. */
	while (is_dir && n > 1 && target[n - 1] == '/')
		target[--n] = '\0';

	if (stat(target, &st) == 0 && S_ISDIR(st.st_mode)) {
		parent = cay_strdup(target);
		*ret_name = cay_strdup(name);
	} else {
		slash = strrchr(target, '/');
		parent =
			slash ? cay_strndup(target, (size_t)(slash - target) + 1) : cay_strdup(".");
		*ret_name = TAKE_PTR(own);
	}
	*ret_dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_dir >= 0)
		return 0;
	free(TAKE_PTR(*ret_name));
	return cay_fail(err, cay_error_from_errno(errno), errno, "cannot open the folder '%s'",
			parent);
}

/* A pipe, a terminal, /dev/null: written to as it is. */
static int open_special(const char *target)
{
	struct stat st;

	if (!strcmp(target, "-"))
		return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (stat(target, &st) < 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		return -1;
	return open(target, O_WRONLY | O_CLOEXEC);
}

static int copy_out(struct cay_transfer *t, const char *path, const char *target,
		    struct cay_error *err)
{
	auto_close int special = open_special(target), dir_fd = -1, below = -1;
	auto_free char *source_name = last_name(path), *name = NULL;
	struct cay_remote_stat st;

	if (special >= 0)
		return cay_transfer_get(t, path, special, err);
	if (cay_transfer_stat(t, path, &st, err) < 0)
		return -1;
	if (!S_ISREG(st.mode) && !S_ISDIR(st.mode))
		return cay_fail(err, CAY_E_INVALID, 0, "'%s' is neither a file nor a folder", path);
	if (find_local_place(target, source_name, S_ISDIR(st.mode), &dir_fd, &name, err) < 0)
		return -1;
	if (S_ISREG(st.mode))
		return get_file(t, path, st.mode, dir_fd, name, err);
	if (open_or_make_dir(dir_fd, name, st.mode, &below, err) < 0)
		return -1;
	return get_dir(t, path, below, 0, err);
}

/* ---- the command ---- */

/* "SANDBOX:PATH" where a colon comes before any slash; paths that are not absolute are below the
 * sandbox's /workspace. False: a path of this machine. */
static bool split_remote(const char *operand, char **ret_sandbox, char **ret_path)
{
	size_t n = strcspn(operand, ":/");
	const char *path = operand + n + 1;

	if (operand[n] != ':' || !n)
		return false;
	*ret_sandbox = cay_strndup(operand, n);
	*ret_path = *path == '/' ? cay_strdup(path)
				 : cay_format("/workspace%s%s", *path ? "/" : "", path);
	return true;
}

static void report(const struct cay_transfer *t, bool json)
{
	if (json)
		cay_output_json(json_pack("{s:I, s:I, s:I}", "files", (json_int_t)t->files, "bytes",
					  (json_int_t)t->bytes, "skipped", (json_int_t)t->skipped));
	else if (t->skipped)
		cay_output_note("%llu symbolic links or special files were left out",
				(unsigned long long)t->skipped);
}

static int run(void *arg, char **operands, struct cay_error *err)
{
	const struct cay_common *common = arg;
	auto_free char *from_box = NULL, *from = NULL, *to_box = NULL, *to = NULL;
	bool out = split_remote(operands[0], &from_box, &from);
	bool in = split_remote(operands[1], &to_box, &to);
	auto_client struct cay_client c = {};
	struct cay_transfer t = {.client = &c, .sandbox = out ? from_box : to_box};
	int result;

	if (in == out) {
		cay_fail(err, CAY_E_INVALID, 0,
			 "one of the two must be SANDBOX:PATH, and only one");
		return cay_fail_hint(err, "for example: cay cp notes.txt dev:/workspace/");
	}
	if (cay_client_open(common, &c, err) < 0)
		return -1;
	t.show_progress = isatty(STDERR_FILENO) && !common->json;
	result = in ? copy_in(&t, operands[0], to, err) : copy_out(&t, from, operands[1], err);
	if (result == 0)
		report(&t, common->json);
	else if (err->code == CAY_E_SYSTEM && err->sys == EPIPE)
		return cay_output_end_by_sigpipe();
	return result;
}

static const struct cay_example examples[] = {
	{"cay cp notes.txt dev:", "into /workspace of the sandbox dev"},
	{"cay cp dev:/workspace/build/app .", "out of it"},
	{"cay cp src dev:/workspace/src", "a folder"},
	{"cay cp dev:report.json - | jq .", "to standard output"},
	{},
};

const struct cay_command cay_cmd_cp = {
	.name = "cp",
	.summary = "copy files and folders into a sandbox, or out of it",
	.operands = "FROM TO",
	.description =
		"One of the two is SANDBOX:PATH, the other a path of this machine or \"-\" for "
		"standard input or output. A path inside that is not absolute is below /workspace. "
		"Into a folder that exists, the copy keeps its name. Permissions are kept, owners "
		"are not; symbolic links inside folders are left out. Files appear whole or not at "
		"all.",
	.examples = examples,
	.size = sizeof(struct cay_common),
	.flags = CAY_COMMAND_CLIENT,
	.min_operands = 2,
	.max_operands = 2,
	.complete = CAY_COMPLETE_FILE,
	.run = run,
};
