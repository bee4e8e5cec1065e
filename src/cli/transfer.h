/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files between this machine and a sandbox, one at a time, streamed: memory stays flat however
 * large a file is. Paths inside are absolute text, checked by the agent; descriptors are the
 * caller's.
 */
#pragma once

#include <sys/stat.h>

#include "cli/client.h"

struct cay_transfer {
	struct cay_client *client;
	const char *sandbox;
	bool show_progress;             /* on stderr */
	uint64_t files, bytes, skipped; /* done so far */
};

struct cay_remote_stat {
	mode_t mode; /* type and permissions, as in stat(2) */
	uint64_t size;
};

/* NOT_FOUND where there is nothing at the path. */
int cay_transfer_stat(struct cay_transfer *t, const char *path, struct cay_remote_stat *ret,
		      struct cay_error *err) CAY_NODISCARD;

/* Reads fd to its end (size -1) or exactly size bytes of it. A file that shrinks meanwhile is an
 * error, and the sandbox keeps what it had. mode 0: the agent's choice. */
int cay_transfer_put(struct cay_transfer *t, int fd, int64_t size, mode_t mode, const char *path,
		     struct cay_error *err) CAY_NODISCARD;

int cay_transfer_get(struct cay_transfer *t, const char *path, int fd,
		     struct cay_error *err) CAY_NODISCARD;

int cay_transfer_mkdir(struct cay_transfer *t, const char *path,
		       struct cay_error *err) CAY_NODISCARD;

/* The entries of a folder as {"name","type","size","mode"}; LIMIT where it has too many. */
int cay_transfer_list(struct cay_transfer *t, const char *path, json_t **ret,
		      struct cay_error *err) CAY_NODISCARD;

/* The type and permissions of an entry of a list or of a stat answer. */
mode_t cay_transfer_mode(const json_t *entry);
