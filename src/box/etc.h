/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of /etc a sandbox has of its own, and what of the host's it must not see. Most of the latter is unreadable anyway, because it
 * belongs to root, who has no id inside; covered it is as well, for a caller who can read more than
 * others, and so that not even names show.
 */
#pragma once

/* Files of /etc that are the same in every sandbox: users, groups, and where names come from. They
 * are in the skeleton layer, or else written for each sandbox. Ended by {}. */
struct cay_etc_file {
	const char *name, *content, *reason;
};
extern const struct cay_etc_file cay_etc_files[];

/* Paths below /etc, without a slash in front; ended by NULL. Covered whether they exist or not. */
extern const char *const cay_etc_hidden[];
