/* SPDX-License-Identifier: Apache-2.0 */
/* Landlock by the raw calls. The scopes are younger than the distribution's header. */
#include "kern/landlock.h"

#include <linux/landlock.h>
#include <sys/syscall.h>

struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

enum {
	SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0,
	SCOPE_SIGNAL = 1 << 1,
	ABI_WITH_SCOPES = 6,
};

int cay_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi > 0 ? (int)abi : 0;
}

int cay_landlock_scope(bool *ret_scoped, struct cay_error *err)
{
	struct ruleset_attr attr = {.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL};
	auto_close int fd = -1;

	if (cay_landlock_abi() < ABI_WITH_SCOPES) {
		*ret_scoped = false;
		return 0;
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (fd < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "landlock_create_ruleset");
	if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "landlock_restrict_self");
	*ret_scoped = true;
	return 0;
}
