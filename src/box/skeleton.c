/* SPDX-License-Identifier: Apache-2.0 */
/* Builds and finds the skeleton layer. Knows nothing of sandboxes. */
#include "box/skeleton.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/agent_proto.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "box/etc.h"

enum {
	VERSION = 2, /* raised when what is built changes */
	DEPTH_MAX = 64,
	FOLDERS_MAX = 500000,
};

/* Times that change when folders come and go: a folder that became a file or a symlink must not be
 * hidden by a skeleton that still has the folder. */
static const char *const watched[] = {
	"/bin",
	"/lib",
	"/nix",
	"/opt",
	"/usr",
	"/usr/bin",
	"/usr/include",
	"/usr/lib",
	"/usr/lib64",
	"/usr/local",
	"/usr/local/bin",
	"/usr/local/lib",
	"/usr/local/share",
	"/usr/share",
	"/usr/share/doc",
	"/var/lib/dpkg/status",
	"/lib/apk/db/installed",
	"/usr/lib/sysimage/rpm/rpmdb.sqlite",
	"/var/lib/rpm/rpmdb.sqlite",
	"/var/lib/pacman/local",
};

static const char *const trees[] = {"usr", "etc",   "opt",   "bin",    "sbin",
				    "lib", "lib32", "lib64", "libx32", "nix"};

static uint64_t mix(uint64_t hash, const void *data, size_t n)
{
	const unsigned char *p = data;

	/* FNV-1a: it tells states apart, it keeps nobody out. */
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ p[i]) * 0x100000001b3ULL;
	return hash;
}

static uint64_t host_state(void)
{
	uint64_t hash = mix(0xcbf29ce484222325ULL, &(int){VERSION}, sizeof(int));
	struct stat st;

	for (size_t i = 0; i < CAY_LEN(watched); i++) {
		if (lstat(watched[i], &st) < 0)
			continue;
		hash = mix(hash, &i, sizeof(i));
		hash = mix(hash, &st.st_mtim, sizeof(st.st_mtim));
		hash = mix(hash, &st.st_ino, sizeof(st.st_ino));
	}
	return hash;
}

/* ---- building ---- */

struct build {
	unsigned folders;
	dev_t dev;
};

/* Folders below from_fd that everybody may use, into to_fd. What cannot be read is left out. */
static int copy_folders(struct build *b, int from_fd /* consumed */, int to_fd, int depth)
{
	DIR *dir = fdopendir(from_fd);
	struct dirent *e;
	struct stat st;
	int result = 0;

	if (!dir) {
		close(from_fd);
		return -1;
	}
	while (!result && (e = readdir(dir))) {
		auto_close int to = -1;
		int from;

		if ((e->d_type != DT_DIR && e->d_type != DT_UNKNOWN) || !strcmp(e->d_name, ".") ||
		    !strcmp(e->d_name, ".."))
			continue;
		from = openat(dirfd(dir), e->d_name,
			      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (from < 0)
			continue;
		/* A mount below is not in the host's layer either. */
		if (fstat(from, &st) < 0 || st.st_dev != b->dev || (st.st_mode & 05) != 05 ||
		    depth == DEPTH_MAX) {
			close(from);
			continue;
		}
		if (mkdirat(to_fd, e->d_name, 0755) == 0)
			to = openat(to_fd, e->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (to < 0 || ++b->folders > FOLDERS_MAX) {
			close(from);
			result = -1;
		} else {
			result = copy_folders(b, from, to, depth + 1);
		}
	}
	closedir(dir);
	return result;
}

static int copy_tree(int to_fd, const char *name)
{
	struct build b = {};
	auto_close int to = -1;
	char path[32];
	struct stat st;
	int from;

	snprintf(path, sizeof(path), "/%s", name);
	from = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0)
		return 0;
	if (fstat(from, &st) < 0 || mkdirat(to_fd, name, 0755) < 0) {
		close(from);
		return -1;
	}
	b.dev = st.st_dev;
	to = openat(to_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (to < 0) {
		close(from);
		return -1;
	}
	return copy_folders(&b, from, to, 0);
}

static int hide_secrets(int to_fd)
{
	auto_close int etc = openat(to_fd, "etc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const char *const *hidden = cay_etc_hidden;

	for (; etc >= 0 && *hidden; hidden++) {
		if (cay_path_remove_tree(etc, *hidden) < 0 && errno != ENOENT && errno != ENOTDIR)
			return -1;
		/* ENOENT: the folder it would be in is not there, or closed to everybody. */
		if (mknodat(etc, *hidden, S_IFCHR, makedev(0, 0)) < 0 && errno != ENOENT)
			return -1;
	}
	return 0;
}

static int write_files(int to_fd)
{
	auto_close int etc = openat(to_fd, "etc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (const struct cay_etc_file *f = cay_etc_files; etc >= 0 && f->name; f++) {
		auto_close int fd =
			openat(etc, f->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

		if (fd < 0 || fchmod(fd, 0644) < 0 ||
		    cay_fd_write_all(fd, f->content, strlen(f->content)) < 0)
			return -1;
	}
	return 0;
}

static int fill(int fd)
{
	for (size_t i = 0; i < CAY_LEN(trees); i++)
		if (copy_tree(fd, trees[i]) < 0)
			return -1;
	return hide_secrets(fd) < 0 ? -1 : write_files(fd);
}

/* As the id that will own it: for root this also means to see only what everybody sees. */
static int fill_as(int fd, bool as_root)
{
	/* What the folders show inside does not depend on the caller's habits. */
	mode_t mask = umask(022);
	int result, saved;

	result = as_root ? fchown(fd, CAY_AGENT_UID, CAY_AGENT_GID) : 0;
	if (as_root) {
		setfsgid(CAY_AGENT_GID);
		setfsuid(CAY_AGENT_UID);
	}
	if (!result)
		result = fill(fd);
	saved = errno;
	if (as_root) {
		setfsuid(geteuid());
		setfsgid(getegid());
	}
	umask(mask);
	errno = saved;
	return result;
}

/* Removes skeletons of older states that nobody uses. */
static void sweep(int cache_fd, const char *keep)
{
	int fd = openat(cache_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((e = readdir(dir))) {
		auto_close int old = -1;

		if (!cay_text_starts_with(e->d_name, "skeleton-") || !strcmp(e->d_name, keep))
			continue;
		old = openat(cache_fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (old >= 0 && flock(old, LOCK_EX | LOCK_NB) == 0)
			cay_path_remove_tree(cache_fd, e->d_name);
	}
	closedir(dir);
}

/* In a folder of another name, locked, that is renamed when it is complete. */
static int build(int cache_fd, const char *name, bool as_root, struct cay_error *err)
{
	char temp[64], id[CAY_ID_LEN + 1];
	auto_close int fd = -1;

	cay_id_random(id, CAY_ID_LEN);
	snprintf(temp, sizeof(temp), "skeleton-new-%s", id);
	if (mkdirat(cache_fd, temp, 0755) < 0)
		return cay_fail(err, CAY_E_SETUP, errno, "skeleton: make a folder in the cache");
	fd = openat(cache_fd, temp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_SH) < 0 || fchmod(fd, 0755) < 0 || fill_as(fd, as_root) < 0) {
		cay_fail(err, CAY_E_SETUP, errno, "skeleton: copy the host's folders");
		cay_path_remove_tree(cache_fd, temp);
		return -1;
	}
	if (renameat(cache_fd, temp, cache_fd, name) < 0) {
		/* Somebody else was quicker: theirs is as good. */
		bool beaten = errno == EEXIST || errno == ENOTEMPTY;

		if (!beaten)
			cay_fail(err, CAY_E_SETUP, errno, "skeleton: rename");
		cay_path_remove_tree(cache_fd, temp);
		return beaten ? 0 : -1;
	}
	sweep(cache_fd, name);
	return 0;
}

/* ---- finding ---- */

static int open_cache(const char *path, struct cay_error *err)
{
	auto_close int fd = -1;
	struct stat st;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		auto_close int from =
			open(*path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
		CAY_UNUSED auto_close int made =
			cay_path_mkdirs(from, path, 0700, CAY_PATH_IN_ROOT);

		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return cay_fail(err, CAY_E_SETUP, errno, "cache folder '%s'", path);
	/* Who can write there decides what every sandbox sees. */
	if (st.st_uid != geteuid() || (st.st_mode & 022)) {
		cay_fail(err, CAY_E_SETUP, 0, "cache folder '%s' can be changed by others", path);
		return cay_fail_hint(err, "chown it to yourself and chmod it to 0700");
	}
	return TAKE_FD(fd);
}

int cay_skeleton_open(const char *cache_dir, bool as_root, int *ret_fd, char **ret_path,
		      struct cay_error *err)
{
	auto_close int cache = open_cache(cache_dir, err);
	auto_close int fd = -1;
	char name[64];

	if (cache < 0)
		return -1;
	snprintf(name, sizeof(name), "skeleton-%016llx", (unsigned long long)host_state());
	for (int tries = 0; fd < 0; tries++) {
		fd = openat(cache, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		/* Locked after it was opened: it is ours only if it is still there by that name. */
		if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) == 0 &&
		    faccessat(cache, name, F_OK, 0) == 0)
			break;
		if (tries == 3)
			return cay_fail(err, CAY_E_SETUP, errno, "skeleton: open '%s'", name);
		if (fd >= 0)
			close(fd);
		fd = -1;
		if (build(cache, name, as_root, err) < 0)
			return -1;
	}
	*ret_path = cay_format("%s/%s", cache_dir, name);
	*ret_fd = TAKE_FD(fd);
	return 0;
}
