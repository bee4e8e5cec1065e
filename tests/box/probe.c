/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sandbox lets a program do, tried from inside: static, so that it runs in any root.
 *
 *	probe denied            tries every call that the table denies; prints those that answer otherwise
 *	probe tested            the calls that are allowed in part: prints "what errno"
 *	probe int80             a call in the convention of i386
 *	probe sti               TIOCSTI on standard input: prints errno
 *	probe abstract NAME     connects to an abstract unix socket: prints errno
 *	probe ls|cat|write|stat PATH...
 *	probe open-writable ROOT...   prints what below can be opened for writing
 */
#include <asm/unistd.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../tools/seccomp_numbers.h"

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

struct denied {
	const char *name, *number;
	int error;
};

#define CAY_SECCOMP_ALLOW(call)
#define CAY_SECCOMP_TEST(call, error, test, why)
#define CAY_SECCOMP_DENY(call, error, why) {#call, TEXT(__NR_##call), error},
static const struct denied denied[] = {
#include "kern/seccomp_rules.def"
};

static int try_denied(void)
{
	size_t tried = 0;
	char *end;

	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++) {
		long nr = strtol(denied[i].number, &end, 10);

		if (*end)
			continue;
		tried++;
		errno = 0;
		if (syscall(nr, 0, 0, 0, 0, 0, 0) != -1 || errno != denied[i].error)
			printf("%s: %s\n", denied[i].name, strerrorname_np(errno));
	}
	/* Numbers that no table has. */
	errno = 0;
	if (syscall(1000) != -1 || errno != ENOSYS)
		printf("1000: %s\n", strerrorname_np(errno));
#ifdef __x86_64__
	errno = 0;
	if (syscall(0x40000000 | SYS_getpid) != -1 || errno != ENOSYS)
		printf("x32: %s\n", strerrorname_np(errno));
#endif
	printf("tried %zu\n", tried);
	return 0;
}

static void report(const char *what, long value, long result)
{
	printf("%s %#lx %s\n", what, value, result < 0 ? strerrorname_np(errno) : "ok");
}

static void try_sockets(void)
{
	for (int family = 1; family < 48; family++) {
		int fd = socket(family, SOCK_DGRAM, 0);

		report("socket", family, fd);
		if (fd >= 0)
			close(fd);
	}
	for (int protocol = 0; protocol < 23; protocol++)
		report("netlink", protocol, socket(AF_NETLINK, SOCK_RAW, protocol));
}

static int try_tested(void)
{
	static const unsigned long flags[] = {
		CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
		CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET, 0x80 /* CLONE_NEWTIME */};
	static const unsigned long personalities[] = {0, 0x40000, 0x400000, 6, 0xffffffff};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		report("unshare", (long)flags[i], unshare((int)flags[i]));
		/* Garbage in the upper half does not help. */
		report("unshare", (long)(flags[i] | 1UL << 40),
		       syscall(SYS_unshare, flags[i] | 1UL << 40));
		if (flags[i] != 0x80) {
			long pid = syscall(SYS_clone, flags[i] | SIGCHLD, 0, 0, 0, 0);

			if (pid == 0)
				_exit(0);
			report("clone", (long)flags[i], pid);
		}
	}
	for (size_t i = 0; i < sizeof(personalities) / sizeof(personalities[0]); i++)
		report("personality", (long)personalities[i],
		       syscall(SYS_personality, personalities[i]));
	try_sockets();
	report("ioctl", TIOCSTI, ioctl(0, TIOCSTI, "x"));
	report("ioctl", TIOCLINUX, ioctl(0, TIOCLINUX, "\3"));
	report("ioctl", TIOCSTI | 1L << 40, syscall(SYS_ioctl, 0, TIOCSTI | 1L << 40, "x"));
	return 0;
}

static int try_int80(void)
{
#ifdef __x86_64__
	long result;

	/* getpid of i386. The filter kills. */
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory");
	printf("survived: %ld\n", result);
	return 0;
#else
	raise(SIGSYS);
	return 1;
#endif
}

static int connect_abstract(const char *name)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	socklen_t n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(addr.sun_path + 1, name, strlen(name));
	report("connect", fd, connect(fd, (struct sockaddr *)&addr, n));
	return 0;
}

static int list(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;

	if (!dir) {
		printf("%s: %s\n", path, strerrorname_np(errno));
		return 1;
	}
	while ((e = readdir(dir)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			printf("%s\n", e->d_name);
	closedir(dir);
	return 0;
}

static int cat(const char *path)
{
	char text[4096];
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0) {
		printf("%s: %s\n", path, strerrorname_np(errno));
		return 1;
	}
	while ((n = read(fd, text, sizeof(text))) > 0)
		if (write(1, text, (size_t)n) != n)
			return 1;
	return n < 0;
}

static int write_to(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0644);

	report(path, fd, fd < 0 ? -1 : write(fd, "x", 1));
	return 0;
}

static int stat_of(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0) {
		printf("%s: %s\n", path, strerrorname_np(errno));
		return 1;
	}
	printf("%s %o %u:%u\n", path, st.st_mode, st.st_uid, st.st_gid);
	return 0;
}

static int on_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	int fd;

	(void)ftw;
	if (type != FTW_F || !S_ISREG(st->st_mode))
		return 0;
	fd = open(path, O_WRONLY | O_NONBLOCK);
	if (fd >= 0) {
		printf("%s\n", path);
		close(fd);
	}
	return 0;
}

static int each(int (*what)(const char *path), char **paths)
{
	int status = 0;

	setvbuf(stdout, NULL, _IONBF, 0);
	for (; *paths; paths++)
		status |= what(*paths);
	return status;
}

static int open_writable(const char *root)
{
	return nftw(root, on_entry, 16, FTW_PHYS | FTW_MOUNT);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "denied"))
		return try_denied();
	if (!strcmp(what, "tested"))
		return try_tested();
	if (!strcmp(what, "int80"))
		return try_int80();
	if (!strcmp(what, "sti"))
		return report("ioctl", TIOCSTI, ioctl(0, TIOCSTI, "x")), 0;
	if (!strcmp(what, "abstract") && argc > 2)
		return connect_abstract(argv[2]);
	if (!strcmp(what, "ls"))
		return each(list, argv + 2);
	if (!strcmp(what, "cat"))
		return each(cat, argv + 2);
	if (!strcmp(what, "write"))
		return each(write_to, argv + 2);
	if (!strcmp(what, "stat"))
		return each(stat_of, argv + 2);
	if (!strcmp(what, "open-writable"))
		return each(open_writable, argv + 2);
	fprintf(stderr, "probe: what?\n");
	return 2;
}
