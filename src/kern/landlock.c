/* SPDX-License-Identifier: Apache-2.0 */
/* Landlock by the raw calls. What is younger than the distribution's header is defined here. */
#include "kern/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>

struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

enum {
	/* Without the right to refer (to rename and link between folders), which came with ABI 2,
	 * every rule on files would take it away. */
	ABI_WITH_REFER = 2,
	ABI_WITH_TRUNCATE = 3,
	ABI_WITH_SCOPES = 6,

	SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0,
	SCOPE_SIGNAL = 1 << 1,
	ACCESS_TRUNCATE = 1 << 14,
};

int cay_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi > 0 ? (int)abi : 0;
}

static int allow(int ruleset, int fd, uint64_t access)
{
	struct landlock_path_beneath_attr attr = {.allowed_access = access, .parent_fd = fd};

	return (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attr, 0);
}

/* What is not on a file system (a pipe, a socket, a memfd) needs no rule and can have none. */
static int allow_file(int ruleset, int fd, uint64_t access)
{
	return allow(ruleset, fd, access) < 0 && errno != EBADFD ? -1 : 0;
}

static int allow_output(int ruleset, const int output[3], uint64_t access)
{
	for (int i = 0; i < 3; i++) {
		int fd = output[i];
		int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);

		if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || (flags & O_PATH))
			continue;
		if (allow_file(ruleset, fd, access) < 0)
			return -1;
	}
	return 0;
}

int cay_landlock_lock(int root_fd, const struct cay_landlock_files *files,
		      enum cay_landlock_state *ret_state, struct cay_error *err)
{
	int abi = cay_landlock_abi();
	uint64_t write =
		LANDLOCK_ACCESS_FS_WRITE_FILE | (abi >= ABI_WITH_TRUNCATE ? ACCESS_TRUNCATE : 0);
	struct ruleset_attr attr = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_REFER | write,
		.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL,
	};
	bool scoped = abi >= ABI_WITH_SCOPES;
	auto_close int ruleset = -1;

	*ret_state = CAY_LANDLOCK_NONE;
	if (abi < ABI_WITH_REFER)
		return 0;
	/* An older kernel knows a shorter struct. */
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr,
			       scoped ? sizeof(attr) : sizeof(attr.handled_access_fs), 0);
	if (ruleset < 0 || allow(ruleset, root_fd, attr.handled_access_fs) < 0 ||
	    allow_output(ruleset, files->output, write) < 0 ||
	    (files->exe >= 0 && allow_file(ruleset, files->exe, LANDLOCK_ACCESS_FS_EXECUTE) < 0))
		return cay_fail(err, CAY_E_SYSTEM, errno, "make the Landlock rules");
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "landlock_restrict_self");
	*ret_state = scoped ? CAY_LANDLOCK_SCOPED : CAY_LANDLOCK_FILES;
	return 0;
}
