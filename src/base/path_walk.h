/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openat2(2) for where there is none: old seccomp profiles of containers, emulators, valgrind. The path
 * is walked component by component with openat(2) and O_NOFOLLOW, symlinks are read and resolved as
 * text, and ".." goes back to a descriptor that the walk came through, so that no rename in between
 * leads out of the root. Slower than the kernel's, and with a bound on the depth (PATH_WALK_DEPTH_MAX).
 */
#pragma once

#include "base/path.h"

/* As cay_path_open(), whose fallback it is. -1 with errno. */
int cay_path_walk(int root_fd, const char *path, int flags, mode_t mode, enum cay_path_scope scope);
