/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces by clone3(2), id maps, loopback. Knows nothing of sandboxes. */
#include "kern/ns.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fd.h"

pid_t cay_ns_fork(uint64_t flags, int cgroup_fd, int *ret_pidfd)
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = flags | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	long pid;

	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
	}
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid > 0)
		*ret_pidfd = pidfd;
	return (pid_t)pid;
}

static int write_map(pid_t pid, const char *file, const char *text, struct cay_error *err)
{
	char path[64];
	size_t n = strlen(text);
	auto_close int fd = -1;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	else
		snprintf(path, sizeof(path), "/proc/self/%s", file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "open %s", path);
	if (write(fd, text, n) != (ssize_t)n)
		return cay_fail(err, CAY_E_SYSTEM, errno, "write '%s' to %s", text, path);
	return 0;
}

int cay_ns_write_maps(pid_t pid, const struct cay_ns_ids *ids, bool deny_setgroups,
		      struct cay_error *err)
{
	char text[64];

	snprintf(text, sizeof(text), "%u %u 1", ids->inside_uid, ids->outside_uid);
	if (write_map(pid, "uid_map", text, err) < 0)
		return -1;
	/* The kernel takes a gid_map of an unprivileged writer only after setgroups is denied. */
	if (deny_setgroups && write_map(pid, "setgroups", "deny", err) < 0)
		return -1;
	snprintf(text, sizeof(text), "%u %u 1", ids->inside_gid, ids->outside_gid);
	return write_map(pid, "gid_map", text, err);
}

static const char *const names[CAY_NS_COUNT] = {"user", "mnt",    "pid", "ipc",
						"uts",  "cgroup", "net"};

const char *cay_ns_name(size_t i)
{
	return names[i];
}

void cay_ns_read_own(uint64_t ids[CAY_NS_COUNT])
{
	char path[48], text[64];
	const char *colon;
	ssize_t n;

	for (size_t i = 0; i < CAY_NS_COUNT; i++) {
		ids[i] = 0;
		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		n = readlink(path, text, sizeof(text) - 1);
		if (n <= 0)
			continue;
		text[n] = '\0';
		colon = strchr(text, '[');
		if (colon)
			ids[i] = strtoull(colon + 1, NULL, 10);
	}
}

/* Shares memory with the caller, and so errno: it is written only where a call fails, and then the
 * caller fails as well. Instrumentation would take the foreign stack for an overflow. */
__attribute__((no_sanitize("address", "undefined"))) static int make_net(void *arg)
{
	struct cay_ns_net *net = arg;
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd;

	if (unshare(CLONE_NEWNET) < 0) {
		net->failure = errno;
		return 1;
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0) {
		net->failure = errno;
		return 1;
	}
	/* By way of the socket: the caller may have covered /proc by now. */
	net->fd = ioctl(fd, SIOCGSKNS);
	if (net->fd < 0)
		net->failure = errno;
	close(fd);
	return 0;
}

int cay_ns_net_start(struct cay_ns_net *net, struct cay_error *err)
{
	net->fd = -1;
	net->failure = 0;
	net->helper = clone(make_net, net->stack + sizeof(net->stack),
			    CLONE_VM | CLONE_FILES | SIGCHLD, net);
	if (net->helper < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "clone");
	return 0;
}

int cay_ns_net_join(struct cay_ns_net *net, struct cay_error *err)
{
	int status, result;

	while (waitpid(net->helper, &status, 0) < 0)
		if (errno != EINTR)
			return cay_fail(err, CAY_E_SYSTEM, errno, "wait for the helper");
	if (net->fd < 0)
		return cay_fail(err, CAY_E_SYSTEM, net->failure, "make a network namespace");
	result = setns(net->fd, CLONE_NEWNET);
	cay_cleanup_close(&net->fd);
	return result < 0 ? cay_fail(err, CAY_E_SYSTEM, errno, "setns") : 0;
}
