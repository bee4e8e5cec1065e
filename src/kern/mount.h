/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts by descriptor (fsopen(2), open_tree(2), move_mount(2), mount_setattr(2); Linux 5.12). A
 * mount is made detached, given its attributes, and only then attached, so that nobody ever sees it
 * half made, and no path of an untrusted tree is resolved twice.
 *
 * Attributes are MOUNT_ATTR_* of <sys/mount.h>. Descriptors returned are CLOEXEC; closing one of a
 * mount that was never attached unmounts it.
 */
#pragma once

#include <sys/mount.h>

#include "base/error.h"

struct cay_mount_option {
	const char *name;
	const char *value; /* NULL: a flag */
};

/* A new file system, detached. options: ended by {}; may be NULL. -1 with errno. */
int cay_mount_new(const char *type, const struct cay_mount_option *options, uint64_t attrs);

/* A detached copy of what is at dir_fd/path ("": dir_fd itself), with what is mounted below it if
 * recursive. No symlink is followed at the last component. -1 with errno. */
int cay_mount_copy(int dir_fd, const char *path, bool recursive);

/* Sets attributes of a detached or attached mount. -1 with errno. */
int cay_mount_set(int fd, uint64_t attrs, bool recursive);

/* Maps the ids of a detached mount by a user namespace (id inside it: as on the file system; id
 * outside: as seen through the mount). Needs privilege over the file system. -1 with errno. */
int cay_mount_idmap(int fd, int userns_fd, bool recursive);

/* Attaches a detached mount at dir_fd/path ("": dir_fd itself). -1 with errno. */
int cay_mount_attach(int fd, int dir_fd, const char *path);

/* No event of our mounts reaches the outside, none of the outside's reaches us. -1 with errno. */
int cay_mount_make_private(void);

/* Makes the mount at root_fd the root and forgets the old one; "/" is the working directory after.
 * pivot_root(2), "pivot_root(".", ".")". -1 with errno. */
int cay_mount_pivot(int root_fd);
