/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP server: listening sockets, the set of connections and its limit, draining, the clock of
 * the Date header. */
#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "net/http_impl.h"

enum {
	BACKLOG = 1024,
	ACCEPTS_PER_TURN = 64,
	RETRY_MS = 100, /* when descriptors are used up */
};

const struct cay_http_limits cay_http_limits_default = {
	.head_bytes = 32 << 10,
	.header_count = 100,
	.target_bytes = 16 << 10,
	.body_bytes = 8 << 20,
	.connections = 1024,
	.head_timeout_ms = 10 * 1000,
	.idle_timeout_ms = 75 * 1000,
	.body_timeout_ms = 60 * 1000,
	.write_timeout_ms = 60 * 1000,
	.high_water = 256 << 10,
};

/* ---- accepting ---- */

static void refuse(int fd)
{
	struct cay_error e;
	auto_json json_t *shape = NULL;
	auto_free char *body = NULL;
	auto_free char *text = NULL;

	cay_fail(&e, CAY_E_OVERLOADED, 0, "too many connections at the moment");
	shape = cay_json_error(&e);
	body = cay_json_text(shape);
	text = cay_format("HTTP/1.1 %d %s\r\nConnection: close\r\n"
			  "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
			  cay_error_http_status(e.code),
			  cay_head_reason(cay_error_http_status(e.code)), strlen(body), body);
	send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

/* One that waits for a request gives way to a new one: those that opened a connection and never
 * asked anything cannot keep others out. */
static bool make_room(struct cay_http_server *s)
{
	struct cay_conn *oldest = TAILQ_FIRST(&s->waiting);

	if (!oldest)
		return false;
	cay_conn_free(oldest);
	return true;
}

static void take_connection(struct cay_listener *l, int fd)
{
	struct cay_http_server *s = l->server;
	int on = 1;

	if (s->n_conns >= s->o.limits.connections && !make_room(s)) {
		refuse(fd);
		return;
	}
	if (!l->is_unix) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	}
	cay_conn_create(s, fd, l->is_unix);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct cay_listener *l = arg;

	event_add(&l->event, NULL);
}

/* No descriptor is left: an idle connection is given up, else accepting rests for a moment. */
static void out_of_descriptors(struct cay_listener *l)
{
	struct timeval tv = {.tv_usec = RETRY_MS * 1000};

	if (make_room(l->server))
		return;
	event_del(&l->event);
	event_add(&l->retry, &tv);
}

static void on_accept(evutil_socket_t sock, short what, void *arg)
{
	struct cay_listener *l = arg;
	int fd, sys;

	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		fd = accept4(sock, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			take_connection(l, fd);
			continue;
		}
		sys = errno;
		/* accept4 says so before it looks into the queue: only the first call knows that
		 * somebody waits. */
		if (!i && (sys == EMFILE || sys == ENFILE || sys == ENOBUFS || sys == ENOMEM))
			out_of_descriptors(l);
		if (sys != EINTR && sys != ECONNABORTED)
			return;
	}
}

/* ---- listening ---- */

static void free_listener(struct cay_listener *l)
{
	TAILQ_REMOVE(&l->server->listeners, l, link);
	event_del(&l->event);
	event_del(&l->retry);
	close(l->fd);
	free(l);
}

int cay_http_listen_fd(struct cay_http_server *s, int fd, struct cay_error *err)
{
	struct sockaddr_storage addr = {};
	socklen_t n = sizeof(addr);
	auto_close int sock = fd;
	struct cay_listener *l;

	if (getsockname(sock, (struct sockaddr *)&addr, &n) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "getsockname");
	if (cay_fd_set_nonblock(sock, true) < 0 || cay_fd_set_cloexec(sock, true) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "fcntl");
	l = cay_alloc(sizeof(*l));
	l->server = s;
	l->is_unix = addr.ss_family == AF_UNIX;
	l->fd = TAKE_FD(sock);
	event_assign(&l->event, s->o.base, l->fd, EV_READ | EV_PERSIST, on_accept, l);
	evtimer_assign(&l->retry, s->o.base, on_retry, l);
	event_add(&l->event, NULL);
	TAILQ_INSERT_TAIL(&s->listeners, l, link);
	return 0;
}

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static int parse_address(const char *text, uint16_t port, union address *ret, socklen_t *ret_n,
			 struct cay_error *err)
{
	*ret = (union address){};
	if (inet_pton(AF_INET, text, &ret->v4.sin_addr) == 1) {
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons(port);
		*ret_n = sizeof(ret->v4);
	} else if (inet_pton(AF_INET6, text, &ret->v6.sin6_addr) == 1) {
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htons(port);
		*ret_n = sizeof(ret->v6);
	} else {
		cay_fail(err, CAY_E_INVALID, 0, "'%.80s' is not an IP address", text);
		return cay_fail_hint(err, "for example 127.0.0.1, 0.0.0.0 or ::1");
	}
	return 0;
}

int cay_http_listen_tcp(struct cay_http_server *s, const char *address, uint16_t port,
			uint16_t *ret_port, struct cay_error *err)
{
	auto_close int fd = -1;
	union address addr;
	socklen_t n;
	int on = 1;

	if (parse_address(address, port, &addr, &n, err) < 0)
		return -1;
	fd = socket(addr.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "setsockopt SO_REUSEADDR");
	if (bind(fd, &addr.any, n) < 0 || listen(fd, BACKLOG) < 0) {
		cay_fail(err, errno == EADDRINUSE ? CAY_E_CONFLICT : cay_error_from_errno(errno),
			 errno, "listen on %s port %u", address, port);
		return err->sys == EADDRINUSE
			       ? cay_fail_hint(err, "another program has this port; choose one, or "
						    "0 for any")
			       : -1;
	}
	if (getsockname(fd, &addr.any, &n) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "getsockname");
	if (cay_http_listen_fd(s, TAKE_FD(fd), err) < 0)
		return -1;
	*ret_port = ntohs(addr.any.sa_family == AF_INET ? addr.v4.sin_port : addr.v6.sin6_port);
	return 0;
}

int cay_http_listen_unix(struct cay_http_server *s, const char *path, struct cay_error *err)
{
	int fd;

	if (cay_fd_listen_unix(path, BACKLOG, &fd, err) < 0)
		return -1;
	return cay_http_listen_fd(s, fd, err);
}

/* ---- life ---- */

static void on_drained(evutil_socket_t fd, short what, void *arg)
{
	struct cay_http_server *s = arg;

	if (s->on_drained)
		s->on_drained(s->on_drained_arg);
}

int cay_http_server_create(const struct cay_http_server_options *options,
			   struct cay_http_server **ret, struct cay_error *err)
{
	struct cay_http_server *s = cay_alloc(sizeof(*s));

	s->o = *options;
	if (!s->o.limits.head_bytes)
		s->o.limits = cay_http_limits_default;
	s->head_limits = (struct cay_head_limits){.bytes = s->o.limits.head_bytes,
						  .start_bytes = s->o.limits.target_bytes,
						  .field_count = s->o.limits.header_count};
	if (cay_routes_create(s->o.tables, &s->routes, err) < 0) {
		free(s);
		return -1;
	}
	TAILQ_INIT(&s->waiting);
	TAILQ_INIT(&s->busy);
	TAILQ_INIT(&s->listeners);
	evtimer_assign(&s->drained, s->o.base, on_drained, s);
	*ret = s;
	return 0;
}

static void stop_listening(struct cay_http_server *s)
{
	struct cay_listener *l;

	while ((l = TAILQ_FIRST(&s->listeners)))
		free_listener(l);
}

static void close_all(struct cay_conn_list *list)
{
	struct cay_conn *c;

	while ((c = TAILQ_FIRST(list)))
		cay_conn_free(c);
}

void cay_http_server_destroy(struct cay_http_server *s)
{
	if (!s)
		return;
	s->draining = true;
	s->on_drained = NULL;
	stop_listening(s);
	close_all(&s->busy);
	close_all(&s->waiting);
	event_del(&s->drained);
	cay_routes_destroy(s->routes);
	free(s);
}

void cay_http_server_drain(struct cay_http_server *s, void (*done)(void *arg), void *arg)
{
	s->draining = true;
	s->on_drained = done;
	s->on_drained_arg = arg;
	stop_listening(s);
	close_all(&s->waiting);
	cay_server_conn_gone(s);
}

void cay_server_conn_gone(struct cay_http_server *s)
{
	if (s->draining && !s->n_conns)
		event_active(&s->drained, EV_TIMEOUT, 0);
}

unsigned cay_http_server_connections(const struct cay_http_server *s)
{
	return s->n_conns;
}

const char *cay_server_date(struct cay_http_server *s)
{
	static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	int64_t now = cay_clock_unix_ms() / 1000;
	time_t t = (time_t)now;
	struct tm tm;

	if (now == s->date_s)
		return s->date;
	gmtime_r(&t, &tm); /* strftime's names would follow the locale */
	snprintf(s->date, sizeof(s->date), "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
		 days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
		 tm.tm_min, tm.tm_sec);
	s->date_s = now;
	return s->date;
}
