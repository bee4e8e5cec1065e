/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The skeleton layer: the folders of the host's /usr, /etc and so on, without the files, owned by
 * the sandbox's id. Placed above the host's layer in an overlay it makes every folder one in which
 * files can be created, replaced and removed, although the host's belong to an id that does not
 * exist inside. The one of /etc also holds the files that every sandbox
 * has of its own, and covers what is secret there (box/etc.h).
 *
 * It is built once for a state of the host (times of some folders and of the package data base) and
 * shared by all sandboxes:
 * CACHE_DIR/skeleton-<state>. On disk it belongs to the caller; if the
 * caller is root, to id 1000, which is mapped to the sandbox's id when it is mounted. Only folders
 * that everybody may read and enter are in it: others keep what the host says about them.
 *
 * Who uses one holds a shared lock on it (flock(2) on the descriptor), so that nobody removes it.
 */
#pragma once

#include "base/error.h"

/* Finds it, or builds it (once, half a second or so). *ret_path: where it is, owned; *ret_fd:
 * open and locked, owned by the caller, for as long as the sandbox lives. as_root: the caller is
 * privileged. On failure a sandbox is still possible, without it. */
int cay_skeleton_open(const char *cache_dir, bool as_root, int *ret_fd, char **ret_path,
		      struct cay_error *err) CAY_NODISCARD;
