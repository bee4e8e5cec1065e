/* SPDX-License-Identifier: Apache-2.0 */
/* Installs the generated filter. */
#include "kern/seccomp.h"

#include <linux/seccomp.h>
#include <sys/syscall.h>

/* Generated: static const struct sock_filter program[]. */
#include "seccomp_program.h"

const struct sock_filter *cay_seccomp_program(size_t *ret_n)
{
	*ret_n = CAY_LEN(program);
	return program;
}

int cay_seccomp_install(struct cay_error *err)
{
	struct sock_fprog prog = {
		.len = CAY_LEN(program),
		.filter = (struct sock_filter *)(uintptr_t)program,
	};

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "install the seccomp filter");
	return 0;
}
