/* SPDX-License-Identifier: Apache-2.0 */
/* Processes by descriptor (pidfd_open(2), pidfd_send_signal(2), waitid(2)): no pid is ever reused
 * under us. */
#pragma once

#include <sys/types.h>

#include "base/error.h"

/* -1 with errno; ESRCH: it has ended and been waited for. */
int cay_pidfd_signal(int pidfd, int sig);

/* Waits for a child. *ret_status as of wait(2). block false: returns 0 where it has not ended yet,
 * 1 where it has. -1 with errno (ECHILD: not our child). */
int cay_pidfd_wait(int pidfd, bool block, int *ret_status);
