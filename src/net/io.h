/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connected stream socket on the event loop, for both ends of HTTP. What a bufferevent does, with
 * less: bytes are read into one scratch buffer of the process and handed on at once, an answer that
 * fits the socket goes out in one system call and is never copied, so that an idle connection owns
 * no buffer, and files are sent by sendfile(2).
 *
 * Edge-triggered (epoll(7)): the descriptor is armed once. After each event the socket is read until
 * it is empty, which a short read tells, unless reading is paused; the end of the peer's stream is
 * seen also then (EPOLLRDHUP).
 *
 * The owner embeds the struct and may call cay_io_fini in any callback. The program ignores SIGPIPE.
 * Callbacks never run the loop again: the scratch buffer is one.
 */
#pragma once

#include <event2/event_struct.h>
#include <sys/uio.h>

#include "base/buf.h"

struct bufferevent;
struct evbuffer;
struct cay_io;

struct cay_io_ops {
	/* Bytes came. All must be taken or kept by the owner. */
	void (*on_data)(struct cay_io *io, char *data, size_t n);
	/* The last event: the peer has ended its stream (0), or an errno. */
	void (*on_end)(struct cay_io *io, int sys);
	/* The peer has ended its stream, perhaps behind bytes that are still unread because reading
	 * is paused. NULL: that is found out when reading goes on. */
	void (*on_hang_up)(struct cay_io *io);
	/* After bytes had to wait: not more than low_water of them do any more; and again when none
	 * does. */
	void (*on_drain)(struct cay_io *io);
	/* Asked for by cay_io_schedule. */
	void (*on_turn)(struct cay_io *io);
};

struct cay_io {
	const struct cay_io_ops *ops;
	struct event_base *base;
	int fd;
	bool readable, paused, hung_up, connecting, broken, write_armed;
	bool stalled, above_low; /* on_drain is due when the socket has taken enough */
	bool *gone;              /* set for whoever is on the stack when the owner calls fini */
	size_t low_water;
	uint64_t progress_ms; /* when bytes last went out or began to wait */
	struct event read_event, write_event;
	struct evbuffer *out; /* what waits; NULL while nothing does */
	int file;             /* what follows it: -1 if none */
	uint64_t file_at, file_left;
};

/* Takes over a non-blocking socket; `connecting` where connect(2) said EINPROGRESS. */
void cay_io_init(struct cay_io *io, struct event_base *base, int fd, bool connecting,
		 size_t low_water, const struct cay_io_ops *ops);
void cay_io_fini(struct cay_io *io); /* closes */

void cay_io_pause(struct cay_io *io);
void cay_io_resume(struct cay_io *io);   /* goes on in a turn of its own */
void cay_io_schedule(struct cay_io *io); /* on_turn, in this iteration of the loop */

/* Sends now; what the socket does not take waits, copied. */
void cay_io_write(struct cay_io *io, const struct iovec *iov, size_t n);

/* Lets bytes wait for more to come in this turn of the loop; sent at its end at the latest. */
void cay_io_queue(struct cay_io *io, const void *data, size_t n);
void cay_io_flush(struct cay_io *io);

/* Sends n bytes of a file after what waits; the descriptor is owned from now on. Nothing may be
 * queued behind it until all is sent. A file that turns out to be shorter breaks the connection. */
void cay_io_send_file(struct cay_io *io, int fd, uint64_t offset, uint64_t n);

/* Bytes that wait, without the file; and whether anything does. */
size_t cay_io_waiting(const struct cay_io *io);
bool cay_io_is_idle(const struct cay_io *io);

/* Ends our half of the connection. */
void cay_io_shutdown(struct cay_io *io);

/* Turns the connection into a bufferevent, with `data` as the first of its input and what waits in
 * its output. The io holds nothing any more; cay_io_fini is still due. */
struct bufferevent *cay_io_to_bufferevent(struct cay_io *io, const void *data, size_t n);
