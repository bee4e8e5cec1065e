/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock (landlock(7)): a second wall behind the namespaces. Two things namespaces cannot keep
 * apart:
 *
 * A process can reach a file of the host through a magic link of /proc, whatever its mounts are:
 * through /proc/self/exe the program that made the sandbox (CVE-2019-5736), through /proc/self/fd/0
 * the file that was given as its input. From now on files outside of the root can neither be
 * executed nor opened for writing, but for those that are named (its output, so that
 * "> /dev/stderr" works).
 *
 * Where the network namespace is the host's, abstract unix sockets are the host's too. From now on
 * none that was made outside can be connected to, and no process outside be signalled.
 */
#pragma once

#include "base/error.h"

/* The kernel's Landlock ABI, 0 where there is none. */
int cay_landlock_abi(void);

enum cay_landlock_state {
	CAY_LANDLOCK_NONE,
	CAY_LANDLOCK_FILES,  /* ABI 2, Linux 5.19: the rules on files */
	CAY_LANDLOCK_SCOPED, /* ABI 6, Linux 6.12: those on sockets and signals as well */
};

/* Files outside of the root that may be used nevertheless. */
struct cay_landlock_files {
	int output[3]; /* opened for writing again, if these are open for writing; -1: none */
	int exe;       /* executed; -1: none */
};

/* Locks the caller and all its future children into the folder root_fd. Needs no_new_privs. */
int cay_landlock_lock(int root_fd, const struct cay_landlock_files *files,
		      enum cay_landlock_state *ret_state, struct cay_error *err) CAY_NODISCARD;
