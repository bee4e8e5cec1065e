/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that are started now and looked at later: each with the ring of its output, its input,
 * its signals and, once it has ended, its status, which is kept until it is forgotten or until
 * CAY_PROCESS_MAX later ones have come.
 *
 * A process is known by its pid. Followers are told that something is new and read the ring
 * themselves, each at its own pace.
 */
#pragma once

#include "agent/child.h"
#include "agent/ring.h"

enum { CAY_PROCESS_MAX = 1024 };

struct cay_process;
struct cay_process_table;

/* Owned by the follower; in place until unfollow, or on_gone. */
struct cay_process_follower {
	void (*on_news)(struct cay_process_follower *f);  /* bytes, or the end */
	void (*on_drain)(struct cay_process_follower *f); /* the input has room; may be NULL */
	void (*on_gone)(struct cay_process_follower *f);  /* forgotten: p is invalid after it */
	const uint64_t *offset; /* how far it has read the ring; NULL: it does not read */
	struct cay_process_follower *next;
};

struct cay_process {
	struct cay_process_table *table;
	struct cay_process *next;
	pid_t pid;
	char **argv;
	bool has_terminal;
	bool lossless, paused;   /* see cay_process_options; whether its output waits now */
	struct cay_child *child; /* NULL once ended */
	struct cay_ring ring;
	int64_t started_unix_ms, ended_unix_ms;
	struct cay_child_end end; /* once child is NULL */
	struct cay_process_follower *followers;
};

struct cay_process_table *cay_process_table_create(struct cay_service *s);
void cay_process_table_destroy(struct cay_process_table *t); /* kills what runs; NULL is fine */

struct cay_process_options {
	char **argv;
	char **env;
	const char *cwd;
	const struct cay_child_pty *pty;
	bool input;
	/* Rather than that output is dropped, the process waits: until somebody reads it, and then
	 * for the slowest reader. It ends when the first reader has left. */
	bool lossless;
	uint64_t timeout_ms;
};

/* OVERLOADED when CAY_PROCESS_MAX are running. */
int cay_process_start(struct cay_process_table *t, const struct cay_process_options *options,
		      struct cay_process **ret, struct cay_error *err) CAY_NODISCARD;

/* Newest first; NULL at the end. */
struct cay_process *cay_process_first(const struct cay_process_table *t);
struct cay_process *cay_process_find(const struct cay_process_table *t, pid_t pid);

/* Kills it if it runs, and removes it. */
void cay_process_forget(struct cay_process *p);

void cay_process_follow(struct cay_process *p, struct cay_process_follower *f);
void cay_process_unfollow(struct cay_process *p, struct cay_process_follower *f);

/* A reader has read on by itself (not from on_news): the process may go on. */
void cay_process_read_on(struct cay_process *p);
