/* SPDX-License-Identifier: Apache-2.0 */
/* Where a client's calls go: connecting, and connections kept for reuse. */
#include <arpa/inet.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/mem.h"
#include "net/client_impl.h"

enum {
	HEAD_BYTES = 64 << 10,
	HEAD_FIELDS = 200,
	PENDING_MAX = 256 << 10,
};

static const struct cay_head_limits head_limits = {
	.bytes = HEAD_BYTES,
	.start_bytes = HEAD_BYTES,
	.field_count = HEAD_FIELDS,
};

/* ---- endpoints ---- */

static struct cay_endpoint *create_endpoint(struct event_base *base, const struct cay_url *url)
{
	struct cay_endpoint *e = cay_alloc(sizeof(*e));

	e->base = base;
	e->url = *url;
	TAILQ_INIT(&e->idle);
	TAILQ_INIT(&e->working);
	TAILQ_INIT(&e->calls);
	TAILQ_INIT(&e->tunnels);
	TAILQ_INIT(&e->joined);
	return e;
}

int cay_endpoint_create(struct event_base *base, const char *url, struct cay_endpoint **ret,
			struct cay_error *err)
{
	struct cay_url parsed;

	if (cay_url_parse_server(url, &parsed, err) < 0)
		return -1;
	*ret = create_endpoint(base, &parsed);
	return 0;
}

struct cay_endpoint *cay_endpoint_create_tunnel(struct cay_endpoint *through, const char *target)
{
	struct cay_endpoint *e = create_endpoint(through->base, &through->url);

	e->through = through;
	e->through_target = cay_strdup(target);
	return e;
}

void cay_endpoint_destroy(struct cay_endpoint *e)
{
	if (!e)
		return;
	while (!TAILQ_EMPTY(&e->calls))
		cay_call_cancel(TAILQ_FIRST(&e->calls));
	while (!TAILQ_EMPTY(&e->idle))
		cay_link_close(TAILQ_FIRST(&e->idle));
	cay_tunnels_cancel(e);
	cay_endpoint_end_streams(e);
	free(e->through_target);
	for (size_t i = 0; i < e->n_headers; i++) {
		free(e->headers[i].name);
		free(e->headers[i].value);
	}
	free(e->headers);
	free(e);
}

void cay_endpoint_end_streams(struct cay_endpoint *e)
{
	cay_relay_end_all(&e->joined);
}

struct event_base *cay_endpoint_base(const struct cay_endpoint *e)
{
	return e->base;
}

void cay_endpoint_set(struct cay_endpoint *e, const char *name, const char *value)
{
	size_t i = 0;

	while (i < e->n_headers && strcasecmp(e->headers[i].name, name) != 0)
		i++;
	if (i < e->n_headers) {
		free(e->headers[i].name);
		free(e->headers[i].value);
		e->headers[i] = e->headers[--e->n_headers];
	}
	if (!value)
		return;
	e->headers = cay_realloc_array(e->headers, e->n_headers + 1, sizeof(*e->headers));
	e->headers[e->n_headers++] =
		(struct cay_endpoint_header){.name = cay_strdup(name), .value = cay_strdup(value)};
}

/* ---- connecting ---- */

static int unreachable(const struct cay_endpoint *e, int sys, struct cay_error *err)
{
	if (e->url.is_unix)
		return cay_fail(err, CAY_E_UNAVAILABLE, sys, "connect to '%s'", e->url.path);
	return cay_fail(err, CAY_E_UNAVAILABLE, sys, "connect to %s port %u", e->url.host,
			e->url.port);
}

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static int look_up(const struct cay_endpoint *e, union address *ret, struct cay_error *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	int rc = getaddrinfo(e->url.host, NULL, &hints, &list);

	if (rc)
		return cay_fail(err, CAY_E_UNAVAILABLE, 0, "look up '%s': %s", e->url.host,
				gai_strerror(rc));
	memcpy(ret, list->ai_addr, CAY_MIN((size_t)list->ai_addrlen, sizeof(*ret)));
	freeaddrinfo(list);
	return 0;
}

/* An IP address is taken as it is, and "localhost" is one (RFC 6761, 6.3): only another name is
 * looked up, which blocks, and in a static program needs the host's own libraries. */
static int find_address(const struct cay_endpoint *e, union address *ret, struct cay_error *err)
{
	const char *host = strcasecmp(e->url.host, "localhost") ? e->url.host : "127.0.0.1";

	*ret = (union address){};
	if (inet_pton(AF_INET, host, &ret->v4.sin_addr) == 1)
		ret->any.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, host, &ret->v6.sin6_addr) == 1)
		ret->any.sa_family = AF_INET6;
	else if (look_up(e, ret, err) < 0)
		return -1;
	if (ret->any.sa_family == AF_INET6)
		ret->v6.sin6_port = htons(e->url.port);
	else
		ret->v4.sin_port = htons(e->url.port);
	return 0;
}

static int connect_tcp(const struct cay_endpoint *e, int *ret_fd, bool *ret_connecting,
		       struct cay_error *err)
{
	auto_close int fd = -1;
	union address addr;
	int on = 1;

	if (find_address(e, &addr, err) < 0)
		return -1;
	fd = socket(addr.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return unreachable(e, errno, err);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	*ret_connecting =
		connect(fd, &addr.any,
			addr.any.sa_family == AF_INET6 ? sizeof(addr.v6) : sizeof(addr.v4)) < 0;
	if (*ret_connecting && errno != EINPROGRESS)
		return unreachable(e, errno, err);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int connect_server(struct cay_endpoint *e, int *ret_fd, bool *ret_connecting,
			  struct cay_error *err)
{
	int fd;

	if (e->through) {
		*ret_connecting = false;
		return cay_tunnel_open(e, ret_fd, err);
	}
	if (!e->url.is_unix)
		return connect_tcp(e, ret_fd, ret_connecting, err);
	/* A unix socket connects at once or, when its queue is full, not at all. */
	if (cay_fd_connect_unix_now(e->url.path, &fd, err) < 0)
		return -1;
	*ret_connecting = false;
	*ret_fd = fd;
	return 0;
}

/* ---- connections ---- */

static struct cay_link *create_link(struct cay_endpoint *e, int fd, bool connecting)
{
	struct cay_link *link = cay_alloc(sizeof(*link));

	link->endpoint = e;
	cay_buf_init(&link->pending, PENDING_MAX);
	cay_io_init(&link->io, e->base, fd, connecting, CAY_LINK_HIGH_WATER / 4, &cay_link_ops);
	return link;
}

int cay_link_get(struct cay_call *call, bool fresh, struct cay_error *err)
{
	struct cay_endpoint *e = call->endpoint;
	struct cay_link *link = TAILQ_FIRST(&e->idle);
	bool connecting;
	int fd;

	if (link && !fresh) {
		TAILQ_REMOVE(&e->idle, link, entry);
		e->n_idle--;
		link->reused = true;
	} else if (connect_server(e, &fd, &connecting, err) < 0) {
		return -1;
	} else {
		link = create_link(e, fd, connecting);
	}
	cay_head_init(&link->head, true, &head_limits);
	link->got_bytes = false;
	link->call = call;
	call->link = link;
	TAILQ_INSERT_TAIL(&e->working, link, entry);
	return 0;
}

static void unlink_link(struct cay_link *link)
{
	struct cay_endpoint *e = link->endpoint;

	if (link->call) {
		link->call->link = NULL;
		link->call = NULL;
		TAILQ_REMOVE(&e->working, link, entry);
		return;
	}
	TAILQ_REMOVE(&e->idle, link, entry);
	e->n_idle--;
}

void cay_link_close(struct cay_link *link)
{
	if (link->gone)
		*link->gone = true;
	unlink_link(link);
	cay_io_fini(&link->io);
	cay_head_fini(&link->head);
	cay_buf_fini(&link->pending);
	free(link);
}

void cay_link_release(struct cay_link *link)
{
	struct cay_endpoint *e = link->endpoint;

	link->call->link = NULL;
	link->call = NULL;
	cay_head_fini(&link->head);
	cay_io_resume(&link->io);
	TAILQ_REMOVE(&e->working, link, entry);
	TAILQ_INSERT_HEAD(&e->idle, link, entry);
	if (++e->n_idle > CAY_LINK_IDLE_MAX)
		cay_link_close(TAILQ_LAST(&e->idle, cay_link_list));
}
