/* SPDX-License-Identifier: Apache-2.0 */
/* From a spec to steps. Pure: no system call below cay_plan_build. */
#include "box/plan.h"

#include <linux/sched.h>
#include <stdarg.h>
#include <string.h>

#include "base/agent_proto.h"
#include "box/etc.h"

static const char *const step_names[CAY_STEP_KINDS] = {
	[CAY_STEP_NAMESPACES] = "namespaces",
	[CAY_STEP_IDS] = "ids",
	[CAY_STEP_CGROUP] = "cgroup",
	[CAY_STEP_NETWORK] = "network",
	[CAY_STEP_JOIN_NETWORK] = "join network",
	[CAY_STEP_PRIVATE] = "private mounts",
	[CAY_STEP_BASE] = "tmpfs",
	[CAY_STEP_DIR] = "folder",
	[CAY_STEP_SYMLINK] = "symlink",
	[CAY_STEP_FILE] = "file",
	[CAY_STEP_HIDE] = "hide",
	[CAY_STEP_ROOT_HOST] = "root",
	[CAY_STEP_ROOT_LOWER] = "root overlay",
	[CAY_STEP_OVERLAY] = "overlay",
	[CAY_STEP_PROC] = "proc",
	[CAY_STEP_MASK_FILE] = "mask",
	[CAY_STEP_MASK_DIR] = "mask folder",
	[CAY_STEP_READ_ONLY] = "read-only",
	[CAY_STEP_SYSFS] = "sysfs",
	[CAY_STEP_SYS_HOST] = "host sysfs",
	[CAY_STEP_DEV] = "dev",
	[CAY_STEP_DEVICE] = "device",
	[CAY_STEP_DEVPTS] = "devpts",
	[CAY_STEP_WORKSPACE] = "workspace",
	[CAY_STEP_PIVOT] = "pivot",
	[CAY_STEP_HOSTNAME] = "hostname",
	[CAY_STEP_SESSION] = "session",
	[CAY_STEP_LIMITS] = "limits",
	[CAY_STEP_NO_NEW_PRIVS] = "no new privileges",
	[CAY_STEP_LANDLOCK] = "landlock",
	[CAY_STEP_CAPS] = "capabilities",
	[CAY_STEP_SECCOMP] = "seccomp",
};

const char *cay_step_name(enum cay_step_kind kind)
{
	return step_names[kind];
}

/* ---- tables ---- */

struct row {
	enum cay_step_kind kind;
	const char *target, *source;
	unsigned mode;
	const char *reason;
};

static const struct row dev_rows[] = {
	{CAY_STEP_DIR, "/dev/pts", NULL, 0755, "terminals of the sandbox's own"},
	{CAY_STEP_DIR, "/dev/shm", NULL, 01777, "POSIX shared memory"},
	{CAY_STEP_SYMLINK, "/dev/ptmx", "pts/ptmx", 0, "the multiplexer of the own instance"},
	{CAY_STEP_SYMLINK, "/dev/fd", "/proc/self/fd", 0, "programs expect it"},
	{CAY_STEP_SYMLINK, "/dev/stdin", "/proc/self/fd/0", 0, "programs expect it"},
	{CAY_STEP_SYMLINK, "/dev/stdout", "/proc/self/fd/1", 0, "programs expect it"},
	{CAY_STEP_SYMLINK, "/dev/stderr", "/proc/self/fd/2", 0, "programs expect it"},
};

static const struct row device_rows[] = {
	{CAY_STEP_DEVICE, "/dev/null", "/dev/null", 0, "harmless, and programs need it"},
	{CAY_STEP_DEVICE, "/dev/zero", "/dev/zero", 0, "harmless, and programs need it"},
	{CAY_STEP_DEVICE, "/dev/full", "/dev/full", 0, "harmless, and tests need it"},
	{CAY_STEP_DEVICE, "/dev/random", "/dev/random", 0, "randomness"},
	{CAY_STEP_DEVICE, "/dev/urandom", "/dev/urandom", 0, "randomness"},
	{CAY_STEP_DEVICE, "/dev/tty", "/dev/tty", 0, "the process's own terminal, if it has one"},
};

static const struct row tree_rows[] = {
	{CAY_STEP_DIR, "/home", NULL, 0755, "no home of the host shows"},
	{CAY_STEP_DIR, CAY_AGENT_HOME, NULL, 0755, "home of the one user"},
	{CAY_STEP_DIR, "/tmp", NULL, 01777, "private"},
	{CAY_STEP_DIR, "/run", NULL, 0755, "no socket of the host shows"},
	{CAY_STEP_DIR, "/run/lock", NULL, 01777, "lock files"},
	{CAY_STEP_DIR, "/workspace", NULL, 0755, "where the work is"},
	{CAY_STEP_DIR, "/proc", NULL, 0555, "mount point"},
	{CAY_STEP_DIR, "/sys", NULL, 0555, "mount point"},
};

static const struct row host_tree_rows[] = {
	{CAY_STEP_DIR, "/mnt", NULL, 0755, "empty"},
	{CAY_STEP_DIR, "/srv", NULL, 0755, "empty"},
	{CAY_STEP_DIR, "/var", NULL, 0755, "nothing of the host's /var shows"},
	{CAY_STEP_DIR, "/var/tmp", NULL, 01777, "private"},
	{CAY_STEP_DIR, "/var/log", NULL, 0755, "private"},
	{CAY_STEP_DIR, "/var/lib", NULL, 0755, "private"},
	{CAY_STEP_DIR, "/var/cache", NULL, 0755, "private"},
	{CAY_STEP_SYMLINK, "/var/run", "/run", 0, "as everywhere"},
	{CAY_STEP_SYMLINK, "/var/lock", "/run/lock", 0, "as everywhere"},
};

/* What of /proc tells about the machine, or acts on it. (peers: moby's lists.) */
static const struct row proc_rows[] = {
	{CAY_STEP_MASK_FILE, "/proc/kcore", NULL, 0, "the kernel's memory"},
	{CAY_STEP_MASK_FILE, "/proc/keys", NULL, 0, "keys of the host's user"},
	{CAY_STEP_MASK_FILE, "/proc/latency_stats", NULL, 0, "the host's timing"},
	{CAY_STEP_MASK_FILE, "/proc/timer_list", NULL, 0, "the host's timers"},
	{CAY_STEP_MASK_FILE, "/proc/timer_stats", NULL, 0, "the host's timers"},
	{CAY_STEP_MASK_FILE, "/proc/sched_debug", NULL, 0, "the host's processes"},
	{CAY_STEP_MASK_FILE, "/proc/interrupts", NULL, 0, "the host's devices; keystroke timing"},
	{CAY_STEP_MASK_DIR, "/proc/acpi", NULL, 0, "the host's hardware"},
	{CAY_STEP_MASK_DIR, "/proc/asound", NULL, 0, "the host's hardware"},
	{CAY_STEP_MASK_DIR, "/proc/scsi", NULL, 0, "the host's hardware; acts on it"},
	{CAY_STEP_READ_ONLY, "/proc/bus", NULL, 0, "acts on the host's devices"},
	{CAY_STEP_READ_ONLY, "/proc/fs", NULL, 0, "acts on the host's file systems"},
	{CAY_STEP_READ_ONLY, "/proc/irq", NULL, 0, "acts on the host's interrupts"},
	{CAY_STEP_READ_ONLY, "/proc/sys", NULL, 0, "the kernel's settings"},
	{CAY_STEP_READ_ONLY, "/proc/sysrq-trigger", NULL, 0, "crashes and reboots the host"},
};

static const struct row sys_rows[] = {
	{CAY_STEP_MASK_DIR, "/sys/firmware", NULL, 0, "the host's firmware tables"},
	{CAY_STEP_MASK_DIR, "/sys/devices/virtual/powercap", NULL, 0,
	 "power use tells what others compute"},
	{CAY_STEP_MASK_DIR, "/sys/devices/virtual/dmi", NULL, 0, "serial numbers of the machine"},
	{CAY_STEP_MASK_DIR, "/sys/fs/cgroup", NULL, 0, "the host's control groups"},
};

#define SYS_CPU "/sys/devices/system/cpu"

static const struct row sys_dir_rows[] = {
	{CAY_STEP_DIR, "/sys/devices", NULL, 0755, "mount point"},
	{CAY_STEP_DIR, "/sys/devices/system", NULL, 0755, "mount point"},
	{CAY_STEP_DIR, SYS_CPU, NULL, 0755, "mount point"},
};

/* ---- building ---- */

struct builder {
	struct cay_plan *plan;
	bool overflow;
};

static struct cay_step *add(struct builder *b, enum cay_step_kind kind, const char *source,
			    const char *target, const char *reason)
{
	static struct cay_step nowhere;
	struct cay_step *step = &nowhere;

	if (b->plan->n < CAY_PLAN_STEPS_MAX)
		step = &b->plan->steps[b->plan->n++];
	else
		b->overflow = true;
	*step = (struct cay_step){
		.kind = kind, .source = source, .target = target, .reason = reason};
	return step;
}

static void add_rows(struct builder *b, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct cay_step *step =
			add(b, rows[i].kind, rows[i].source, rows[i].target, rows[i].reason);

		step->value = rows[i].mode;
		step->optional = rows[i].kind == CAY_STEP_MASK_FILE ||
				 rows[i].kind == CAY_STEP_MASK_DIR ||
				 rows[i].kind == CAY_STEP_READ_ONLY;
	}
}

static const char *keep(struct builder *b, const char *fmt, ...) CAY_PRINTF(2, 3);

static const char *keep(struct builder *b, const char *fmt, ...)
{
	struct cay_plan *plan = b->plan;
	size_t room = CAY_PLAN_TEXT_MAX - plan->text_n;
	char *at = plan->text + plan->text_n;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(at, room, fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= room) {
		b->overflow = true;
		return "";
	}
	plan->text_n += (size_t)n + 1;
	return at;
}

static void add_dir(struct builder *b, const char *target, unsigned mode, const char *reason)
{
	add(b, CAY_STEP_DIR, NULL, target, reason)->value = mode;
}

static void plan_process(struct builder *b, const struct cay_box_spec *spec)
{
	b->plan->namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC |
			      CLONE_NEWUTS | CLONE_NEWCGROUP;
	add(b, CAY_STEP_NAMESPACES, NULL, NULL,
	    "own users, mounts, processes, IPC, names and cgroups")
		->value = b->plan->namespaces;
	if (spec->memory_bytes || spec->pids || spec->cpus > 0)
		add(b, CAY_STEP_CGROUP, NULL, NULL, "limits for all processes together");
	add(b, CAY_STEP_IDS, NULL, NULL,
	    "one unprivileged id inside and outside; root of the host has no id inside");
	/* As early as it can be, because it takes longest. */
	if (spec->net != CAY_BOX_NET_HOST)
		add(b, CAY_STEP_NETWORK, NULL, NULL,
		    "own network namespace, with loopback only; made beside the steps below");
	/* Before any mount: otherwise ours would show on the host, where mounts are shared. */
	add(b, CAY_STEP_PRIVATE, NULL, "/", "no mount of ours reaches the host");
}

static void plan_etc(struct builder *b, const struct cay_box_spec *spec,
		     const struct cay_host *host, bool has_skeleton)
{
	for (const struct cay_etc_file *f = cay_etc_files; f->name && !has_skeleton; f++)
		add(b, CAY_STEP_FILE, f->content, keep(b, "/etc/%s", f->name), f->reason);
	add(b, CAY_STEP_FILE, keep(b, "%s\n", spec->name), "/etc/hostname", "its own name");
	add(b, CAY_STEP_FILE,
	    keep(b, "127.0.0.1\tlocalhost %s\n::1\tlocalhost ip6-localhost ip6-loopback\n",
		 spec->name),
	    "/etc/hosts", "its own names, not the host's network");
	add(b, CAY_STEP_FILE,
	    spec->net == CAY_BOX_NET_HOST && host->resolv_conf ? host->resolv_conf : "",
	    "/etc/resolv.conf",
	    spec->net == CAY_BOX_NET_HOST ? "the host's network is used" : "there is no network");
}

/* The host's folders, each an overlay of its own; what is a symlink on the host is one here. */
static void plan_host_dirs(struct builder *b, const struct cay_host *host, bool links)
{
	for (size_t i = 0; i < CAY_HOST_DIRS; i++) {
		const char *path;

		if (host->dirs[i].kind == CAY_HOST_ABSENT)
			continue;
		path = keep(b, "/%s", host->dirs[i].name);
		if (links && host->dirs[i].kind == CAY_HOST_LINK)
			add(b, CAY_STEP_SYMLINK, host->dirs[i].link, path, "as on the host");
		else if (links)
			add_dir(b, path, 0755, "of the host, or empty as there");
		else if (host->dirs[i].kind == CAY_HOST_DIR)
			add(b, CAY_STEP_OVERLAY, path, path,
			    "the host's, read-only, below a layer that takes the writes");
	}
}

/* Without a skeleton layer the secrets' names are covered in the writable layer of /etc itself; only
 * those at the top, as the folders of the others are not in that layer. */
static void plan_hidden(struct builder *b)
{
	const char *const *hidden = cay_etc_hidden;

	for (; *hidden; hidden++)
		if (!strchr(*hidden, '/'))
			add(b, CAY_STEP_HIDE, NULL, keep(b, "/etc/%s", *hidden),
			    "a secret of the host: covered");
}

static void plan_root(struct builder *b, const struct cay_box_spec *spec,
		      const struct cay_host *host, bool has_skeleton)
{
	add(b, CAY_STEP_BASE, NULL, NULL,
	    "everything written is in memory, bounded, and gone at the end")
		->value = spec->memory_bytes;
	if (b->plan->root_is_overlay) {
		add_dir(b, "/etc", 0755, "for the files below");
		add_dir(b, "/dev", 0755, "devices of our choice");
	} else {
		plan_host_dirs(b, host, true);
		add_rows(b, host_tree_rows, CAY_LEN(host_tree_rows));
		add_dir(b, "/dev", 0755, "devices of our choice");
	}
	add_rows(b, tree_rows, CAY_LEN(tree_rows));
	if (spec->net == CAY_BOX_NET_HOST)
		add_rows(b, sys_dir_rows, CAY_LEN(sys_dir_rows));
	add_rows(b, dev_rows, CAY_LEN(dev_rows));
	for (size_t i = 0; i < CAY_LEN(device_rows); i++)
		add(b, CAY_STEP_FILE, "", device_rows[i].target, "mount point");
	plan_etc(b, spec, host, has_skeleton);
	if (!b->plan->root_is_overlay && !has_skeleton)
		plan_hidden(b);
	if (b->plan->root_is_overlay) {
		add(b, CAY_STEP_ROOT_LOWER, spec->rootfs, "/",
		    "the given folder, read-only, below a layer that takes the writes");
	} else {
		add(b, CAY_STEP_ROOT_HOST, NULL, "/", "only what is listed here exists");
		plan_host_dirs(b, host, false);
	}
}

static void plan_kernel_files(struct builder *b, const struct cay_box_spec *spec)
{
	if (b->plan->root_is_overlay)
		add(b, CAY_STEP_DEV, NULL, "/dev", "nothing of the given root's /dev shows");
	add_rows(b, device_rows, CAY_LEN(device_rows));
	add(b, CAY_STEP_DEVPTS, NULL, "/dev/pts", "terminals that nobody outside can name");
	add(b, CAY_STEP_PROC, NULL, "/proc", "shows the sandbox's own processes only");
	add_rows(b, proc_rows, CAY_LEN(proc_rows));
	/* The kernel shows a sysfs only to who owns the network namespace. */
	if (spec->net == CAY_BOX_NET_HOST) {
		add(b, CAY_STEP_SYS_HOST, SYS_CPU, SYS_CPU,
		    "how many CPUs there are; no more of it");
	} else {
		/* Before /sys, which shows the network namespace of who mounts it; and before the
		 * host's /proc goes, through which the namespace is found. */
		add(b, CAY_STEP_JOIN_NETWORK, NULL, NULL, "the only network there is");
		add(b, CAY_STEP_SYSFS, NULL, "/sys", "read-only; of the own network namespace");
		add_rows(b, sys_rows, CAY_LEN(sys_rows));
	}
}

/* The order matters here more than anywhere. */
static void plan_locks(struct builder *b, const struct cay_box_spec *spec)
{
	/* Needs CAP_SYS_ADMIN in the namespaces: before capabilities go. */
	add(b, CAY_STEP_PIVOT, NULL, "/", "the host's tree is gone from view, not merely hidden");
	add(b, CAY_STEP_HOSTNAME, spec->name, NULL, "its own name");
	add(b, CAY_STEP_SESSION, NULL, NULL,
	    "no terminal and no keyring of the caller's can be reached");
	add(b, CAY_STEP_LIMITS, NULL, NULL, "no core files; bounded descriptors and processes");
	add(b, CAY_STEP_CAPS, NULL, NULL, "no privilege, not even inside");
	/* Landlock and seccomp want either a privilege or this. */
	add(b, CAY_STEP_NO_NEW_PRIVS, NULL, NULL, "no setuid program can give any back");
	add(b, CAY_STEP_LANDLOCK, NULL, NULL,
	    "no file outside of the root can be executed or written, whatever /proc links to; no "
	    "signal or abstract socket crosses");
	/* Last: the filter forbids what the steps above do. */
	add(b, CAY_STEP_SECCOMP, NULL, NULL, "less of the kernel can be reached");
}

int cay_plan_build(const struct cay_box_spec *spec, const struct cay_host *host, bool has_skeleton,
		   struct cay_plan *ret, struct cay_error *err)
{
	struct builder b = {.plan = ret};

	ret->n = ret->text_n = 0;
	ret->root_is_overlay = spec->rootfs != NULL;
	plan_process(&b, spec);
	plan_root(&b, spec, host, has_skeleton);
	plan_kernel_files(&b, spec);
	if (spec->workspace)
		add(&b, CAY_STEP_WORKSPACE, spec->workspace, "/workspace",
		    spec->workspace_read_only ? "the given folder, read-only"
					      : "the given folder; its files keep their owner")
			->value = spec->workspace_read_only;
	plan_locks(&b, spec);
	if (b.overflow)
		return cay_fail(err, CAY_E_INTERNAL, 0, "the plan is longer than %d steps",
				CAY_PLAN_STEPS_MAX);
	return 0;
}
