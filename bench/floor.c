/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor: the least program that makes the same system calls as a sandbox of level full with the
 * host's root (same namespaces, mounts, overlays, filter, capabilities), runs /bin/true in it and
 * takes it down. No checks, no report, no options, no ids of its own: what is left above it is
 * cay's own cost. `cay bench` runs it in turn with the engine.
 *
 *	floor [-n TIMES] [-x FEATURE[,FEATURE...]]    FEATURE: net overlay seccomp masks caps landlock
 *
 * Prints {"n", "p50_ns", "p99_ns", "samples_ns": [...]}.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "seccomp_program.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

enum { TIMES_MAX = 100000 };

static struct features {
	bool net, overlay, seccomp, masks, caps, landlock;
} with = {true, true, true, true, true, true};

static void check(long result, const char *what)
{
	if (result < 0)
		err(1, "%s", what);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	check(fd, path);
	check(write(fd, text, strlen(text)), path);
	close(fd);
}

static void attach(int fd, int dir_fd, const char *path)
{
	check(fd, path);
	check(move_mount(fd, "", dir_fd, path, MOVE_MOUNT_F_EMPTY_PATH), path);
}

static int new_fs(const char *type, unsigned attrs, const char *const *options)
{
	int fs = fsopen(type, FSOPEN_CLOEXEC), fd;

	check(fs, type);
	for (; options && *options; options += 2)
		check(fsconfig(fs, options[1] ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, options[0],
			       options[1], 0),
		      options[0]);
	check(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), type);
	fd = fsmount(fs, FSMOUNT_CLOEXEC, attrs);
	close(fs);
	return fd;
}

static int copy(int dir_fd, const char *path, unsigned attrs)
{
	int fd = open_tree(dir_fd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	struct mount_attr attr = {.attr_set = attrs};

	if (fd >= 0 && attrs)
		check(mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)), path);
	return fd;
}

/* ---- the steps ---- */

static const unsigned nothing = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

static void write_maps(uid_t uid, gid_t gid)
{
	char text[32];

	snprintf(text, sizeof(text), "1000 %u 1", uid);
	write_file("/proc/self/uid_map", text);
	write_file("/proc/self/setgroups", "deny");
	snprintf(text, sizeof(text), "1000 %u 1", gid);
	write_file("/proc/self/gid_map", text);
}

static void make_tree(int *ret_root)
{
	static const char *const dirs[] = {
		"root",          "mask",      "mask/dir",       "root/usr",     "root/etc",
		"root/opt",      "root/home", "root/home/c",    "root/tmp",     "root/run",
		"root/run/lock", "root/proc", "root/sys",       "root/dev",     "root/dev/pts",
		"root/dev/shm",  "root/var",  "root/var/tmp",   "root/var/log", "root/var/lib",
		"root/mnt",      "root/srv",  "root/workspace", "usr.up",       "usr.work",
		"etc.up",        "etc.work",  "opt.up",         "opt.work",
	};
	static const char *const links[][2] = {
		{"usr/bin", "root/bin"},
		{"usr/sbin", "root/sbin"},
		{"usr/lib", "root/lib"},
		{"usr/lib64", "root/lib64"},
		{"pts/ptmx", "root/dev/ptmx"},
		{"/proc/self/fd", "root/dev/fd"},
		{"/proc/self/fd/0", "root/dev/stdin"},
		{"/proc/self/fd/1", "root/dev/stdout"},
		{"/proc/self/fd/2", "root/dev/stderr"},
		{"/run", "root/var/run"},
	};
	static const char *const files[] = {
		"mask/file",       "etc.up/passwd",        "etc.up/group",       "etc.up/hosts",
		"etc.up/hostname", "etc.up/nsswitch.conf", "etc.up/resolv.conf", "root/dev/null",
		"root/dev/zero",   "root/dev/full",        "root/dev/random",    "root/dev/urandom",
		"root/dev/tty",
	};
	int base;

	check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
	base = new_fs("tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
		      (const char *[]){"mode", "0755", NULL});
	attach(base, AT_FDCWD, "/");
	check(fchdir(base), "fchdir");
	for (size_t i = 0; i < LEN(dirs); i++)
		check(mkdir(dirs[i], 0755), dirs[i]);
	for (size_t i = 0; i < LEN(links); i++)
		check(symlink(links[i][0], links[i][1]), links[i][1]);
	for (size_t i = 0; i < LEN(files); i++)
		write_file(files[i], "x");
	attach(copy(AT_FDCWD, "mask", nothing | MOUNT_ATTR_RDONLY), AT_FDCWD, "mask");
	*ret_root = copy(AT_FDCWD, "root", 0);
	attach(*ret_root, AT_FDCWD, "root");
}

static void mount_overlays(int root)
{
	static const char *const names[] = {"usr", "etc", "opt"};
	char lower[16], up[16], work[16];

	for (size_t i = 0; i < LEN(names); i++) {
		const char *options[] = {"lowerdir", lower,       "upperdir", up,  "workdir",
					 work,       "userxattr", NULL,       NULL};

		snprintf(lower, sizeof(lower), "/%s", names[i]);
		snprintf(up, sizeof(up), "%s.up", names[i]);
		snprintf(work, sizeof(work), "%s.work", names[i]);
		if (with.overlay)
			attach(new_fs("overlay", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, options),
			       root, names[i]);
		else
			attach(copy(AT_FDCWD, lower, 0), root, names[i]);
	}
}

static void cover(int fs, bool is_dir, const char *path)
{
	int fd;

	if (faccessat(fs, path, F_OK, 0) < 0)
		return;
	fd = copy(AT_FDCWD, is_dir ? "mask/dir" : "mask/file", 0);
	attach(fd, fs, path);
	close(fd);
}

static void mount_kernel_files(int root)
{
	static const char *const devices[] = {"/dev/null",   "/dev/zero",    "/dev/full",
					      "/dev/random", "/dev/urandom", "/dev/tty"};
	static const char *const files[] = {"kcore", "keys", "timer_list", "interrupts"};
	static const char *const dirs[] = {"acpi", "asound", "scsi"};
	static const char *const read_only[] = {"bus", "fs", "irq", "sys", "sysrq-trigger"};
	static const char *const of_sys[] = {"firmware", "devices/virtual/powercap",
					     "devices/virtual/dmi", "fs/cgroup"};
	int proc, sys = -1, fd;

	for (size_t i = 0; i < LEN(devices); i++) {
		fd = copy(AT_FDCWD, devices[i], 0);
		attach(fd, root, devices[i] + 1);
		close(fd);
	}
	attach(new_fs("devpts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
		      (const char *[]){"newinstance", NULL, "ptmxmode", "0666", NULL}),
	       root, "dev/pts");
	proc = new_fs("proc", nothing, NULL);
	attach(proc, root, "proc");
	if (with.net) {
		sys = new_fs("sysfs", nothing | MOUNT_ATTR_RDONLY, NULL);
		attach(sys, root, "sys");
	}
	for (size_t i = 0; with.masks && i < LEN(files); i++)
		cover(proc, false, files[i]);
	for (size_t i = 0; with.masks && i < LEN(dirs); i++)
		cover(proc, true, dirs[i]);
	for (size_t i = 0; with.masks && i < LEN(read_only); i++) {
		fd = copy(proc, read_only[i], nothing | MOUNT_ATTR_RDONLY);
		if (fd >= 0)
			attach(fd, proc, read_only[i]);
		close(fd);
	}
	for (size_t i = 0; with.masks && with.net && i < LEN(of_sys); i++)
		cover(sys, true, of_sys[i]);
}

static void enter(int root)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd;

	check(fchdir(root), "fchdir");
	check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	check(umount2(".", MNT_DETACH), "umount");
	check(umount2(".", MNT_DETACH), "umount");
	check(chdir("/"), "chdir");
	check(sethostname("floor", 5), "sethostname");
	if (!with.net)
		return;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	check(ioctl(fd, SIOCSIFFLAGS, &lo), "lo");
	close(fd);
}

static void lock(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
	struct sock_fprog filter = {.len = LEN(program),
				    .filter = (struct sock_filter *)(uintptr_t)program};
	const uint64_t scopes[3] = {0, 0, 3};
	int fd;

	check(setsid(), "setsid");
	syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	setrlimit(RLIMIT_NPROC, &(struct rlimit){4096, 4096});
	for (int cap = 0; with.caps && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	if (with.caps)
		check(syscall(SYS_capset, &header, none), "capset");
	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	if (with.landlock) {
		fd = (int)syscall(SYS_landlock_create_ruleset, scopes, sizeof(scopes), 0);
		if (fd >= 0)
			syscall(SYS_landlock_restrict_self, fd, 0);
		close(fd);
	}
	if (with.seccomp)
		check(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter), "seccomp");
}

static void run_true(void)
{
	static const char *const argv[] = {"/bin/true", NULL};
	static const char *const env[] = {"PATH=/bin", NULL};
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		setsid();
		execve(argv[0], (char **)(uintptr_t)argv, (char **)(uintptr_t)env);
		_exit(127);
	}
	while (waitpid(-1, &status, 0) != pid)
		;
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

static void child(uid_t uid, gid_t gid)
{
	int root;

	write_maps(uid, gid);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	make_tree(&root);
	mount_overlays(root);
	mount_kernel_files(root);
	enter(root);
	lock();
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	close_range(3, ~0U, 0);
	run_true();
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t cycle(void)
{
	uint64_t start = now_ns();
	struct clone_args args = {
		.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
			 CLONE_NEWCGROUP | (with.net ? CLONE_NEWNET : 0),
		.exit_signal = SIGCHLD,
	};
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int status;
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	check(pid, "clone3");
	if (pid == 0)
		child(uid, gid);
	check(waitpid(pid, &status, 0), "waitpid");
	if (status)
		errx(1, "the child ended with status %d", status);
	return now_ns() - start;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void leave_out(const char *list)
{
	with.net = !strstr(list, "net");
	with.overlay = !strstr(list, "overlay");
	with.seccomp = !strstr(list, "seccomp");
	with.masks = !strstr(list, "masks");
	with.caps = !strstr(list, "caps");
	with.landlock = !strstr(list, "landlock");
}

int main(int argc, char **argv)
{
	size_t n = 100;
	uint64_t *ns;
	int option;

	while ((option = getopt(argc, argv, "n:x:")) != -1) {
		if (option == 'n')
			n = strtoul(optarg, NULL, 10);
		else if (option == 'x')
			leave_out(optarg);
		else
			return 2;
	}
	if (n < 1 || n > TIMES_MAX)
		errx(2, "-n: between 1 and %d", TIMES_MAX);
	ns = calloc(n, sizeof(*ns));
	if (!ns)
		err(1, "calloc");
	for (size_t i = 0; i < n; i++)
		ns[i] = cycle();
	qsort(ns, n, sizeof(*ns), compare);
	printf("{\"n\": %zu, \"p50_ns\": %llu, \"p99_ns\": %llu, \"samples_ns\": [", n,
	       (unsigned long long)ns[n / 2], (unsigned long long)ns[n * 99 / 100]);
	for (size_t i = 0; i < n; i++)
		printf("%s%llu", i ? ", " : "", (unsigned long long)ns[i]);
	printf("]}\n");
	free(ns);
	return 0;
}
