/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this host can do, found out by trying: each row forks a process that does the thing, in
 * namespaces of its own, and says how that went. Nothing is left behind.
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "box/box.h"
#include "box/skeleton.h"
#include "kern/cgroup.h"
#include "kern/landlock.h"
#include "kern/mount.h"
#include "kern/ns.h"
#include "kern/pidfd.h"
#include "kern/seccomp.h"

struct rows {
	struct cay_box_probe *rows;
	size_t n, max;
};

static void add(struct rows *rows, const char *feature, bool required, int failure,
		const char *found, const char *lost, const char *fix)
{
	struct cay_box_probe *row;

	if (rows->n == rows->max)
		return;
	row = &rows->rows[rows->n++];
	*row = (struct cay_box_probe){.feature = feature, .ok = !failure, .required = required};
	if (!failure) {
		snprintf(row->detail, sizeof(row->detail), "%s", found);
	} else {
		snprintf(row->detail, sizeof(row->detail), "%s: %s", lost,
			 failure > 0 ? strerror(failure) : "not there");
		snprintf(row->fix, sizeof(row->fix), "%s", fix);
	}
}

/* Runs `body` in a child with new namespaces and maps; what it returns (an errno, 0: fine), or the
 * errno of what came before. */
static int try_in(uint64_t namespaces, int (*body)(void))
{
	const struct cay_ns_ids ids = {.outside_uid = geteuid(), .outside_gid = getegid()};
	struct cay_error err;
	int pidfd = -1, status = 0;
	pid_t pid = cay_ns_fork(namespaces, -1, &pidfd);

	if (pid == 0) {
		if ((namespaces & CLONE_NEWUSER) && cay_ns_write_maps(0, &ids, true, &err) < 0)
			_exit(err.sys ? err.sys : EPERM);
		_exit(body());
	}
	if (pid < 0)
		return errno;
	if (cay_pidfd_wait(pidfd, true, &status) < 0)
		status = ECHILD << 8;
	close(pidfd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

static int nothing(void)
{
	return 0;
}

static int outcome(int result)
{
	return result < 0 ? errno : 0;
}

static int try_overlay(void)
{
	static const struct cay_mount_option options[] = {{"lowerdir", "/usr"},
							  {"upperdir", "up"},
							  {"workdir", "work"},
							  {"userxattr", NULL},
							  {}};
	int fd;

	if (cay_mount_make_private() < 0)
		return errno;
	fd = cay_mount_new("tmpfs", NULL, 0);
	if (fd < 0 || cay_mount_attach(fd, AT_FDCWD, "/") < 0 || fchdir(fd) < 0 ||
	    mkdir("up", 0700) < 0 || mkdir("work", 0700) < 0)
		return errno;
	return outcome(cay_mount_new("overlay", options, 0));
}

static int try_proc(void)
{
	return outcome(cay_mount_new("proc", NULL, 0));
}

static int try_sysfs(void)
{
	return outcome(cay_mount_new("sysfs", NULL, 0));
}

static int try_devpts(void)
{
	static const struct cay_mount_option options[] = {{"newinstance", NULL}, {}};

	return outcome(cay_mount_new("devpts", options, 0));
}

static int try_seccomp(void)
{
	struct cay_error err;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return errno;
	return cay_seccomp_install(&err) < 0 ? err.sys : 0;
}

static int try_landlock(void)
{
	static const struct cay_landlock_files none = {.output = {-1, -1, -1}, .exe = -1};
	enum cay_landlock_state state = CAY_LANDLOCK_NONE;
	auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct cay_error err;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (cay_landlock_lock(root, &none, &state, &err) < 0)
		return err.sys;
	return state == CAY_LANDLOCK_NONE ? ENOSYS : 0;
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* Who forbids user namespaces on this host, and what lifts that. */
static const char *userns_fix(int failure)
{
	if (exists("/.dockerenv") || exists("/run/.containerenv"))
		return "in a container: docker run --security-opt seccomp=unconfined "
		       "--security-opt apparmor=unconfined --security-opt systempaths=unconfined";
	if (exists("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"))
		return "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0 (or an AppArmor "
		       "profile for cay with \"userns,\")";
	if (exists("/proc/sys/kernel/unprivileged_userns_clone"))
		return "sudo sysctl kernel.unprivileged_userns_clone=1";
	if (failure == ENOSPC)
		return "sudo sysctl user.max_user_namespaces=10000";
	return "run as root, or ask for user namespaces to be allowed";
}

static void probe_skeleton(struct rows *rows, const char *cache_dir)
{
	auto_free char *path = NULL;
	auto_close int fd = -1;
	struct cay_error err = {};
	int failure = 0;

	if (!cache_dir)
		return;
	if (cay_skeleton_open(cache_dir, geteuid() == 0, &fd, &path, &err) < 0)
		failure = err.sys ? err.sys : EPERM;
	add(rows, "skeleton layer", false, failure, path ? path : "",
	    "the host's folders cannot be written to in sandboxes",
	    err.hint[0] ? err.hint : err.msg);
}

static void probe_cgroups(struct rows *rows)
{
	static const char *const features[] = {"cgroup memory", "cgroup pids", "cgroup cpu"};
	static const char *const lost[] = {
		"memory limits hold for each process, not for all together",
		"limits of processes are by rlimit",
		"CPU limits are not enforced",
	};
	struct cay_cgroup_host host;

	cay_cgroup_host_open(&host);
	for (size_t i = 0; i < CAY_CGROUP_CONTROLLERS; i++) {
		char found[32];
		int version = host.controllers[i].version;

		snprintf(found, sizeof(found), "version %d", version);
		add(rows, features[i], false, version ? 0 : EACCES, found, lost[i],
		    "run below a delegated cgroup: systemd-run --user --scope -p Delegate=yes cay "
		    "...");
	}
	cay_cgroup_host_close(&host);
}

size_t cay_box_probe(const char *cache_dir, struct cay_box_probe *rows, size_t max)
{
	struct rows r = {.rows = rows, .max = max};
	int failure = try_in(CLONE_NEWUSER, nothing);
	char text[64];

	add(&r, "user namespaces", true, failure, "can be made", "no sandbox of level full",
	    userns_fix(failure));
	add(&r, "mount and process namespaces", true,
	    try_in(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
			   CLONE_NEWCGROUP,
		   nothing),
	    "can be made", "no sandbox of level full", userns_fix(failure));
	add(&r, "network namespaces", false, try_in(CLONE_NEWUSER | CLONE_NEWNET, nothing),
	    "can be made", "only --net host works", "use a kernel with CONFIG_NET_NS");
	add(&r, "overlayfs in a user namespace", true,
	    try_in(CLONE_NEWUSER | CLONE_NEWNS, try_overlay), "mounted over /usr",
	    "no sandbox of level full", "use Linux 5.11 or newer; sudo modprobe overlay");
	add(&r, "own /proc", true, try_in(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID, try_proc),
	    "mounted", "no sandbox of level full",
	    "in a container: docker run --security-opt systempaths=unconfined");
	add(&r, "own /sys", false, try_in(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET, try_sysfs),
	    "mounted", "only --net host works",
	    "in a container: docker run --security-opt systempaths=unconfined");
	add(&r, "own terminals (devpts)", true, try_in(CLONE_NEWUSER | CLONE_NEWNS, try_devpts),
	    "mounted", "no sandbox of level full", "use a kernel with CONFIG_UNIX98_PTYS");
	add(&r, "seccomp filters", true, try_in(0, try_seccomp), "installed",
	    "no sandbox of level full", "use a kernel with CONFIG_SECCOMP_FILTER");
	snprintf(text, sizeof(text), "ABI %d%s", cay_landlock_abi(),
		 cay_landlock_abi() < 6 ? ", without scopes (Linux 6.12 has them)" : "");
	add(&r, "Landlock", false, try_in(0, try_landlock), text,
	    "one wall less behind the namespaces", "use Linux 5.19 or newer with lsm=landlock");
	probe_skeleton(&r, cache_dir);
	probe_cgroups(&r);
	return r.n;
}
