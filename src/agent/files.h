/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of the sandbox, by absolute path as its programs see them. Every path is checked as text
 * and resolved by the kernel (base/path.h); work goes on by descriptor. Reading and writing touch
 * regular files only: a FIFO, socket or device given as a file is refused, never waited for.
 *
 * Writing is atomic: into a temporary file beside the target, which then takes its name. A reader
 * sees the old content or the new, and a client that goes away halfway leaves the old. The mode
 * (and, for root, the owner) of a file that is replaced are kept; a symlink is followed, not
 * replaced.
 */
#pragma once

#include <sys/stat.h>

#include "base/error.h"

enum {
	CAY_FILES_LIST_DEPTH_MAX = 16,
	CAY_FILES_LIST_MAX = 10000, /* entries */
	CAY_FILES_DEFAULT_MODE = 0644,
};

/* Opens for reading. *ret_fd is the caller's. */
int cay_files_open(int root_fd, const char *path, int *ret_fd, struct stat *ret_st,
		   struct cay_error *err) CAY_NODISCARD;

/* Of the path itself (a symlink is not followed). *ret_target: where a symlink points, else NULL;
 * the caller frees it. */
int cay_files_stat(int root_fd, const char *path, struct stat *ret_st, char **ret_target,
		   struct cay_error *err) CAY_NODISCARD;

/* "file", "directory", "symlink", "fifo", "socket", "char", "block". */
const char *cay_files_type(mode_t mode);

struct cay_file_writer {
	int dir_fd, fd;
	bool exists; /* the target, when writing began */
	struct stat old;
	mode_t mode;
	char *name;    /* of the target in its folder */
	char temp[32]; /* beside it */
	uint64_t size;
};

/* mode 0: that of the existing file, or CAY_FILES_DEFAULT_MODE. */
int cay_file_writer_open(struct cay_file_writer *w, int root_fd, const char *path, mode_t mode,
			 bool make_parents, struct cay_error *err) CAY_NODISCARD;
int cay_file_writer_write(struct cay_file_writer *w, const void *data, size_t n,
			  struct cay_error *err) CAY_NODISCARD;
int cay_file_writer_commit(struct cay_file_writer *w, struct cay_error *err) CAY_NODISCARD;
void cay_file_writer_close(struct cay_file_writer *w); /* without commit: nothing has happened */

struct cay_files_entry {
	char *name; /* relative to the listed folder; bytes as the file system has them */
	struct stat st;
};

struct cay_files_list {
	struct cay_files_entry *entries; /* sorted by name */
	size_t n;
	bool truncated;
};

/* Everything below a folder down to a depth (1: its own entries). Symlinks are listed, not
 * followed; folders that may not be read are listed without their content. */
int cay_files_list(int root_fd, const char *path, unsigned depth, struct cay_files_list *ret,
		   struct cay_error *err) CAY_NODISCARD;
void cay_files_list_fini(struct cay_files_list *list);

int cay_files_mkdir(int root_fd, const char *path, mode_t mode, bool parents,
		    struct cay_error *err) CAY_NODISCARD;
int cay_files_move(int root_fd, const char *from, const char *to, bool overwrite,
		   struct cay_error *err) CAY_NODISCARD;
int cay_files_remove(int root_fd, const char *path, bool recursive,
		     struct cay_error *err) CAY_NODISCARD;
