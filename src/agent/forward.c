/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/forward.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/mem.h"

enum { CONNECT_TIMEOUT_S = 5 };

struct cay_forward {
	struct event_base *base;
	uint16_t port;
	size_t tried;
	int fd;
	int first_errno;
	struct event event;
	void (*on_done)(int fd, const struct cay_error *err, void *arg);
	void *arg;
};

static void finish(struct cay_forward *f, int fd)
{
	struct cay_error err = {};

	if (fd < 0) {
		cay_fail(&err, CAY_E_UNAVAILABLE, f->first_errno,
			 "cannot connect to port %u inside the sandbox", f->port);
		cay_fail_hint(&err, "start the server there, listening on 127.0.0.1 or on all "
				    "addresses");
	}
	f->on_done(fd, &err, f->arg);
	free(f);
}

static int open_address(struct cay_forward *f)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET,
				 .sin_port = htons(f->port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
				  .sin6_port = htons(f->port),
				  .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	bool second = f->tried > 0;
	int one = 1;

	f->tried++;
	f->fd = socket(second ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (f->fd < 0)
		return -1;
	setsockopt(f->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (second)
		return connect(f->fd, (struct sockaddr *)&v6, sizeof(v6));
	return connect(f->fd, (struct sockaddr *)&v4, sizeof(v4));
}

static void give_up_address(struct cay_forward *f, int sys)
{
	if (!f->first_errno)
		f->first_errno = sys;
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

static bool try_next(struct cay_forward *f);

static void on_connected(int fd, short what, void *arg)
{
	struct cay_forward *f = arg;
	socklen_t n = sizeof(int);
	int sys = ETIMEDOUT;

	if (!(what & EV_TIMEOUT) && getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &n) < 0)
		sys = errno;
	if (!sys) {
		finish(f, fd);
		return;
	}
	give_up_address(f, sys);
	try_next(f);
}

/* False: it is over, and f is gone. */
static bool try_next(struct cay_forward *f)
{
	static const struct timeval timeout = {.tv_sec = CONNECT_TIMEOUT_S};

	while (f->tried < 2) {
		if (open_address(f) == 0) {
			finish(f, f->fd);
			return false;
		}
		if (errno == EINPROGRESS) {
			event_assign(&f->event, f->base, f->fd, EV_WRITE, on_connected, f);
			event_add(&f->event, &timeout);
			return true;
		}
		give_up_address(f, errno);
	}
	finish(f, -1);
	return false;
}

struct cay_forward *
cay_forward_connect(struct event_base *base, uint16_t port,
		    void (*on_done)(int fd, const struct cay_error *err, void *arg), void *arg)
{
	struct cay_forward *f = cay_alloc(sizeof(*f));

	*f = (struct cay_forward){
		.base = base, .port = port, .fd = -1, .on_done = on_done, .arg = arg};
	return try_next(f) ? f : NULL;
}

void cay_forward_cancel(struct cay_forward *f)
{
	event_del(&f->event);
	give_up_address(f, 0);
	free(f);
}
