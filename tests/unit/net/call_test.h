/* SPDX-License-Identifier: Apache-2.0 */
/* A recorded call, for the tests of the client and of what stands on it. */
#pragma once

#include "net/client.h"

#include "net_test.h"

struct record {
	struct cay_call *call;
	int status, dones, heads;
	struct cay_buf body;
	struct cay_error err;
	char header[100];
	const char *header_name; /* copied into header when the head comes */
	bool cancel_at_head, pause_at_data;
	struct bufferevent *bev;
};

static CAY_UNUSED void record_head(struct cay_call *call, int status, void *arg)
{
	struct record *r = arg;
	const char *value = r->header_name ? cay_call_header(call, r->header_name) : NULL;

	r->heads++;
	r->status = status;
	snprintf(r->header, sizeof(r->header), "%s", value ? value : "-");
	if (r->cancel_at_head) {
		cay_call_cancel(call);
		r->call = NULL;
		r->dones = -1;
	}
}

static CAY_UNUSED void record_data(struct cay_call *call, const void *data, size_t n, void *arg)
{
	struct record *r = arg;

	cay_buf_append(&r->body, data, n);
	if (r->pause_at_data)
		cay_call_pause(call);
}

static CAY_UNUSED void record_done(struct cay_call *call, const struct cay_error *err, void *arg)
{
	struct record *r = arg;

	r->dones++;
	r->err = *err;
	r->call = NULL;
}

static CAY_UNUSED void record_upgrade(struct cay_call *call, struct bufferevent *bev, void *arg)
{
	struct record *r = arg;

	r->bev = bev;
}

static CAY_UNUSED void record_start(struct record *r, struct cay_endpoint *e,
				    const struct cay_call_options *options)
{
	struct cay_call_options o = *options;

	cay_buf_init(&r->body, 256 << 20);
	o.on_head = record_head;
	o.on_data = record_data;
	o.on_done = record_done;
	o.on_upgrade = record_upgrade;
	o.arg = r;
	if (!o.method)
		o.method = "GET";
	r->call = cay_call_start(e, &o);
}

static CAY_UNUSED void record_wait(struct record *r)
{
	while (!r->dones)
		turn();
}

static CAY_UNUSED struct cay_endpoint *endpoint(const char *url)
{
	struct cay_endpoint *e = NULL;
	struct cay_error err;

	if (cay_endpoint_create(base, url, &e, &err) < 0)
		printf("# %s\n", err.msg);
	return e;
}

static CAY_UNUSED struct cay_endpoint *endpoint_of_server(void)
{
	char url[50];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u", server_port);
	return endpoint(url);
}

/* A server whose every byte is the test's: listens, and takes connections when asked. */
static CAY_UNUSED int raw_listen(uint16_t *ret_port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (bind(fd, (struct sockaddr *)&addr, n) < 0 || listen(fd, 10) < 0 ||
	    getsockname(fd, (struct sockaddr *)&addr, &n) < 0) {
		printf("Bail out! listen: %s\n", strerror(errno));
		_exit(1);
	}
	*ret_port = ntohs(addr.sin_port);
	return fd;
}

static CAY_UNUSED void raw_accept(struct client *c, int sock)
{
	int fd;

	while ((fd = accept4(sock, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0)
		event_base_loop(base, EVLOOP_NONBLOCK);
	client_on_fd(c, fd);
}
