/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities by the raw calls; libcap would be one more dependency for three of them. */
#include "kern/caps.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

int cay_caps_drop_all(struct cay_error *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};

	/* The bounding set first: dropping from it needs CAP_SETPCAP. EINVAL: past the last one. */
	for (int cap = 0; cap < 64; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		if (errno == EINVAL)
			break;
		return cay_fail(err, CAY_E_SYSTEM, errno, "drop capability %d", cap);
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "clear ambient capabilities");
	if (syscall(SYS_capset, &header, none) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "capset");
	return 0;
}

void cay_caps_read(struct cay_caps *ret, bool with_bounding)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	*ret = (struct cay_caps){.effective = ~0ULL, .permitted = ~0ULL, .inheritable = ~0ULL};
	if (syscall(SYS_capget, &header, data) == 0) {
		ret->effective = data[0].effective | (uint64_t)data[1].effective << 32;
		ret->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
		ret->inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	}
	for (int cap = 0; cap < 64 && with_bounding; cap++) {
		int is_set = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

		if (is_set < 0)
			break;
		ret->bounding |= (uint64_t)is_set << cap;
	}
	/* Ambient capabilities are always a part of both of these. */
	for (int cap = 0; cap < 64 && (ret->permitted & ret->inheritable); cap++) {
		int is_set = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0);

		if (is_set < 0)
			break;
		ret->ambient |= (uint64_t)is_set << cap;
	}
}
