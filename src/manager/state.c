/* SPDX-License-Identifier: Apache-2.0 */
/* The state folder: made, locked, swept. Knows nothing of sandboxes but their folders' names. */
#include "manager/state.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/path.h"

static bool is_empty(int dir_fd)
{
	const struct dirent *e;
	bool empty = true;
	DIR *d = fdopendir(openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	if (!d)
		return false;
	while (empty && (e = readdir(d)))
		empty = !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..");
	closedir(d);
	return empty;
}

/* Ours alone. An existing folder is closed to others only where it is surely meant for us: a
 * mistyped --state /tmp must not change /tmp. */
static int check_private(const struct cay_state *s, struct cay_error *err)
{
	struct stat st;

	if (fstat(s->dir_fd, &st) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "stat '%s'", s->path);
	if (st.st_uid != geteuid())
		return cay_fail(err, CAY_E_DENIED, 0, "state folder '%s' belongs to another user",
				s->path);
	if (!(st.st_mode & 077))
		return 0;
	if ((faccessat(s->dir_fd, "lock", F_OK, AT_SYMLINK_NOFOLLOW) == 0 || is_empty(s->dir_fd)) &&
	    fchmod(s->dir_fd, 0700) == 0)
		return 0;
	cay_fail(err, CAY_E_DENIED, 0, "state folder '%s' is open to other users (mode %04o)",
		 s->path, (unsigned)st.st_mode & 07777);
	return cay_fail_hint(err, "name another folder with --state, or: chmod 700 '%s'", s->path);
}

static int take_lock(struct cay_state *s, struct cay_error *err)
{
	char pid[32] = "";
	ssize_t n;

	s->lock_fd = openat(s->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0)
		return cay_fail(err, cay_error_from_errno(errno), errno, "open '%s/lock'", s->path);
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		n = pread(s->lock_fd, pid, sizeof(pid) - 1, 0);
		pid[n > 0 ? strspn(pid, "0123456789") : 0] = '\0';
		cay_fail(err, CAY_E_CONFLICT, 0,
			 "another cay-server (pid %s) uses the state folder '%s'", pid, s->path);
		return cay_fail_hint(err, "stop it first, or name another folder with --state");
	}
	n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(s->lock_fd, 0) < 0 || pwrite(s->lock_fd, pid, (size_t)n, 0) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "write '%s/lock'", s->path);
	return 0;
}

static unsigned sweep(const struct cay_state *s)
{
	const struct dirent *e;
	unsigned n = 0;
	DIR *d = fdopendir(openat(s->sandboxes_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	if (!d)
		return 0;
	while ((e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		n += cay_path_remove_tree(s->sandboxes_fd, e->d_name) == 0;
	}
	closedir(d);
	return n;
}

/* mkdir -p of a path that the administrator gave, and its real name. */
static int make_folder(const char *path, struct cay_state *s, struct cay_error *err)
{
	auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int made = -1;
	auto_free char *cwd = path[0] == '/' ? NULL : getcwd(NULL, 0);
	auto_free char *absolute = cay_format("%s%s%s", cwd ? cwd : "", cwd ? "/" : "", path);

	made = cay_path_mkdirs(root, absolute, 0700, CAY_PATH_IN_ROOT);
	if (made < 0) {
		cay_fail(err, cay_error_from_errno(errno), errno, "make the state folder '%s'",
			 absolute);
		return cay_fail_hint(err, "name a folder that you may write with --state DIR");
	}
	s->path = realpath(absolute, NULL);
	s->dir_fd = s->path ? open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (s->dir_fd < 0)
		return cay_fail(err, cay_error_from_errno(errno), errno, "open '%s'", absolute);
	return 0;
}

static int fill(const char *path, struct cay_state *s, unsigned *ret_swept, struct cay_error *err)
{
	if (make_folder(path, s, err) < 0 || check_private(s, err) < 0 || take_lock(s, err) < 0)
		return -1;
	s->sandboxes_fd = cay_path_mkdirs(s->dir_fd, "sandboxes", 0700, CAY_PATH_NO_LINKS);
	if (s->sandboxes_fd < 0)
		return cay_fail(err, cay_error_from_errno(errno), errno, "make '%s/sandboxes'",
				s->path);
	*ret_swept = sweep(s);
	return 0;
}

int cay_state_open(const char *path, struct cay_state *ret, unsigned *ret_swept,
		   struct cay_error *err)
{
	struct cay_state s = {.dir_fd = -1, .lock_fd = -1, .sandboxes_fd = -1};

	if (fill(path, &s, ret_swept, err) < 0) {
		cay_state_close(&s);
		return -1;
	}
	*ret = s;
	return 0;
}

void cay_state_close(struct cay_state *s)
{
	cay_cleanup_close(&s->sandboxes_fd);
	cay_cleanup_close(&s->lock_fd);
	cay_cleanup_close(&s->dir_fd);
	free(s->path);
	*s = (struct cay_state){.dir_fd = -1, .lock_fd = -1, .sandboxes_fd = -1};
}

/* ---- the key ---- */

int cay_state_check_key(const char *key, const char *where, struct cay_error *err)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < n; i++)
		if (key[i] <= ' ' || key[i] > '~')
			return cay_fail(err, CAY_E_INVALID, 0,
					"the API key in %s has a character that is not printable "
					"ASCII",
					where);
	if (n < 1 || n > CAY_STATE_KEY_MAX)
		return cay_fail(err, CAY_E_INVALID, 0,
				"the API key in %s has %zu characters; 1 to %d are allowed", where,
				n, CAY_STATE_KEY_MAX);
	return 0;
}

/* Written aside and renamed: whoever reads the name finds a whole key or none. */
static int write_key(const struct cay_state *s, const char *key, struct cay_error *err)
{
	auto_close int fd = openat(s->dir_fd, "api-key.new",
				   O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	auto_free char *line = cay_format("%s\n", key);

	if (fd < 0 || fchmod(fd, 0600) < 0 || cay_fd_write_all(fd, line, strlen(line)) < 0 ||
	    fsync(fd) < 0 || renameat(s->dir_fd, "api-key.new", s->dir_fd, "api-key") < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "write '%s/api-key'", s->path);
	return 0;
}

int cay_state_api_key(const struct cay_state *s, char out[CAY_STATE_KEY_MAX + 1],
		      struct cay_error *err)
{
	auto_close int fd = openat(s->dir_fd, "api-key", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	auto_free char *where = cay_format("'%s/api-key'", s->path);
	auto_buf struct cay_buf text;
	struct stat st;

	cay_buf_init(&text, CAY_STATE_KEY_MAX + 2);
	if (fd < 0 && errno == ENOENT) {
		cay_id_random(out, CAY_KEY_LEN);
		return write_key(s, out, err);
	}
	if (fd < 0 || fstat(fd, &st) < 0 || cay_fd_read_all(fd, &text) < 0)
		return cay_fail(err, cay_error_from_errno(errno), errno, "read %s", where);
	if (st.st_uid != geteuid() || (st.st_mode & 077)) {
		cay_fail(err, CAY_E_DENIED, 0, "%s can be read by others", where);
		return cay_fail_hint(err, "remove it (a new key is made), or: chmod 600 %s", where);
	}
	text.data[strcspn(text.data, "\r\n")] = '\0';
	if (cay_state_check_key(text.data, where, err) < 0)
		return -1;
	snprintf(out, CAY_STATE_KEY_MAX + 1, "%s", text.data);
	return 0;
}

/* ---- folders ---- */

int cay_state_add_sandbox(const struct cay_state *s, const char *id, char **ret_path,
			  struct cay_error *err)
{
	if (mkdirat(s->sandboxes_fd, id, 0700) < 0)
		return cay_fail(err, cay_error_from_errno(errno), errno, "make '%s/sandboxes/%s'",
				s->path, id);
	*ret_path = cay_format("%s/sandboxes/%s", s->path, id);
	return 0;
}

void cay_state_remove_sandbox(const struct cay_state *s, const char *id)
{
	cay_path_remove_tree(s->sandboxes_fd, id);
}

/* Is `inner` the folder `outer`, or below it? Both absolute and resolved. */
static bool is_within(const char *inner, const char *outer)
{
	size_t n = strlen(outer);

	if (n == 1)
		return true;
	return !strncmp(inner, outer, n) && (inner[n] == '/' || inner[n] == '\0');
}

int cay_state_check_workspace(const struct cay_state *s, const char *path, struct cay_error *err)
{
	auto_free char *real = realpath(path, NULL);

	if (!real)
		return cay_fail(err, cay_error_from_errno(errno), errno, "workspace '%s'", path);
	if (!is_within(s->path, real) && !is_within(real, s->path))
		return 0;
	cay_fail(err, CAY_E_DENIED, 0,
		 "workspace '%s' would show the server's state folder to the sandbox", path);
	return cay_fail_hint(err, "choose a folder that does not hold '%s'", s->path);
}
