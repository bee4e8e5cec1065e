/* SPDX-License-Identifier: Apache-2.0 */
/* Files by path: open, stat, list, mkdir, move, remove. Writing is file_writer.c. */
#include "agent/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/mem.h"
#include "base/path.h"

static int fail_path(struct cay_error *err, const char *path, const char *what)
{
	int sys = errno;

	cay_fail(err, cay_error_from_errno(sys), sys, "%s '%.250s'", what, path);
	if (sys == ELOOP)
		cay_fail_hint(err, "links below /proc and circles of links are not followed");
	return -1;
}

int cay_files_open(int root_fd, const char *path, int *ret_fd, struct stat *ret_st,
		   struct cay_error *err)
{
	auto_close int fd = -1;
	struct stat st;

	if (cay_path_check_absolute(path, strlen(path), "the path", err) < 0)
		return -1;
	/* Without O_NONBLOCK, opening a FIFO would wait for its other end. Opening a device could
	 * do something: it is looked at first, and again once it is open. */
	fd = cay_path_open(root_fd, path, O_PATH, 0, CAY_PATH_IN_ROOT);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		close(fd);
		fd = cay_path_open(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0,
				   CAY_PATH_IN_ROOT);
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_path(err, path, "open");
	if (S_ISDIR(st.st_mode)) {
		cay_fail(err, CAY_E_INVALID, 0, "'%.250s' is a folder, not a file", path);
		return cay_fail_hint(err, "list it with /v1/files/list?path=");
	}
	if (!S_ISREG(st.st_mode))
		return cay_fail(err, CAY_E_INVALID, 0, "'%.250s' is a %s, not a regular file", path,
				cay_files_type(st.st_mode));
	*ret_fd = TAKE_FD(fd);
	*ret_st = st;
	return 0;
}

const char *cay_files_type(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "symlink";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	case S_IFCHR:
		return "char";
	default:
		return "block";
	}
}

int cay_files_stat(int root_fd, const char *path, struct stat *ret_st, char **ret_target,
		   struct cay_error *err)
{
	char target[CAY_PATH_MAX];
	auto_close int fd = -1;
	struct stat st;
	ssize_t n;

	if (cay_path_check_absolute(path, strlen(path), "the path", err) < 0)
		return -1;
	fd = cay_path_open(root_fd, path, O_PATH | O_NOFOLLOW, 0, CAY_PATH_IN_ROOT);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail_path(err, path, "stat");
	*ret_target = NULL;
	if (S_ISLNK(st.st_mode)) {
		n = readlinkat(fd, "", target, sizeof(target));
		if (n < 0)
			return fail_path(err, path, "read the link");
		*ret_target = cay_strndup(target, (size_t)n);
	}
	*ret_st = st;
	return 0;
}

/* ---- list ---- */

static void add_entry(struct cay_files_list *list, char *name, const struct stat *st)
{
	if (!(list->n & (list->n - 1)))
		list->entries = cay_realloc_array(list->entries, CAY_MAX(list->n * 2, (size_t)1),
						  sizeof(*list->entries));
	list->entries[list->n++] = (struct cay_files_entry){.name = name, .st = *st};
}

static void list_folder(struct cay_files_list *list, int fd /* taken */, const char *prefix,
			unsigned depth);

static void list_entry(struct cay_files_list *list, int dir_fd, const char *name,
		       const char *prefix, unsigned depth)
{
	char *full;
	struct stat st;
	int fd;

	if (list->n == CAY_FILES_LIST_MAX) {
		list->truncated = true;
		return;
	}
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	full = cay_format("%s%s%s", prefix, *prefix ? "/" : "", name);
	add_entry(list, full, &st);
	if (!S_ISDIR(st.st_mode) || depth <= 1)
		return;
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		list_folder(list, fd, full, depth - 1);
}

static void list_folder(struct cay_files_list *list, int fd, const char *prefix, unsigned depth)
{
	DIR *dir = fdopendir(fd);
	struct dirent *e;

	if (!dir) {
		close(fd);
		return;
	}
	while (!list->truncated && (e = readdir(dir)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			list_entry(list, dirfd(dir), e->d_name, prefix, depth);
	closedir(dir);
}

static int by_name(const void *a, const void *b)
{
	const struct cay_files_entry *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int cay_files_list(int root_fd, const char *path, unsigned depth, struct cay_files_list *ret,
		   struct cay_error *err)
{
	struct cay_files_list list = {};
	int fd;

	if (cay_path_check_absolute(path, strlen(path), "the path", err) < 0)
		return -1;
	fd = cay_path_open(root_fd, path, O_RDONLY | O_DIRECTORY, 0, CAY_PATH_IN_ROOT);
	if (fd < 0 && errno == ENOTDIR) {
		cay_fail(err, CAY_E_INVALID, 0, "'%.250s' is not a folder", path);
		return cay_fail_hint(err, "read a file with /v1/files?path=");
	}
	if (fd < 0)
		return fail_path(err, path, "list");
	list_folder(&list, fd, "", depth);
	if (list.n)
		qsort(list.entries, list.n, sizeof(*list.entries), by_name);
	*ret = list;
	return 0;
}

void cay_files_list_fini(struct cay_files_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->entries[i].name);
	free(list->entries);
	*list = (struct cay_files_list){};
}

/* ---- names ---- */

/* The folder that holds the last component, for an operation on the name itself. */
static int open_parent(int root_fd, const char *path, char name[CAY_PATH_NAME_MAX + 1], int *ret_fd,
		       struct cay_error *err)
{
	const char *last;
	size_t n;
	int fd;

	if (cay_path_check_absolute(path, strlen(path), "the path", err) < 0)
		return -1;
	fd = cay_path_open_parent(root_fd, path, CAY_PATH_IN_ROOT, &last);
	if (fd < 0)
		return fail_path(err, path, "find the folder of");
	n = strcspn(last, "/");
	if (n == 0 || (n == 1 && last[0] == '.')) {
		close(fd);
		return cay_fail(err, CAY_E_INVALID, 0,
				"'%.250s' does not name an entry of a folder", path);
	}
	memcpy(name, last, n);
	name[n] = '\0';
	*ret_fd = fd;
	return 0;
}

int cay_files_mkdir(int root_fd, const char *path, mode_t mode, bool parents, struct cay_error *err)
{
	char name[CAY_PATH_NAME_MAX + 1];
	auto_close int fd = -1;

	if (parents) {
		if (cay_path_check_absolute(path, strlen(path), "the path", err) < 0)
			return -1;
		fd = cay_path_mkdirs(root_fd, path, mode, CAY_PATH_IN_ROOT);
		return fd < 0 ? fail_path(err, path, "create the folder") : 0;
	}
	if (open_parent(root_fd, path, name, &fd, err) < 0)
		return -1;
	if (mkdirat(fd, name, mode) < 0)
		return fail_path(err, path, "create the folder");
	return 0;
}

int cay_files_move(int root_fd, const char *from, const char *to, bool overwrite,
		   struct cay_error *err)
{
	char from_name[CAY_PATH_NAME_MAX + 1], to_name[CAY_PATH_NAME_MAX + 1];
	auto_close int from_fd = -1;
	auto_close int to_fd = -1;

	if (open_parent(root_fd, from, from_name, &from_fd, err) < 0 ||
	    open_parent(root_fd, to, to_name, &to_fd, err) < 0)
		return -1;
	if (renameat2(from_fd, from_name, to_fd, to_name, overwrite ? 0 : RENAME_NOREPLACE) == 0)
		return 0;
	if (errno == EEXIST && !overwrite) {
		cay_fail(err, CAY_E_CONFLICT, 0, "'%.250s' exists already", to);
		return cay_fail_hint(err, "set \"overwrite\": true to replace it");
	}
	if (errno == EXDEV) {
		cay_fail(err, CAY_E_UNSUPPORTED, errno, "move '%.150s' to '%.150s'", from, to);
		return cay_fail_hint(err, "they are on different file systems: execute mv instead");
	}
	return fail_path(err, from, "move");
}

int cay_files_remove(int root_fd, const char *path, bool recursive, struct cay_error *err)
{
	char name[CAY_PATH_NAME_MAX + 1];
	auto_close int fd = -1;
	struct stat st;
	int status;

	if (open_parent(root_fd, path, name, &fd, err) < 0)
		return -1;
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_path(err, path, "remove");
	if (recursive)
		status = cay_path_remove_tree(fd, name);
	else
		status = unlinkat(fd, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0);
	if (status == 0)
		return 0;
	if (errno == ENOTEMPTY || errno == EEXIST) {
		cay_fail(err, CAY_E_CONFLICT, 0, "the folder '%.250s' is not empty", path);
		return cay_fail_hint(err, "recursive=1 removes its content too");
	}
	return fail_path(err, path, "remove");
}
