/* SPDX-License-Identifier: Apache-2.0 */
/* Typed wrappers of the descriptor-based mount calls. Knows nothing of sandboxes. */
#include "kern/mount.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int configure(int fs, const struct cay_mount_option *options)
{
	int k;

	for (; options && options->name; options++) {
		if (options->value)
			k = fsconfig(fs, FSCONFIG_SET_STRING, options->name, options->value, 0);
		else
			k = fsconfig(fs, FSCONFIG_SET_FLAG, options->name, NULL, 0);
		if (k < 0)
			return -1;
	}
	return fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
}

int cay_mount_new(const char *type, const struct cay_mount_option *options, uint64_t attrs)
{
	auto_close int fs = fsopen(type, FSOPEN_CLOEXEC);

	if (fs < 0 || configure(fs, options) < 0)
		return -1;
	return fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attrs);
}

int cay_mount_copy(int dir_fd, const char *path, bool recursive)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW;

	if (!*path)
		flags |= AT_EMPTY_PATH;
	if (recursive)
		flags |= AT_RECURSIVE;
	return open_tree(dir_fd, path, flags);
}

int cay_mount_set(int fd, uint64_t attrs, bool recursive)
{
	struct mount_attr attr = {.attr_set = attrs};

	return mount_setattr(fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr,
			     sizeof(attr));
}

int cay_mount_idmap(int fd, int userns_fd, bool recursive)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns_fd};

	return mount_setattr(fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr,
			     sizeof(attr));
}

int cay_mount_attach(int fd, int dir_fd, const char *path)
{
	unsigned flags = MOVE_MOUNT_F_EMPTY_PATH;

	if (!*path)
		flags |= MOVE_MOUNT_T_EMPTY_PATH;
	return move_mount(fd, "", dir_fd, path, flags);
}

int cay_mount_make_private(void)
{
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

/* Whether nothing is mounted on top of the root: "/.." would lead there. */
static int root_is_bare(void)
{
	struct stat root, above;

	if (stat("/", &root) < 0 || stat("/..", &above) < 0)
		return -1;
	return root.st_dev == above.st_dev && root.st_ino == above.st_ino;
}

int cay_mount_pivot(int root_fd)
{
	enum { STACKED_MAX = 8 };
	int bare = 0;

	/* The old root ends up on top of the new one, at the same place, and on top of that whatever
	 * was mounted over it: "." names the topmost. No folder for the old root is needed. */
	if (fchdir(root_fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return -1;
	for (int i = 0; !bare; i++) {
		if (i == STACKED_MAX) {
			errno = EBUSY;
			return -1;
		}
		if (umount2(".", MNT_DETACH) < 0)
			return -1;
		bare = root_is_bare();
		if (bare < 0)
			return -1;
	}
	return chdir("/");
}
