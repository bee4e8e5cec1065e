/* SPDX-License-Identifier: Apache-2.0 */
/* Where this user's files are (XDG Base Directory Specification 0.8), for the command line and for
 * the server alike. */
#pragma once

#include "base/error.h"

/* The state folder of a server of this user: /var/lib/cay for root, else $XDG_STATE_HOME/cay or
 * ~/.local/state/cay. Owned text; NULL where there is no home. Nothing is created. */
char *cay_place_state_dir(void);

/* A folder for what may be made again (the skeleton layer): /var/cache/cay for root, else
 * $XDG_CACHE_HOME/cay or ~/.cache/cay; /var/tmp/cay-UID where those cannot be made, as for users
 * whose home does not exist. Made 0700; belongs to us and nobody else can write there. */
int cay_place_make_cache_dir(char **ret, struct cay_error *err) CAY_NODISCARD;
