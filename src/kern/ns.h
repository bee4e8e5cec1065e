/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaces: making a process in new ones, and the id maps of a user namespace.
 * clone(2), namespaces(7), user_namespaces(7). Linux 5.7 (clone3 with CLONE_INTO_CGROUP).
 */
#pragma once

#include <sys/types.h>

#include "base/error.h"

/* fork(2) into the namespaces of `flags` (CLONE_NEW*). cgroup_fd: a cgroup v2 folder in which the
 * child is born, or -1. Returns the pid (0 in the child) and, in the parent, a pidfd (CLOEXEC); -1
 * with errno. The C library does not know of this fork: the child must not use threads, and only a
 * single-threaded process may call it. */
pid_t cay_ns_fork(uint64_t flags, int cgroup_fd, int *ret_pidfd);

/* One id inside for one id outside, of users and of groups. */
struct cay_ns_ids {
	uid_t inside_uid, outside_uid;
	gid_t inside_gid, outside_gid;
};

/* Writes the maps of the user namespace that `pid` (0: the caller) is in. deny_setgroups: needed
 * (and only right) where the writer has no privilege outside: the kernel then wants outside ids to
 * be the writer's own. */
int cay_ns_write_maps(pid_t pid, const struct cay_ns_ids *ids, bool deny_setgroups,
		      struct cay_error *err) CAY_NODISCARD;

/* The namespaces that a process can be told apart by, in the order of cay_ns_name(). */
enum { CAY_NS_COUNT = 7 };
const char *cay_ns_name(size_t i); /* "user", "mnt", "pid", ... */

/* Inode numbers of the caller's namespaces, through a procfs that shows the caller; 0 where it
 * cannot be read. */
void cay_ns_read_own(uint64_t ids[CAY_NS_COUNT]);

/*
 * A network namespace made beside other work: creating one takes the kernel as long as all the
 * mounts of a sandbox together, and needs nothing of them. A helper process that shares the
 * caller's memory and descriptors makes it, brings up loopback there (netdevice(7)) and ends.
 */
struct cay_ns_net {
	pid_t helper;
	int fd;      /* of the namespace, once the helper has ended; -1: it failed */
	int failure; /* errno */
	char stack[16384] __attribute__((aligned(16)));
};

/* The struct must stay where it is until join. The caller needs CAP_SYS_ADMIN in its user
 * namespace, and must have a procfs that shows it at /proc. */
int cay_ns_net_start(struct cay_ns_net *net, struct cay_error *err) CAY_NODISCARD;

/* Waits for the helper and moves the caller into the namespace. */
int cay_ns_net_join(struct cay_ns_net *net, struct cay_error *err) CAY_NODISCARD;
