/* SPDX-License-Identifier: Apache-2.0 */
/* Untrusted paths: checked as text, resolved by openat2(2), handled by descriptor. */
#include "base/path.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/mem.h"
#include "base/path_walk.h"

int cay_path_check_absolute(const char *path, size_t n, const char *what, struct cay_error *err)
{
	size_t start = 0, len;

	if (memchr(path, '\0', n))
		return cay_fail(err, CAY_E_INVALID, 0, "%s contains a NUL byte", what);
	if (n == 0 || path[0] != '/') {
		cay_fail(err, CAY_E_INVALID, 0, "%s must be absolute, got '%.*s'", what,
			 (int)CAY_MIN(n, (size_t)80), path);
		return cay_fail_hint(err, "begin it with '/', for example /workspace/file.txt");
	}
	if (n >= CAY_PATH_MAX)
		return cay_fail(err, CAY_E_INVALID, 0,
				"%s is %zu bytes long; at most %d are allowed", what, n,
				CAY_PATH_MAX - 1);
	for (size_t i = 0; i <= n; i++) {
		if (i < n && path[i] != '/')
			continue;
		len = i - start;
		if (len > CAY_PATH_NAME_MAX)
			return cay_fail(err, CAY_E_INVALID, 0,
					"%s has a component of %zu bytes; at most %d are allowed",
					what, len, CAY_PATH_NAME_MAX);
		if (len == 2 && path[start] == '.' && path[start + 1] == '.') {
			cay_fail(err, CAY_E_INVALID, 0, "%s must not contain '..'", what);
			return cay_fail_hint(err, "give the path that is meant, without '..'");
		}
		start = i + 1;
	}
	return 0;
}

int cay_path_normalize(const char *path, char *out, struct cay_error *err)
{
	size_t n = 0, len;

	if (path[0] != '/')
		return cay_fail(err, CAY_E_INVALID, 0, "path '%.80s' is not absolute", path);
	if (strlen(path) >= CAY_PATH_MAX)
		return cay_fail(err, CAY_E_INVALID, 0, "path is too long");
	while (*path) {
		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (len == 2 && path[0] == '.' && path[1] == '.') {
			while (n > 0 && out[--n] != '/')
				;
		} else if (len > 0 && !(len == 1 && path[0] == '.')) {
			out[n++] = '/';
			memcpy(out + n, path, len);
			n += len;
		}
		path += len;
	}
	if (!n)
		out[n++] = '/';
	out[n] = '\0';
	return 0;
}

int cay_path_open(int root_fd, const char *path, int flags, mode_t mode, enum cay_path_scope scope)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
		.mode = flags & (O_CREAT | __O_TMPFILE) ? mode : 0,
		.resolve = RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	if (scope == CAY_PATH_IN_ROOT)
		how.resolve |= RESOLVE_IN_ROOT;
	else
		how.resolve |= RESOLVE_BENEATH;
	if (scope == CAY_PATH_NO_LINKS)
		how.resolve |= RESOLVE_NO_SYMLINKS;
	path += strspn(path, "/");
	/* EAGAIN: a rename raced with "..": the kernel asks to try again (openat2(2)). */
	do
		fd = syscall(SYS_openat2, root_fd, *path ? path : ".", &how, sizeof(how));
	while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	if (fd < 0 && errno == ENOSYS)
		return cay_path_walk(root_fd, path, flags, mode, scope);
	return (int)fd;
}

int cay_path_open_parent(int root_fd, const char *path, enum cay_path_scope scope,
			 const char **ret_name)
{
	auto_free char *copy = NULL;
	const char *slash;
	size_t n = strlen(path);
	int fd;

	while (n > 0 && path[n - 1] == '/')
		n--;
	if (!n) {
		*ret_name = ".";
		return cay_path_open(root_fd, ".", O_PATH | O_DIRECTORY, 0, scope);
	}
	slash = memrchr(path, '/', n);
	copy = cay_strndup(path, slash ? (size_t)(slash - path) : 0);
	fd = cay_path_open(root_fd, copy, O_PATH | O_DIRECTORY, 0, scope);
	if (fd >= 0)
		*ret_name = slash ? slash + 1 : path;
	return fd;
}

int cay_path_mkdirs(int root_fd, const char *path, mode_t mode, enum cay_path_scope scope)
{
	auto_free char *copy = cay_strdup(path);
	const char *name;
	char *end = copy;
	int fd;

	fd = cay_path_open(root_fd, path, O_PATH | O_DIRECTORY, 0, scope);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	/* Each prefix is resolved anew from the root: a symlink on the way means what it means to
	 * the kernel, and a component made by somebody else in the meantime is fine. */
	do {
		char kept;

		end += strspn(end, "/");
		end += strcspn(end, "/");
		kept = *end;
		*end = '\0';
		fd = cay_path_open(root_fd, copy, O_PATH | O_DIRECTORY, 0, scope);
		if (fd >= 0) {
			close(fd);
		} else if (errno != ENOENT) {
			return -1;
		} else {
			auto_close int dir = cay_path_open_parent(root_fd, copy, scope, &name);

			if (dir < 0 || (mkdirat(dir, name, mode) < 0 && errno != EEXIST))
				return -1;
		}
		*end = kept;
	} while (*end && end[strspn(end, "/")]);
	return cay_path_open(root_fd, path, O_PATH | O_DIRECTORY, 0, scope);
}

/* Deep trees are moved up rather than recursed into, so that neither the stack nor descriptors
 * limit the depth: at REMOVE_DEPTH a folder is renamed into the top one and met again there. */
enum { REMOVE_DEPTH = 64 };

struct remover {
	int top_fd;
	dev_t dev;
	unsigned moved;
	int first_errno;
};

static void remember(struct remover *r)
{
	if (!r->first_errno)
		r->first_errno = errno;
}

static void remove_contents(struct remover *r, int fd /* consumed */, int depth);

static void remove_entry(struct remover *r, int dir_fd, const char *name, int depth)
{
	char aside[32];
	struct stat st;
	int fd;

	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return;
	if (errno != EISDIR && errno != EPERM) {
		remember(r);
		return;
	}
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == EACCES && fchmodat(dir_fd, name, 0700, 0) == 0)
		fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		remember(r);
		if (fd >= 0)
			close(fd);
		return;
	}
	if (st.st_dev != r->dev) {
		errno = EXDEV;
		remember(r);
		close(fd);
		return;
	}
	if (depth >= REMOVE_DEPTH) {
		close(fd);
		snprintf(aside, sizeof(aside), ".cay-deep-%u", r->moved++);
		if (renameat(dir_fd, name, r->top_fd, aside) < 0)
			remember(r);
		return;
	}
	fchmod(fd, 0700);
	remove_contents(r, fd, depth + 1);
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		remember(r);
}

static void remove_contents(struct remover *r, int fd, int depth)
{
	DIR *dir = fdopendir(fd);
	struct dirent *e;

	if (!dir) {
		remember(r);
		close(fd);
		return;
	}
	while ((e = readdir(dir)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			remove_entry(r, dirfd(dir), e->d_name, depth);
	closedir(dir);
}

int cay_path_remove_tree(int dir_fd, const char *name)
{
	struct remover r = {.top_fd = -1};
	auto_close int top = -1;
	struct stat st;
	unsigned before;

	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	top = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (top < 0 || fstat(top, &st) < 0)
		return -1;
	r.top_fd = top;
	r.dev = st.st_dev;
	do {
		before = r.moved;
		r.first_errno = 0;
		remove_contents(&r, openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0);
	} while (r.moved != before);
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		remember(&r);
	if (!r.first_errno)
		return 0;
	errno = r.first_errno;
	return -1;
}
