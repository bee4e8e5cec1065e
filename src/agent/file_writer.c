/* SPDX-License-Identifier: Apache-2.0 */
/* Atomic writing of a file: a temporary one beside it, then rename(2). */
#include <fcntl.h>
#include <string.h>

#include "agent/files.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/path.h"

enum {
	LINKS_MAX = 40, /* as the kernel's own limit */
	TEMP_TRIES = 8,
};

static int fail_write(struct cay_error *err, const char *what, const char *path)
{
	int sys = errno;

	cay_fail(err, cay_error_from_errno(sys), sys, "%s '%.250s'", what, path);
	if (sys == ENOENT)
		cay_fail_hint(err, "mkdirs=1 creates missing folders");
	return -1;
}

/* Where a symlink at `path` leads, as a new path. It is resolved anew from the root by the kernel
 * afterwards, so whatever it says cannot lead out. */
static char *follow(int dir_fd, const char *name, const char *path)
{
	char target[CAY_PATH_MAX];
	ssize_t n = readlinkat(dir_fd, name, target, sizeof(target) - 1);
	const char *slash = strrchr(path, '/');

	if (n < 0)
		return NULL;
	target[n] = '\0';
	if (target[0] == '/')
		return cay_strdup(target);
	return cay_format("%.*s/%s", (int)(slash - path), path, target);
}

/* The folder and the name of what will really be written. */
static int open_target(struct cay_file_writer *w, int root_fd, const char *path, bool make_parents,
		       struct cay_error *err)
{
	auto_free char *at = cay_strdup(path);
	const char *name;
	char *next;

	for (int i = 0; i < LINKS_MAX; i++) {
		if (make_parents && strrchr(at, '/') > at) {
			auto_free char *dir = cay_strndup(at, (size_t)(strrchr(at, '/') - at));
			auto_close int made = cay_path_mkdirs(root_fd, dir, 0755, CAY_PATH_IN_ROOT);

			if (made < 0)
				return fail_write(err, "create the folder", dir);
		}
		w->dir_fd = cay_path_open_parent(root_fd, at, CAY_PATH_IN_ROOT, &name);
		if (w->dir_fd < 0)
			return fail_write(err, "write", path);
		w->exists = fstatat(w->dir_fd, name, &w->old, AT_SYMLINK_NOFOLLOW) == 0;
		if (!w->exists && errno != ENOENT)
			return fail_write(err, "write", path);
		if (!w->exists || !S_ISLNK(w->old.st_mode)) {
			w->name = cay_strdup(name);
			return 0;
		}
		next = follow(w->dir_fd, name, at);
		if (!next)
			return fail_write(err, "read the link", path);
		close(TAKE_FD(w->dir_fd));
		free(at);
		at = next;
	}
	errno = ELOOP;
	return fail_write(err, "write", path);
}

static int check_target(const struct cay_file_writer *w, const char *path, struct cay_error *err)
{
	size_t n = strlen(w->name);

	if (n == 0 || w->name[n - 1] == '/' || !strcmp(w->name, ".") || !strcmp(w->name, ".."))
		return cay_fail(err, CAY_E_INVALID, 0, "'%.250s' does not name a file", path);
	if (!w->exists || S_ISREG(w->old.st_mode))
		return 0;
	return cay_fail(err, CAY_E_INVALID, 0, "'%.250s' is a %s, not a regular file", path,
			cay_files_type(w->old.st_mode));
}

static int open_temp(struct cay_file_writer *w, const char *path, struct cay_error *err)
{
	char id[CAY_ID_LEN + 1];

	for (int i = 0; i < TEMP_TRIES; i++) {
		cay_id_random(id, CAY_ID_LEN);
		snprintf(w->temp, sizeof(w->temp), ".cay-%s.tmp", id);
		w->fd = openat(w->dir_fd, w->temp,
			       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (w->fd >= 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	w->temp[0] = '\0';
	return fail_write(err, "write", path);
}

int cay_file_writer_open(struct cay_file_writer *w, int root_fd, const char *path, mode_t mode,
			 bool make_parents, struct cay_error *err)
{
	*w = (struct cay_file_writer){.dir_fd = -1, .fd = -1, .mode = mode};
	if (cay_path_check_absolute(path, strlen(path), "the path", err) < 0)
		return -1;
	if (open_target(w, root_fd, path, make_parents, err) < 0 ||
	    check_target(w, path, err) < 0 || open_temp(w, path, err) < 0) {
		cay_file_writer_close(w);
		return -1;
	}
	return 0;
}

int cay_file_writer_write(struct cay_file_writer *w, const void *data, size_t n,
			  struct cay_error *err)
{
	if (cay_fd_write_all(w->fd, data, n) < 0)
		return fail_write(err, "write", w->name);
	w->size += n;
	return 0;
}

int cay_file_writer_commit(struct cay_file_writer *w, struct cay_error *err)
{
	mode_t mode = w->mode ? w->mode : CAY_FILES_DEFAULT_MODE;

	if (w->exists && !w->mode)
		mode = w->old.st_mode & 07777;
	/* Only root can give a file back to its owner; for others it is theirs anyway, or becomes
	 * so. Before chmod, because chown takes set-id bits away. */
	if (w->exists)
		(void)!fchown(w->fd, w->old.st_uid, w->old.st_gid);
	if (fchmod(w->fd, mode) < 0)
		return fail_write(err, "set the mode of", w->name);
	if (close(TAKE_FD(w->fd)) < 0)
		return fail_write(err, "write", w->name);
	if (renameat(w->dir_fd, w->temp, w->dir_fd, w->name) < 0)
		return fail_write(err, "replace", w->name);
	w->temp[0] = '\0';
	return 0;
}

void cay_file_writer_close(struct cay_file_writer *w)
{
	if (w->temp[0])
		unlinkat(w->dir_fd, w->temp, 0);
	if (w->fd >= 0)
		close(w->fd);
	if (w->dir_fd >= 0)
		close(w->dir_fd);
	free(w->name);
	*w = (struct cay_file_writer){.dir_fd = -1, .fd = -1};
}
