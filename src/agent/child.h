/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A running program and its pipes or terminal, on the event loop: what exec and process are made
 * of. Output is handed to the owner as it comes; input waits in a bounded queue; the end is told
 * once, after the last byte of output.
 *
 * The end is the end of the program itself: descendants that keep its pipes open are not waited
 * for. What lies in the pipes at that moment is still delivered.
 */
#pragma once

#include <event2/event_struct.h>

#include "agent/reaper.h"
#include "agent/ring.h"

struct cay_service;
struct cay_child;
struct evbuffer;

enum cay_child_input {
	CAY_CHILD_NO_INPUT, /* /dev/null */
	CAY_CHILD_INPUT,    /* a pipe, until cay_child_close_input */
};

struct cay_child_end {
	int exit_code; /* 128 + signal where a signal ended it; 124 after a timeout */
	int signal;    /* 0: it exited by itself */
	bool timed_out;
	bool oom; /* it was killed while the OOM killer was at work in its cgroup */
};

struct cay_child_options {
	char **argv; /* the four are borrowed during the call */
	char **env;
	const char *cwd;
	const struct cay_child_pty {
		unsigned rows, cols;
	} * pty; /* NULL: pipes; with a terminal there is always input, and only CAY_STDOUT */
	enum cay_child_input input;
	uint64_t timeout_ms; /* then SIGTERM to the group, SIGKILL after a second; 0: none */

	void (*on_output)(struct cay_child *c, enum cay_stream stream, const void *data, size_t n);
	void (*on_input_drain)(struct cay_child *c); /* the queue has room again; may be NULL */
	void (*on_end)(struct cay_child *c, const struct cay_child_end *end);
	void *arg;
};

enum { CAY_CHILD_QUEUE_MAX = 256 << 10 }; /* input above which cay_child_write says stop */

int cay_child_start(struct cay_service *s, const struct cay_child_options *options,
		    struct cay_child **ret, struct cay_error *err) CAY_NODISCARD;

/* A child that has not ended is killed with its group; no callback follows. NULL is fine. */
void cay_child_destroy(struct cay_child *c);

void *cay_child_arg(const struct cay_child *c);
pid_t cay_child_pid(const struct cay_child *c);

/* Always takes the bytes. False: stop until on_input_drain. Bytes for a program that has closed its
 * input are thrown away. */
bool cay_child_write(struct cay_child *c, const void *data, size_t n);
void cay_child_close_input(struct cay_child *c); /* after what is queued; on a terminal: EOF */
bool cay_child_input_open(const struct cay_child *c);

/* Stops and starts reading its output: meanwhile it waits once its pipes are full. */
void cay_child_pause_output(struct cay_child *c, bool pause);

/* To the process group. -1 with errno; ESRCH once it has ended. */
int cay_child_signal(struct cay_child *c, int sig);

/* SIGTERM to the group, SIGKILL a second later. */
void cay_child_terminate(struct cay_child *c);
int cay_child_resize(struct cay_child *c, unsigned rows, unsigned cols); /* -1: no terminal */
