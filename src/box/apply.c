/* SPDX-License-Identifier: Apache-2.0 */
/* The privileged path: one function a kind of step. The order of the steps is the plan's (plan.c),
 * with the reasons for it there. Nothing here allocates or keeps what it opens longer than needed:
 * the process either becomes the sandbox or ends. */
#include "box/apply.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/text.h"
#include "kern/mount.h"
#include "kern/seccomp.h"

enum {
	ATTRS = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
	ATTRS_KERNEL = ATTRS | MOUNT_ATTR_NOEXEC,
};

struct work {
	struct cay_apply *in;
	const struct cay_plan *plan;
	const struct cay_step *step;
	bool etc_is_overlay, has_skeleton;
	int root_fd, dev_fd, proc_fd, sys_fd;
	struct cay_ns_net net;
	int workspace_fd, rootfs_fd; /* folders, opened before the working directory changes */
};

static int fail(struct cay_error *err, const char *what)
{
	return cay_fail(err, CAY_E_SETUP, errno, "%s", what);
}

/* ---- identity ---- */

static int apply_namespaces(struct work *w, struct cay_error *err)
{
	return 0; /* done: this process was born in them */
}

static int apply_ids(struct work *w, struct cay_error *err)
{
	const struct cay_ns_ids *ids = &w->in->ids;

	if (!w->in->maps_written) {
		if (cay_ns_write_maps(0, ids, true, err) < 0)
			return -1;
	} else if (setgroups(0, NULL) < 0 ||
		   setresgid(ids->inside_gid, ids->inside_gid, ids->inside_gid) < 0 ||
		   setresuid(ids->inside_uid, ids->inside_uid, ids->inside_uid) < 0) {
		return fail(err, "take the sandbox's id");
	}
	/* From here on nobody can look into this process, which holds memory of its parent: also
	 * not the command, which will have the same id. (Not earlier: the maps are written
	 * through /proc/self, which would be closed to us.) */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return fail(err, "prctl PR_SET_DUMPABLE");
	if (getuid() != ids->inside_uid || getgid() != ids->inside_gid)
		return cay_fail(err, CAY_E_SETUP, 0, "the ids are %d:%d", (int)getuid(),
				(int)getgid());
	return 0;
}

static int apply_network(struct work *w, struct cay_error *err)
{
	return cay_ns_net_start(&w->net, err);
}

static int apply_join_network(struct work *w, struct cay_error *err)
{
	return cay_ns_net_join(&w->net, err);
}

/* ---- the file system ---- */

static int apply_private(struct work *w, struct cay_error *err)
{
	return cay_mount_make_private() < 0 ? fail(err, "make mounts private") : 0;
}

static int make_mask(struct cay_error *err)
{
	auto_close int fd = -1;

	if (mkdir("mask", 0755) < 0 || mkdir("mask/dir", 0555) < 0 ||
	    mknod("mask/file", S_IFREG | 0444, 0) < 0)
		return fail(err, "make what covers other things");
	fd = cay_mount_copy(AT_FDCWD, "mask", false);
	if (fd < 0 || cay_mount_set(fd, ATTRS_KERNEL | MOUNT_ATTR_RDONLY, false) < 0 ||
	    cay_mount_attach(fd, AT_FDCWD, "mask") < 0)
		return fail(err, "mount what covers other things");
	return 0;
}

/* A detached copy of a source: the parent's, or our own of a folder that we opened. */
static int take_source(const struct cay_source *source, int dir_fd)
{
	if (source->mount_fd >= 0)
		return fcntl(source->mount_fd, F_DUPFD_CLOEXEC, 0);
	return cay_mount_copy(dir_fd, "", true);
}

static int attach_source(const struct cay_source *source, const char *target, struct cay_error *err)
{
	auto_close int dir = -1;
	auto_close int fd = -1;

	if (source->mount_fd < 0) {
		dir = open(source->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0)
			return cay_fail(err, CAY_E_SETUP, errno, "open '%s'", source->path);
	}
	fd = take_source(source, dir);
	if (fd < 0 || mkdir(target, 0755) < 0 || cay_mount_attach(fd, AT_FDCWD, target) < 0)
		return cay_fail(err, CAY_E_SETUP, errno, "attach '%s'", source->path);
	return 0;
}

static int make_layer(const char *name, struct cay_error *err)
{
	char path[64];

	snprintf(path, sizeof(path), "%s.up", name);
	if (mkdir(path, 0755) < 0)
		return fail(err, "make a writable layer");
	snprintf(path, sizeof(path), "%s.work", name);
	return mkdir(path, 0755) < 0 ? fail(err, "make a writable layer") : 0;
}

static int apply_base(struct work *w, struct cay_error *err)
{
	char size[32];
	const struct cay_mount_option options[] = {
		{"mode", "0755"},
		{w->step->value ? "size" : NULL, size},
		{},
	};
	auto_close int fd = -1;

	snprintf(size, sizeof(size), "%llu", (unsigned long long)w->step->value);
	fd = cay_mount_new("tmpfs", options, ATTRS);
	/* Our root directory stays the host's tree: an absolute path means the host, a relative one
	 * the base. It covers the host's /proc, which is not needed any more, and not "/": so that the
	 * old root goes with a single umount later, as each waits for a grace period of RCU. */
	if (fd < 0 || cay_mount_attach(fd, AT_FDCWD, "/proc") < 0 || fchdir(fd) < 0)
		return fail(err, "mount a tmpfs");
	if (mkdir("root", 0755) < 0)
		return fail(err, "make the root folder");
	if (w->plan->root_is_overlay && (mkdir("dev", 0755) < 0 || make_layer("all", err) < 0))
		return fail(err, "make the root's writable layer");
	for (size_t i = 0; i < w->plan->n; i++) {
		const struct cay_step *step = &w->plan->steps[i];

		if (step->kind != CAY_STEP_OVERLAY)
			continue;
		if (make_layer(step->target + 1, err) < 0)
			return -1;
		w->etc_is_overlay |= !strcmp(step->target, "/etc");
	}
	return make_mask(err);
}

/* Where a file that we add is put before the root is mounted (see the drawing in plan.h). */
static const char *staged(const struct work *w, char *path, size_t max)
{
	const char *target = w->step->target;

	if (w->plan->root_is_overlay && cay_text_starts_with(target, "/dev/"))
		snprintf(path, max, "%s", target + 1);
	else if (w->plan->root_is_overlay)
		snprintf(path, max, "all.up%s", target);
	else if (w->etc_is_overlay && cay_text_starts_with(target, "/etc/"))
		snprintf(path, max, "etc.up/%s", target + strlen("/etc/"));
	else
		snprintf(path, max, "root%s", target);
	return path;
}

static int apply_dir(struct work *w, struct cay_error *err)
{
	char path[128];

	if (mkdir(staged(w, path, sizeof(path)), (mode_t)w->step->value) < 0 && errno != EEXIST)
		return fail(err, "mkdir");
	return 0;
}

static int apply_symlink(struct work *w, struct cay_error *err)
{
	char path[128];

	return symlink(w->step->source, staged(w, path, sizeof(path))) < 0 ? fail(err, "symlink")
									   : 0;
}

static int apply_file(struct work *w, struct cay_error *err)
{
	char path[128];
	auto_close int fd = open(staged(w, path, sizeof(path)),
				 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0 || cay_fd_write_all(fd, w->step->source, strlen(w->step->source)) < 0)
		return fail(err, "write");
	return 0;
}

static int apply_hide(struct work *w, struct cay_error *err)
{
	char path[128];

	/* How an overlay marks what its lower layers have and it has not; needs no privilege. */
	if (mknod(staged(w, path, sizeof(path)), S_IFCHR, makedev(0, 0)) < 0)
		return fail(err, "make a whiteout");
	return 0;
}

/* Attaches a finished root and keeps the descriptors through which all else is reached. */
static int enter_root(struct work *w, int root_fd, struct cay_error *err)
{
	if (root_fd < 0 || cay_mount_attach(root_fd, AT_FDCWD, "root") < 0)
		return fail(err, "mount the root");
	w->root_fd = root_fd;
	w->dev_fd = cay_path_open(root_fd, "dev", O_PATH | O_DIRECTORY, 0, CAY_PATH_NO_LINKS);
	return w->dev_fd < 0 ? fail(err, "open /dev of the root") : 0;
}

static int apply_root_host(struct work *w, struct cay_error *err)
{
	if (w->in->skeleton.path && attach_source(&w->in->skeleton, "skel", err) < 0)
		return -1;
	w->has_skeleton = w->in->skeleton.path != NULL;
	return enter_root(w, cay_mount_copy(AT_FDCWD, "root", false), err);
}

static int new_overlay(const char *lower, const char *name)
{
	char up[64], work[64];
	const struct cay_mount_option options[] = {
		{"lowerdir", lower}, {"upperdir", up}, {"workdir", work}, {"userxattr", NULL}, {},
	};

	snprintf(up, sizeof(up), "%s.up", name);
	snprintf(work, sizeof(work), "%s.work", name);
	return cay_mount_new("overlay", options, ATTRS);
}

static int apply_root_lower(struct work *w, struct cay_error *err)
{
	auto_close int fd = take_source(&w->in->rootfs, w->rootfs_fd);

	if (fd < 0 || mkdir("lower", 0755) < 0 || cay_mount_attach(fd, AT_FDCWD, "lower") < 0)
		return fail(err, "attach the given root");
	return enter_root(w, new_overlay("lower", "all"), err);
}

static int apply_overlay(struct work *w, struct cay_error *err)
{
	const char *name = w->step->target + 1;
	auto_close int fd = -1;
	char lower[128];

	if (w->has_skeleton)
		snprintf(lower, sizeof(lower), "skel/%s:%s", name, w->step->source);
	else
		snprintf(lower, sizeof(lower), "%s", w->step->source);
	fd = new_overlay(lower, name);
	if (fd < 0 && w->has_skeleton && errno == ENOENT)
		fd = new_overlay(w->step->source, name);
	if (fd < 0 || cay_mount_attach(fd, w->root_fd, name) < 0)
		return fail(err, "mount");
	return 0;
}

/* The folder through which a target is reached (one of ours, never a path of the root's), and the
 * rest of its path. */
static int locate(const struct work *w, const char **ret_rest)
{
	static const char *const prefixes[] = {"/dev/", "/proc/", "/sys/", "/"};
	const int fds[] = {w->dev_fd, w->proc_fd, w->sys_fd, w->root_fd};

	for (size_t i = 0; i < CAY_LEN(prefixes); i++) {
		if (fds[i] < 0 || !cay_text_starts_with(w->step->target, prefixes[i]))
			continue;
		*ret_rest = w->step->target + strlen(prefixes[i]);
		return fds[i];
	}
	errno = ENOENT;
	return -1;
}

static int attach(struct work *w, int fd, struct cay_error *err)
{
	const char *rest = NULL;
	int dir = locate(w, &rest);

	if (fd < 0 || cay_mount_attach(fd, dir, rest) < 0) {
		if (w->step->optional && errno == ENOENT)
			return 0;
		return fail(err, "mount");
	}
	return 0;
}

static int apply_proc(struct work *w, struct cay_error *err)
{
	int fd = cay_mount_new("proc", NULL, ATTRS_KERNEL);

	if (attach(w, fd, err) < 0)
		return cay_fail_hint(err, "inside a container /proc may be partly covered; there a "
					  "new one cannot be mounted (docker: --security-opt "
					  "systempaths=unconfined)");
	w->proc_fd = fd;
	return 0;
}

static int apply_sysfs(struct work *w, struct cay_error *err)
{
	int fd = cay_mount_new("sysfs", NULL, ATTRS_KERNEL | MOUNT_ATTR_RDONLY);

	if (attach(w, fd, err) < 0)
		return -1;
	w->sys_fd = fd;
	return 0;
}

static int apply_sys_host(struct work *w, struct cay_error *err)
{
	auto_close int fd = cay_mount_copy(AT_FDCWD, w->step->source, false);

	if (fd < 0 || cay_mount_set(fd, ATTRS_KERNEL | MOUNT_ATTR_RDONLY, false) < 0)
		return fail(err, "copy the mount");
	return attach(w, fd, err);
}

/* What this kernel does not have needs no cover. Looked at before the cover is made: to give up a
 * mount that was never attached costs a grace period of RCU. */
static int cover(struct work *w, const char *with, struct cay_error *err)
{
	const char *rest = NULL;
	int dir = locate(w, &rest);
	auto_close int fd = -1;

	if (faccessat(dir, rest, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;
	fd = cay_mount_copy(AT_FDCWD, with, false);
	return attach(w, fd, err);
}

static int apply_mask_file(struct work *w, struct cay_error *err)
{
	return cover(w, "mask/file", err);
}

static int apply_mask_dir(struct work *w, struct cay_error *err)
{
	return cover(w, "mask/dir", err);
}

static int apply_read_only(struct work *w, struct cay_error *err)
{
	const char *rest = NULL;
	int dir = locate(w, &rest);
	auto_close int fd = cay_mount_copy(dir, rest, false);

	if (fd < 0 && errno == ENOENT && w->step->optional)
		return 0;
	if (fd < 0 || cay_mount_set(fd, ATTRS_KERNEL | MOUNT_ATTR_RDONLY, false) < 0)
		return fail(err, "copy the mount");
	return attach(w, fd, err);
}

static int apply_dev(struct work *w, struct cay_error *err)
{
	int fd = cay_mount_copy(AT_FDCWD, "dev", false);

	if (fd < 0 || cay_mount_attach(fd, w->dev_fd, "") < 0)
		return fail(err, "mount");
	close(w->dev_fd);
	w->dev_fd = fd;
	return 0;
}

static int apply_device(struct work *w, struct cay_error *err)
{
	auto_close int fd = cay_mount_copy(AT_FDCWD, w->step->source, false);

	return attach(w, fd, err);
}

static int apply_devpts(struct work *w, struct cay_error *err)
{
	static const struct cay_mount_option options[] = {
		{"newinstance", NULL}, {"ptmxmode", "0666"}, {"mode", "0620"}, {}};
	auto_close int fd = cay_mount_new("devpts", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);

	return attach(w, fd, err);
}

static int apply_workspace(struct work *w, struct cay_error *err)
{
	auto_close int fd = take_source(&w->in->workspace, w->workspace_fd);
	uint64_t attrs = ATTRS | (w->step->value ? MOUNT_ATTR_RDONLY : 0);

	if (fd < 0 || cay_mount_set(fd, attrs, true) < 0)
		return fail(err, "copy the mount");
	return attach(w, fd, err);
}

static int apply_pivot(struct work *w, struct cay_error *err)
{
	return cay_mount_pivot(w->root_fd) < 0 ? fail(err, "pivot_root") : 0;
}

/* ---- locks ---- */

static int apply_hostname(struct work *w, struct cay_error *err)
{
	return sethostname(w->step->source, strlen(w->step->source)) < 0 ? fail(err, "sethostname")
									 : 0;
}

static int apply_session(struct work *w, struct cay_error *err)
{
	if (setsid() < 0)
		return fail(err, "setsid");
	/* May fail for want of quota or in a kernel without keys; keyctl is closed to the sandbox
	 * by the filter in any case. */
	syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0);
	return 0;
}

static int apply_limits(struct work *w, struct cay_error *err)
{
	umask(022);
	return cay_limits_apply(&w->in->limits, err);
}

static int apply_caps(struct work *w, struct cay_error *err)
{
	return cay_caps_drop_all(err);
}

static int apply_no_new_privs(struct work *w, struct cay_error *err)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? fail(err, "prctl") : 0;
}

static int apply_landlock(struct work *w, struct cay_error *err)
{
	auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return fail(err, "open the root");
	return cay_landlock_lock(root, &w->in->files, &w->in->facts->landlock, err);
}

static int apply_seccomp(struct work *w, struct cay_error *err)
{
	return cay_seccomp_install(err);
}

static int (*const functions[CAY_STEP_KINDS])(struct work *w, struct cay_error *err) = {
	[CAY_STEP_NAMESPACES] = apply_namespaces,
	[CAY_STEP_IDS] = apply_ids,
	[CAY_STEP_CGROUP] = apply_namespaces,
	[CAY_STEP_NETWORK] = apply_network,
	[CAY_STEP_PRIVATE] = apply_private,
	[CAY_STEP_BASE] = apply_base,
	[CAY_STEP_DIR] = apply_dir,
	[CAY_STEP_SYMLINK] = apply_symlink,
	[CAY_STEP_FILE] = apply_file,
	[CAY_STEP_HIDE] = apply_hide,
	[CAY_STEP_ROOT_HOST] = apply_root_host,
	[CAY_STEP_ROOT_LOWER] = apply_root_lower,
	[CAY_STEP_OVERLAY] = apply_overlay,
	[CAY_STEP_PROC] = apply_proc,
	[CAY_STEP_MASK_FILE] = apply_mask_file,
	[CAY_STEP_MASK_DIR] = apply_mask_dir,
	[CAY_STEP_READ_ONLY] = apply_read_only,
	[CAY_STEP_JOIN_NETWORK] = apply_join_network,
	[CAY_STEP_SYSFS] = apply_sysfs,
	[CAY_STEP_SYS_HOST] = apply_sys_host,
	[CAY_STEP_DEV] = apply_dev,
	[CAY_STEP_DEVICE] = apply_device,
	[CAY_STEP_DEVPTS] = apply_devpts,
	[CAY_STEP_WORKSPACE] = apply_workspace,
	[CAY_STEP_PIVOT] = apply_pivot,
	[CAY_STEP_HOSTNAME] = apply_hostname,
	[CAY_STEP_SESSION] = apply_session,
	[CAY_STEP_LIMITS] = apply_limits,
	[CAY_STEP_CAPS] = apply_caps,
	[CAY_STEP_NO_NEW_PRIVS] = apply_no_new_privs,
	[CAY_STEP_LANDLOCK] = apply_landlock,
	[CAY_STEP_SECCOMP] = apply_seccomp,
};

/* Opens a folder of the host that the child has to find by itself, and makes sure that it is the one
 * which the parent has checked. */
static int open_source(const struct cay_source *source, int *ret_fd, struct cay_error *err)
{
	auto_close int fd = -1;
	struct stat st;

	if (!source->path || source->mount_fd >= 0)
		return 0;
	fd = open(source->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return cay_fail(err, CAY_E_SETUP, errno, "open '%s'", source->path);
	if (st.st_dev != source->dev || st.st_ino != source->ino)
		return cay_fail(err, CAY_E_SETUP, 0, "'%s' has been replaced in the meantime",
				source->path);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* What is in force is asked of the kernel, not taken from the plan. */
static void read_facts(struct cay_facts *facts, bool all)
{
	facts->uid = getuid();
	facts->gid = getgid();
	facts->seccomp_mode = prctl(PR_GET_SECCOMP, 0, 0, 0, 0);
	facts->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	cay_caps_read(&facts->caps, all);
	if (all)
		cay_ns_read_own(facts->ns);
}

/* A lock that is not in force is a failure, whatever the calls have said. */
static int check_facts(const struct cay_facts *facts, struct cay_error *err)
{
	const struct cay_caps *caps = &facts->caps;

	if (facts->seccomp_mode != SECCOMP_MODE_FILTER || facts->no_new_privs != 1)
		return cay_fail(err, CAY_E_SETUP, 0, "the kernel shows no filter in force");
	if (caps->effective | caps->permitted | caps->inheritable | caps->bounding | caps->ambient)
		return cay_fail(err, CAY_E_SETUP, 0, "the kernel shows capabilities in force");
	return 0;
}

int cay_apply_plan(struct cay_apply *apply, struct cay_error *err)
{
	/* Not on the stack: it holds another one. */
	static struct work w;

	w = (struct work){
		.in = apply,
		.plan = apply->plan,
		.root_fd = -1,
		.dev_fd = -1,
		.proc_fd = -1,
		.sys_fd = -1,
		.workspace_fd = -1,
		.rootfs_fd = -1,
	};
	umask(0);
	if (open_source(&apply->workspace, &w.workspace_fd, err) < 0 ||
	    open_source(&apply->rootfs, &w.rootfs_fd, err) < 0)
		return -1;
	for (size_t i = 0; i < w.plan->n; i++) {
		w.step = &w.plan->steps[i];
		if (functions[w.step->kind](&w, err) < 0) {
			err->code = CAY_E_SETUP;
			return cay_fail_in(err, "%s%s%s", cay_step_name(w.step->kind),
					   w.step->target ? " " : "",
					   w.step->target ? w.step->target : "");
		}
	}
	read_facts(apply->facts, apply->want_facts);
	return check_facts(apply->facts, err);
}
