/* SPDX-License-Identifier: Apache-2.0 */
/* A stream socket on libevent, edge-triggered. Knows nothing of what flows. */
#include "net/io.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "base/clock.h"

enum {
	SCRATCH = 64 << 10,
	READS_PER_TURN = 4, /* then others have theirs */
	FILE_PER_CALL = 1 << 20,
	FILE_PER_TURN = 4 << 20,
	FLUSH_AT = 16 << 10, /* queued bytes that are worth a system call of their own */
	IOVECS = 16,
	TURN = EV_TIMEOUT, /* the flag by which the read event says "scheduled" */
};

static char scratch[SCRATCH];

/* Runs a callback after which the owner may be gone; then leaves the function. */
#define CALL_OR_RETURN(io, call)                                                                   \
	do {                                                                                       \
		bool gone_ = false;                                                                \
		bool *outer_ = (io)->gone;                                                         \
		(io)->gone = &gone_;                                                               \
		call;                                                                              \
		if (gone_) {                                                                       \
			if (outer_)                                                                \
				*outer_ = true;                                                    \
			return;                                                                    \
		}                                                                                  \
		(io)->gone = outer_;                                                               \
	} while (0)

/* ---- reading ---- */

/* Edge-triggered events do not say by themselves whether an error stands behind them. */
static bool peer_has_ended(const struct cay_io *io)
{
	struct pollfd p = {.fd = io->fd, .events = POLLRDHUP};

	return io->hung_up || (poll(&p, 1, 0) > 0 && p.revents);
}

static int pending_error(const struct cay_io *io)
{
	socklen_t n = sizeof(int);
	int sys = 0;

	if (getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &sys, &n) < 0)
		return errno;
	return sys;
}

static void read_some(struct cay_io *io)
{
	ssize_t n;

	for (int i = 0; i < READS_PER_TURN && io->readable && !io->paused; i++) {
		do
			n = recv(io->fd, scratch, sizeof(scratch), 0);
		while (n < 0 && errno == EINTR);
		if (n < 0 && errno == EAGAIN) {
			io->readable = false;
			return;
		}
		if (n <= 0) {
			io->readable = false;
			io->ops->on_end(io, n < 0 ? errno : 0);
			return;
		}
		/* Less than was asked for: the socket is empty, and the next byte makes an edge. So
		 * does the end of the stream, unless it has been announced already. */
		if ((size_t)n < sizeof(scratch) && !io->hung_up)
			io->readable = false;
		CALL_OR_RETURN(io, io->ops->on_data(io, scratch, (size_t)n));
	}
	if (io->readable && !io->paused)
		event_active(&io->read_event, EV_READ, 0);
}

static void on_read_event(evutil_socket_t fd, short what, void *arg)
{
	struct cay_io *io = arg;

	if (what & EV_CLOSED)
		io->hung_up = true;
	if (what & (EV_READ | EV_CLOSED))
		io->readable = true;
	if (what & TURN)
		CALL_OR_RETURN(io, io->ops->on_turn(io));
	if (io->broken) {
		/* Writing has failed; what the peer said before may explain why. */
		io->readable = true;
		CALL_OR_RETURN(io, read_some(io));
		io->ops->on_end(io, EPIPE);
		return;
	}
	if (io->connecting || !io->readable)
		return;
	if (!io->paused)
		read_some(io);
	else if (io->ops->on_hang_up && peer_has_ended(io))
		io->ops->on_hang_up(io);
}

void cay_io_pause(struct cay_io *io)
{
	io->paused = true;
}

void cay_io_resume(struct cay_io *io)
{
	if (!io->paused)
		return;
	io->paused = false;
	if (io->readable)
		event_active(&io->read_event, EV_READ, 0);
}

void cay_io_schedule(struct cay_io *io)
{
	event_active(&io->read_event, TURN, 0);
}

/* ---- writing ---- */

static void breaks(struct cay_io *io)
{
	io->broken = true;
	cay_io_schedule(io);
}

/* What went out, or -1 after an error; 0 while the socket is full. */
static ssize_t send_iov(struct cay_io *io, const struct iovec *iov, size_t n)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = n};
	ssize_t k;

	do
		k = sendmsg(io->fd, &msg, MSG_NOSIGNAL);
	while (k < 0 && errno == EINTR);
	if (k < 0 && errno == EAGAIN)
		return 0;
	if (k < 0)
		breaks(io);
	return k;
}

static size_t out_length(const struct cay_io *io)
{
	return io->out ? evbuffer_get_length(io->out) : 0;
}

/* False when the socket is full, or broken. */
static bool flush_out(struct cay_io *io)
{
	struct evbuffer_iovec v[IOVECS];
	size_t length, asked;
	ssize_t k;
	int n;

	while ((length = out_length(io)) > 0) {
		n = CAY_MIN(evbuffer_peek(io->out, -1, NULL, v, IOVECS), IOVECS);
		asked = 0;
		for (int i = 0; i < n; i++)
			asked += v[i].iov_len;
		k = send_iov(io, v, (size_t)n);
		if (k <= 0)
			return false;
		evbuffer_drain(io->out, (size_t)k);
		io->progress_ms = cay_clock_ms();
		if ((size_t)k < asked)
			return false;
	}
	if (io->out)
		evbuffer_free(io->out);
	io->out = NULL;
	return true;
}

static void close_file(struct cay_io *io)
{
	if (io->file >= 0)
		close(io->file);
	io->file = -1;
	io->file_left = 0;
}

/* For files that sendfile(2) does not take, such as those of /proc: one piece through memory. */
static ssize_t copy_file(struct cay_io *io, size_t max)
{
	struct iovec iov = {.iov_base = scratch};
	ssize_t n = pread(io->file, scratch, CAY_MIN(max, sizeof(scratch)), (off_t)io->file_at);

	if (n <= 0)
		return -1;
	iov.iov_len = (size_t)n;
	n = send_iov(io, &iov, 1);
	if (!n)
		errno = EAGAIN;
	return n ? n : -1;
}

static ssize_t send_some_file(struct cay_io *io)
{
	size_t max = (size_t)CAY_MIN(io->file_left, (uint64_t)FILE_PER_CALL);
	off_t at = (off_t)io->file_at;
	ssize_t n = sendfile(io->fd, io->file, &at, max);

	if (n < 0 && (errno == EINVAL || errno == ENOSYS))
		n = copy_file(io, max);
	return n;
}

/* False when the socket is full, the turn is over, or the connection broken. */
static bool flush_file(struct cay_io *io)
{
	ssize_t n;

	for (size_t sent = 0; io->file_left; sent += (size_t)n) {
		if (sent >= FILE_PER_TURN) {
			event_active(&io->write_event, EV_WRITE, 0);
			return false;
		}
		n = send_some_file(io);
		if (n < 0 && errno == EINTR) {
			n = 0;
			continue;
		}
		if (n <= 0) {
			if (n == 0 || errno != EAGAIN) { /* it became shorter, or an error */
				close_file(io);
				breaks(io);
			}
			return false;
		}
		io->file_at += (uint64_t)n;
		io->file_left -= (uint64_t)n;
		io->progress_ms = cay_clock_ms();
	}
	close_file(io);
	return true;
}

static void arm_write(struct cay_io *io, bool on)
{
	if (on == io->write_armed)
		return;
	io->write_armed = on;
	/* Also before adding: libevent does not arm an event that event_active has made active, and the
	 * turn that is lost comes back as an edge when the socket has room. */
	event_del(&io->write_event);
	if (on)
		event_add(&io->write_event, NULL);
}

static void flush(struct cay_io *io)
{
	if (io->connecting || io->broken)
		return;
	if (flush_out(io))
		flush_file(io);
	if (!cay_io_is_idle(io))
		io->stalled = true;
	if (cay_io_waiting(io) > io->low_water || io->file >= 0)
		io->above_low = true;
	arm_write(io, !io->broken && !cay_io_is_idle(io));
}

static bool has_drained(const struct cay_io *io)
{
	if (io->broken || io->file >= 0)
		return false;
	return (io->above_low && cay_io_waiting(io) <= io->low_water) ||
	       (io->stalled && cay_io_is_idle(io));
}

void cay_io_flush(struct cay_io *io)
{
	flush(io);
	if (has_drained(io)) /* the callback comes from the loop, never from within a send */
		event_active(&io->write_event, EV_WRITE, 0);
}

static void on_write_event(evutil_socket_t fd, short what, void *arg)
{
	struct cay_io *io = arg;
	int sys;

	if (io->connecting) {
		sys = pending_error(io);
		if (sys) {
			io->ops->on_end(io, sys);
			return;
		}
		io->connecting = false;
		if (io->readable)
			event_active(&io->read_event, EV_READ, 0);
	}
	flush(io);
	if (has_drained(io)) {
		io->above_low = false;
		io->stalled = !cay_io_is_idle(io);
		io->ops->on_drain(io);
	}
}

static void wait_with(struct cay_io *io, const void *data, size_t n)
{
	if (!io->out) {
		io->out = evbuffer_new();
		io->progress_ms = cay_clock_ms();
	}
	if (!io->out || evbuffer_add(io->out, data, n) < 0)
		breaks(io);
}

void cay_io_queue(struct cay_io *io, const void *data, size_t n)
{
	if (io->broken || !n)
		return;
	wait_with(io, data, n);
	if (out_length(io) >= FLUSH_AT)
		cay_io_flush(io);
	else if (!io->write_armed)
		event_active(&io->write_event, EV_WRITE, 0);
}

void cay_io_write(struct cay_io *io, const struct iovec *iov, size_t n)
{
	ssize_t sent = 0;

	if (io->broken)
		return;
	if (!io->out && !io->connecting && io->file < 0)
		sent = send_iov(io, iov, n);
	if (sent < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		size_t skip = CAY_MIN((size_t)sent, iov[i].iov_len);

		sent -= (ssize_t)skip;
		if (skip < iov[i].iov_len)
			wait_with(io, (const char *)iov[i].iov_base + skip, iov[i].iov_len - skip);
	}
	if (io->out)
		cay_io_flush(io);
}

void cay_io_send_file(struct cay_io *io, int fd, uint64_t offset, uint64_t n)
{
	close_file(io);
	io->file = fd;
	io->file_at = offset;
	io->file_left = n;
	io->progress_ms = cay_clock_ms();
	cay_io_flush(io);
}

size_t cay_io_waiting(const struct cay_io *io)
{
	return out_length(io);
}

bool cay_io_is_idle(const struct cay_io *io)
{
	return !out_length(io) && io->file < 0;
}

void cay_io_shutdown(struct cay_io *io)
{
	shutdown(io->fd, SHUT_WR);
}

/* ---- life ---- */

void cay_io_init(struct cay_io *io, struct event_base *base, int fd, bool connecting,
		 size_t low_water, const struct cay_io_ops *ops)
{
	*io = (struct cay_io){.ops = ops,
			      .base = base,
			      .fd = fd,
			      .connecting = connecting,
			      .low_water = low_water,
			      .file = -1};
	event_assign(&io->read_event, base, fd, EV_READ | EV_CLOSED | EV_ET | EV_PERSIST,
		     on_read_event, io);
	event_assign(&io->write_event, base, fd, EV_WRITE | EV_ET | EV_PERSIST, on_write_event, io);
	event_add(&io->read_event, NULL);
	if (connecting)
		arm_write(io, true);
}

static void detach(struct cay_io *io)
{
	if (io->gone)
		*io->gone = true;
	io->gone = NULL;
	event_del(&io->read_event);
	event_del(&io->write_event);
	close_file(io);
}

void cay_io_fini(struct cay_io *io)
{
	detach(io);
	if (io->out)
		evbuffer_free(io->out);
	io->out = NULL;
	if (io->fd >= 0)
		close(io->fd);
	io->fd = -1;
}

struct bufferevent *cay_io_to_bufferevent(struct cay_io *io, const void *data, size_t n)
{
	struct bufferevent *bev;
	struct evbuffer *in;

	detach(io);
	bev = bufferevent_socket_new(io->base, io->fd, BEV_OPT_CLOSE_ON_FREE);
	if (!bev)
		abort(); /* out of memory */
	io->fd = -1;
	/* libevent freezes the end of a bufferevent's input against its users. */
	in = bufferevent_get_input(bev);
	evbuffer_unfreeze(in, 0);
	evbuffer_add(in, data, n);
	evbuffer_freeze(in, 0);
	if (io->out) {
		evbuffer_add_buffer(bufferevent_get_output(bev), io->out);
		evbuffer_free(io->out);
		io->out = NULL;
	}
	return bev;
}
