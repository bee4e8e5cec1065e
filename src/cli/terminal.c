/* SPDX-License-Identifier: Apache-2.0 */
/* Raw mode and size of our own terminal; see terminal.h. */
#include "cli/terminal.h"

#include <sys/ioctl.h>

int cay_terminal_set_raw(struct cay_terminal *t, int fd, struct cay_error *err)
{
	struct termios raw;

	t->fd = fd;
	if (!isatty(fd))
		return 0;
	if (tcgetattr(fd, &t->saved) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "cannot read the terminal's mode");
	raw = t->saved;
	cfmakeraw(&raw);
	if (tcsetattr(fd, TCSADRAIN, &raw) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "cannot set the terminal's mode");
	t->raw = true;
	return 0;
}

void cay_terminal_restore(struct cay_terminal *t)
{
	if (t->raw)
		tcsetattr(t->fd, TCSADRAIN, &t->saved);
	t->raw = false;
}

void cay_terminal_get_size(unsigned *ret_rows, unsigned *ret_cols)
{
	struct winsize size;

	*ret_rows = 24;
	*ret_cols = 80;
	for (int fd = 0; fd < 3; fd++)
		if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col) {
			*ret_rows = size.ws_row;
			*ret_cols = size.ws_col;
			return;
		}
}
