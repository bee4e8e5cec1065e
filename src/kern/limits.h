/* SPDX-License-Identifier: Apache-2.0 */
/* Resource limits of a process (setrlimit(2)). */
#pragma once

#include "base/error.h"

struct cay_limits {
	uint64_t processes;  /* RLIMIT_NPROC; counted for each user namespace since Linux 5.14 */
	uint64_t data_bytes; /* RLIMIT_DATA for each process; 0: as it is */
};

/* Sets what a sandboxed process gets: no core files, a bounded number of descriptors, and the
 * above. Limits are only ever lowered. */
int cay_limits_apply(const struct cay_limits *limits, struct cay_error *err) CAY_NODISCARD;
