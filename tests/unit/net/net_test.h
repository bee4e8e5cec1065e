/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of net/ share: one event base, a server on it with the test's routes, and raw
 * clients whose bytes the test writes and reads itself. Waiting is running the loop until something
 * has come; a guard of 20 seconds ends the program if it never does.
 */
#pragma once

#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "net/http.h"

#include "tap.h"

static struct event_base *base;
static struct cay_http_server *server;
static uint16_t server_port;

struct client {
	int fd;
	struct event *event;
	struct cay_buf in;
	bool ended;
	bool reading;
};

static CAY_UNUSED void guard(evutil_socket_t fd, short what, void *arg)
{
	printf("Bail out! waited too long\n");
	_exit(1);
}

static CAY_UNUSED void turn(void)
{
	struct timeval tv = {.tv_sec = 20};
	struct event *timer = evtimer_new(base, guard, NULL);

	event_add(timer, &tv);
	event_base_loop(base, EVLOOP_ONCE);
	event_free(timer);
}

/* Everything that can happen without new input has happened. */
static CAY_UNUSED void settle(void)
{
	for (int i = 0; i < 20; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static CAY_UNUSED void start(const struct cay_http_server_options *options)
{
	struct cay_http_server_options o = *options;
	struct event_config *config = event_config_new();
	struct cay_error err;

	signal(SIGPIPE, SIG_IGN);
	/* No cached time: limits of some milliseconds are tested. */
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
	base = event_base_new_with_config(config);
	event_config_free(config);
	o.base = base;
	if (cay_http_server_create(&o, &server, &err) < 0 ||
	    cay_http_listen_tcp(server, "127.0.0.1", 0, &server_port, &err) < 0) {
		printf("Bail out! %s\n", err.msg);
		_exit(1);
	}
}

static CAY_UNUSED void start_routes(const struct cay_http_route *routes)
{
	const struct cay_http_route *const tables[] = {routes, NULL};

	start(&(struct cay_http_server_options){.tables = tables});
}

static CAY_UNUSED void stop(void)
{
	cay_http_server_destroy(server);
	server = NULL;
	event_base_free(base);
	base = NULL;
}

static CAY_UNUSED void on_client(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	char data[65536];
	ssize_t n = recv(fd, data, sizeof(data), MSG_DONTWAIT);

	if (n > 0) {
		cay_buf_append(&c->in, data, (size_t)n);
		return;
	}
	if (n < 0 && errno == EAGAIN)
		return;
	c->ended = true;
	event_del(c->event);
}

static CAY_UNUSED void client_on_fd(struct client *c, int fd)
{
	*c = (struct client){.fd = fd};
	cay_buf_init(&c->in, 256 << 20);
	c->event = event_new(base, fd, EV_READ | EV_PERSIST, on_client, c);
	event_add(c->event, NULL);
}

static CAY_UNUSED void client_create(struct client *c)
{
	client_on_fd(c, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	event_del(c->event); /* an unconnected socket is readable: it says so */
}

static CAY_UNUSED void client_connect(struct client *c)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_port = htons(server_port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	if (connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		printf("Bail out! connect: %s\n", strerror(errno));
		_exit(1);
	}
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	event_add(c->event, NULL);
}

static CAY_UNUSED void client_open(struct client *c)
{
	client_create(c);
	client_connect(c);
}

static CAY_UNUSED void client_close(struct client *c)
{
	event_free(c->event);
	close(c->fd);
	cay_buf_fini(&c->in);
}

/* Writes all, running the loop while the socket is full. */
static CAY_UNUSED void client_send_n(struct client *c, const void *data, size_t n)
{
	const char *p = data;
	ssize_t k;

	while (n) {
		k = send(c->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (k < 0 && errno != EAGAIN)
			return;
		if (k < 0) {
			event_base_loop(base, EVLOOP_NONBLOCK);
			continue;
		}
		p += k;
		n -= (size_t)k;
	}
}

static CAY_UNUSED void client_send(struct client *c, const char *text)
{
	client_send_n(c, text, strlen(text));
}

/* Runs the loop until the client has received `text`, or the end. */
static CAY_UNUSED void client_wait(struct client *c, const char *text)
{
	while (!c->ended && !memmem(c->in.data, c->in.len, text, strlen(text)))
		turn();
}

static CAY_UNUSED void client_wait_end(struct client *c)
{
	while (!c->ended)
		turn();
}

/* One request on a connection of its own; all of the answer, up to the server's close. */
static CAY_UNUSED char *ask(const char *request)
{
	struct client c;
	char *answer;

	client_open(&c);
	client_send(&c, request);
	client_wait_end(&c);
	answer = cay_buf_take(&c.in);
	client_close(&c);
	return answer;
}

static CAY_UNUSED bool has(const char *text, const char *part)
{
	if (text && strstr(text, part))
		return true;
	printf("# '%s' has no '%s'\n", text ? text : "(null)", part);
	return false;
}

static CAY_UNUSED int status_of(const char *answer)
{
	return strncmp(answer, "HTTP/1.1 ", 9) ? 0 : (int)strtol(answer + 9, NULL, 10);
}
