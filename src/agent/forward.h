/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TCP connection to a port of the sandbox's own loopback: 127.0.0.1, then ::1. What is sent over
 * it is not looked at.
 */
#pragma once

#include "base/error.h"

struct event_base;
struct cay_forward;

/* Calls on_done once: with a connected, non-blocking descriptor that is now the caller's, or with
 * -1 and *err. NULL: it has been called already. */
struct cay_forward *
cay_forward_connect(struct event_base *base, uint16_t port,
		    void (*on_done)(int fd, const struct cay_error *err, void *arg), void *arg);

/* Before on_done: gives up; no callback follows. */
void cay_forward_cancel(struct cay_forward *f);
