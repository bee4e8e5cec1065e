/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/pty.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

int cay_pty_open(unsigned rows, unsigned cols, int *ret_master, int *ret_slave,
		 struct cay_error *err)
{
	auto_close int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	auto_close int slave = -1;
	int unlocked = 0;

	if (master < 0) {
		cay_fail(err, CAY_E_UNAVAILABLE, errno, "open /dev/ptmx");
		return cay_fail_hint(err, "a terminal needs devpts mounted at /dev/pts");
	}
	if (ioctl(master, TIOCSPTLCK, &unlocked) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "unlock the terminal");
	/* By descriptor, not by its name in /dev/pts, which may be another mount (Linux 4.13). */
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "open the terminal's other end");
	if (cay_pty_resize(master, rows, cols) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "set the terminal's size");
	*ret_master = TAKE_FD(master);
	*ret_slave = TAKE_FD(slave);
	return 0;
}

int cay_pty_resize(int master, unsigned rows, unsigned cols)
{
	struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};

	return ioctl(master, TIOCSWINSZ, &size);
}
