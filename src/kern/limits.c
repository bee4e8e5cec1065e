/* SPDX-License-Identifier: Apache-2.0 */
/* Resource limits, lowered only. */
#include "kern/limits.h"

#include <sys/resource.h>

enum { OPEN_FILES = 65536, LOCKED_BYTES = 8 << 20, QUEUE_BYTES = 819200 };

static int lower(__rlimit_resource_t resource, const char *name, rlim_t to, struct cay_error *err)
{
	struct rlimit now;

	if (getrlimit(resource, &now) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "getrlimit %s", name);
	if (now.rlim_max <= to && now.rlim_cur == now.rlim_max)
		return 0;
	now.rlim_max = CAY_MIN(now.rlim_max, to);
	now.rlim_cur = now.rlim_max;
	if (setrlimit(resource, &now) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "setrlimit %s", name);
	return 0;
}

int cay_limits_apply(const struct cay_limits *limits, struct cay_error *err)
{
	if (lower(RLIMIT_CORE, "core", 0, err) < 0 ||
	    lower(RLIMIT_NOFILE, "nofile", OPEN_FILES, err) < 0 ||
	    lower(RLIMIT_MEMLOCK, "memlock", LOCKED_BYTES, err) < 0 ||
	    lower(RLIMIT_MSGQUEUE, "msgqueue", QUEUE_BYTES, err) < 0 ||
	    lower(RLIMIT_NPROC, "nproc", limits->processes, err) < 0)
		return -1;
	return limits->data_bytes ? lower(RLIMIT_DATA, "data", limits->data_bytes, err) : 0;
}
