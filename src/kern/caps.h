/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities (capabilities(7)): giving all up, and reading back what is left. */
#pragma once

#include "base/error.h"

struct cay_caps {
	uint64_t effective, permitted, inheritable, bounding, ambient;
};

/* Empties the bounding, ambient, inheritable, permitted and effective sets. For good. */
int cay_caps_drop_all(struct cay_error *err) CAY_NODISCARD;

/* The caller's sets, asked of the kernel; the bounding set only if asked for, as that takes a call
 * for each capability. */
void cay_caps_read(struct cay_caps *ret, bool with_bounding);
