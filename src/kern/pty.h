/* SPDX-License-Identifier: Apache-2.0 */
/* Pseudo-terminals (pty(7), ioctl_tty(2)). */
#pragma once

#include "base/error.h"

/* A new pair from the multiplexer at `ptmx`; the follower is opened by descriptor (TIOCGPTPEER), so
 * that no path of /dev/pts is trusted. Both CLOEXEC and O_NOCTTY; owned by the caller. */
int cay_pty_open(const char *ptmx, int *ret_leader, int *ret_follower,
		 struct cay_error *err) CAY_NODISCARD;

/* Gives `to` the window size of the terminal `from`. -1 with errno. */
int cay_pty_copy_size(int from, int to);
