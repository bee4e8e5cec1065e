/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two channels by which bash says that it is at its prompt (see shell.h): messages on a socket,
 * which carry exit status, folder and PATH and are believed when they come from bash's own pid, and
 * the sentinel in the terminal's output, which only tells where output ends.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"

enum {
	CAY_SHELL_PROMPT_FD = 221,  /* of bash: high, and not one that scripts like to use */
	CAY_SHELL_COMMAND_FD = 222, /* holds the text of a command that cannot be typed */
};

/* ---- messages ---- */

struct cay_shell_prompt {
	int fd;       /* our end, non-blocking */
	bool arrived; /* a message since the owner has last cleared this */
	int exit_code;
	int64_t background_pid; /* $!, or -1 */
	char *cwd, *path;
	/* The next message is the one that counts, until it has been used: the one after it says how
	 * our own installing ended. */
	bool keep_first;
	struct cay_buf partial;
};

/* *ret_theirs: the end that bash gets, CLOEXEC, the caller's. */
int cay_shell_prompt_open(struct cay_shell_prompt *p, int *ret_theirs,
			  struct cay_error *err) CAY_NODISCARD;
void cay_shell_prompt_close(struct cay_shell_prompt *p);

/* Reads all that is there. What does not come from `pid` is thrown away. False: no more can come,
 * because the other end is closed everywhere. */
bool cay_shell_prompt_receive(struct cay_shell_prompt *p, pid_t pid);

/* ---- sentinel ---- */

enum { CAY_SHELL_SENTINEL_MAX = 64 };

struct cay_shell_sentinel {
	char as_set[CAY_SHELL_SENTINEL_MAX];     /* the value of PS1: escapes spelled out, so that
						    showing the variable does not show the sentinel */
	char as_printed[CAY_SHELL_SENTINEL_MAX]; /* begins with the only ESC in it */
	size_t n, matched;
};

void cay_shell_sentinel_init(struct cay_shell_sentinel *t); /* a new random one */

struct cay_shell_piece {
	const char *held; /* bytes of earlier calls that turned out not to be the sentinel */
	size_t n_held;
	size_t n;   /* bytes of this call before the sentinel, or before what may become one */
	bool found; /* a whole sentinel ends where the scan stopped */
};

/* Scans up to the end of a sentinel, at most all of the data; returns the bytes used, to be called
 * again for the rest. Show `held`, then n bytes of the data. */
size_t cay_shell_sentinel_scan(struct cay_shell_sentinel *t, const char *data, size_t n,
			       struct cay_shell_piece *ret);

/* The line that, typed into bash, sends a message and sets the hook and the prompt. */
char *cay_shell_prompt_install(const struct cay_shell_sentinel *t);
