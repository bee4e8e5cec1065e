/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state folder of one daemon:
 *
 *	STATE/            0700, ours alone
 *	  lock            held with flock(2) while the daemon lives; its pid, for people
 *	  api-key         0600: the key, where CAY_API_KEY does not give one
 *	  sandboxes/<id>/ socket and log of one living sandbox
 *
 * Sandboxes end with the daemon that made them, so whatever is below sandboxes/ when the lock has
 * just been taken was left behind by one that was killed, and is swept.
 */
#pragma once

#include "base/error.h"

struct cay_state {
	char *path; /* absolute, symlinks resolved */
	int dir_fd, lock_fd, sandboxes_fd;
};

/* Creates what is missing, takes the lock (CONFLICT if another daemon holds it), sweeps.
 * *ret_swept: how many folders of dead sandboxes were removed. */
int cay_state_open(const char *path, struct cay_state *ret, unsigned *ret_swept,
		   struct cay_error *err) CAY_NODISCARD;
void cay_state_close(struct cay_state *s);

enum { CAY_STATE_KEY_MAX = 256 };

/* Reads the key file, or makes one with a new random key (atomically). */
int cay_state_api_key(const struct cay_state *s, char out[CAY_STATE_KEY_MAX + 1],
		      struct cay_error *err) CAY_NODISCARD;

/* Is this a key that can travel in a header: 1 to CAY_STATE_KEY_MAX printable characters, no
 * spaces? */
int cay_state_check_key(const char *key, const char *where, struct cay_error *err) CAY_NODISCARD;

/* A sandbox's folder; add gives its path, owned by the caller. */
int cay_state_add_sandbox(const struct cay_state *s, const char *id, char **ret_path,
			  struct cay_error *err) CAY_NODISCARD;
void cay_state_remove_sandbox(const struct cay_state *s, const char *id);

/* Refuses a workspace that would show the state folder to the sandbox, or lies in it. */
int cay_state_check_workspace(const struct cay_state *s, const char *path,
			      struct cay_error *err) CAY_NODISCARD;
