/* SPDX-License-Identifier: Apache-2.0 */
/* Pseudo-terminals. */
#include "kern/pty.h"

#include <fcntl.h>
#include <sys/ioctl.h>

int cay_pty_open(const char *ptmx, int *ret_leader, int *ret_follower, struct cay_error *err)
{
	auto_close int leader = open(ptmx, O_RDWR | O_NOCTTY | O_CLOEXEC);
	int unlocked = 0, follower;

	if (leader < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "open %s", ptmx);
	if (ioctl(leader, TIOCSPTLCK, &unlocked) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "unlock the terminal");
	follower = ioctl(leader, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (follower < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "open the terminal");
	*ret_leader = TAKE_FD(leader);
	*ret_follower = follower;
	return 0;
}

int cay_pty_copy_size(int from, int to)
{
	struct winsize size;

	if (ioctl(from, TIOCGWINSZ, &size) < 0)
		return -1;
	return ioctl(to, TIOCSWINSZ, &size);
}
