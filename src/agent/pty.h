/* SPDX-License-Identifier: Apache-2.0 */
/* Pseudo-terminals (pty(7)): opened without trusting a path of the sandbox beyond /dev/ptmx. */
#pragma once

#include "base/error.h"

enum {
	CAY_PTY_ROWS_MAX = 4096,
	CAY_PTY_COLS_MAX = 4096,
};

/* Both ends, CLOEXEC; the master non-blocking. */
int cay_pty_open(unsigned rows, unsigned cols, int *ret_master, int *ret_slave,
		 struct cay_error *err) CAY_NODISCARD;

/* The foreground process group gets SIGWINCH. -1 with errno. */
int cay_pty_resize(int master, unsigned rows, unsigned cols);
