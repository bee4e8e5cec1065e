/* SPDX-License-Identifier: Apache-2.0 */
/* Id-mapped mounts. The kernel takes the mapping from a user namespace, so one is made for it. */
#include "box/idmap.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>

#include "base/id.h"
#include "kern/mount.h"
#include "kern/pidfd.h"

enum { RANGE_FIRST = 0x70000000, RANGE_MASK = 0x0fffffff };

uid_t cay_idmap_pick(void)
{
	uint32_t random;

	cay_random_bytes(&random, sizeof(random));
	return RANGE_FIRST + (random & RANGE_MASK);
}

/* A user namespace with the one id mapped, held only by the descriptor. */
static int make_userns(const struct cay_ns_ids *ids, int *ret_fd, struct cay_error *err)
{
	int pidfd = -1, status, result;
	char path[48];
	pid_t pid = cay_ns_fork(CLONE_NEWUSER, -1, &pidfd);

	if (pid == 0)
		for (;;)
			pause();
	if (pid < 0)
		return cay_fail(err, CAY_E_SETUP, errno, "make a user namespace for the mapping");
	result = cay_ns_write_maps(pid, ids, false, err);
	if (!result) {
		snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
		*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
		if (*ret_fd < 0)
			result = cay_fail(err, CAY_E_SETUP, errno, "open %s", path);
	}
	cay_pidfd_signal(pidfd, SIGKILL);
	cay_pidfd_wait(pidfd, true, &status);
	close(pidfd);
	return result;
}

int cay_idmap_mount(const char *path, const struct stat *st, const struct cay_ns_ids *ids,
		    int *ret_mount_fd, struct cay_error *err)
{
	/* "Inside" is the disk, "outside" what the mount shows. */
	const struct cay_ns_ids map = {
		.inside_uid = st->st_uid,
		.outside_uid = ids->outside_uid,
		.inside_gid = st->st_gid,
		.outside_gid = ids->outside_gid,
	};
	auto_close int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int userns = -1;
	auto_close int fd = -1;
	struct stat now;

	if (dir < 0 || fstat(dir, &now) < 0)
		return cay_fail(err, CAY_E_SETUP, errno, "open '%s'", path);
	if (now.st_dev != st->st_dev || now.st_ino != st->st_ino)
		return cay_fail(err, CAY_E_SETUP, 0, "'%s' has been replaced in the meantime",
				path);
	fd = cay_mount_copy(dir, "", true);
	if (fd < 0)
		return cay_fail(err, CAY_E_SETUP, errno, "copy the mount of '%s'", path);
	if (make_userns(&map, &userns, err) < 0)
		return -1;
	if (cay_mount_idmap(fd, userns, true) < 0)
		return cay_fail(err, CAY_E_UNSUPPORTED, errno,
				"the file system of '%s' cannot map ids", path);
	*ret_mount_fd = TAKE_FD(fd);
	return 0;
}
