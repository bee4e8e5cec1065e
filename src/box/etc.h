/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of the host's /etc a sandbox must not see. Most of it is unreadable anyway, because it
 * belongs to root, who has no id inside; covered it is as well, for a caller who can read more than
 * others, and so that not even names show.
 */
#pragma once

/* Paths below /etc, without a slash in front; ended by NULL. Covered whether they exist or not. */
extern const char *const cay_etc_hidden[];
