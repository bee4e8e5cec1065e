/* SPDX-License-Identifier: Apache-2.0 */
/* Process descriptors. */
#include "kern/pidfd.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

int cay_pidfd_signal(int pidfd, int sig)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);
}

int cay_pidfd_wait(int pidfd, bool block, int *ret_status)
{
	siginfo_t info = {};
	int k;

	do
		k = waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | (block ? 0 : WNOHANG));
	while (k < 0 && errno == EINTR);
	if (k < 0)
		return -1;
	if (!info.si_pid)
		return 0;
	/* The encoding of wait(2), from the decoded form. */
	if (info.si_code == CLD_EXITED)
		*ret_status = (info.si_status & 0xff) << 8;
	else
		*ret_status = info.si_status | (info.si_code == CLD_DUMPED ? 0x80 : 0);
	return 1;
}
