/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths that come from outside. Nothing here joins strings and hopes: a path is checked as text and
 * then resolved by the kernel with openat2(2) beneath a root descriptor, so that neither "..", nor
 * a symlink, nor a racing rename can lead out of it. Work goes on by descriptor from there.
 */
#pragma once

#include <sys/stat.h>

#include "base/error.h"

enum {
	CAY_PATH_MAX = 4096,     /* with the NUL, as PATH_MAX */
	CAY_PATH_NAME_MAX = 255, /* one component, as NAME_MAX */
};

/* The text of a client's path: absolute, shorter than CAY_PATH_MAX, no component longer than
 * CAY_PATH_NAME_MAX, no "..". `n` bytes, of which none may be NUL. `what` names it in messages. */
int cay_path_check_absolute(const char *path, size_t n, const char *what,
			    struct cay_error *err) CAY_NODISCARD;

/* Resolves "//", "/./" and "/x/.." in text alone into out (of CAY_PATH_MAX). Absolute paths only;
 * ".." at the root stays there. For paths that name nothing on a file system of ours (URLs, tar
 * members) or that the user gave (not an attacker). */
int cay_path_normalize(const char *path, char *out, struct cay_error *err) CAY_NODISCARD;

enum cay_path_scope {
	CAY_PATH_IN_ROOT,  /* RESOLVE_IN_ROOT: root_fd is "/", absolute symlinks stay inside */
	CAY_PATH_BENEATH,  /* RESOLVE_BENEATH: leaving, also by an absolute symlink, is an error */
	CAY_PATH_NO_LINKS, /* BENEATH and RESOLVE_NO_SYMLINKS: any symlink on the way is an error */
};

/* openat2(2) beneath root_fd, always with RESOLVE_NO_MAGICLINKS. A leading '/' of path is skipped.
 * Returns the descriptor (CLOEXEC) or -1 with errno. */
int cay_path_open(int root_fd, const char *path, int flags, mode_t mode, enum cay_path_scope scope);

/* Opens the folder that holds the last component of path; *ret_name points into path ("." for the
 * root itself). -1 with errno. */
int cay_path_open_parent(int root_fd, const char *path, enum cay_path_scope scope,
			 const char **ret_name);

/* mkdir -p beneath root_fd; existing folders are fine. Returns a descriptor (O_PATH) of the last
 * one, or -1 with errno. */
int cay_path_mkdirs(int root_fd, const char *path, mode_t mode, enum cay_path_scope scope);

/* Removes a tree: by descriptor, never following a symlink, never crossing into another file
 * system, as deep as it may be. dir_fd/name; a missing one is fine. -1 with errno of the first
 * failure, after having removed what could be. */
int cay_path_remove_tree(int dir_fd, const char *name);
