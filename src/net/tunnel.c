/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections of an endpoint that lies behind another one. The near end of a socket pair is given
 * out at once; its far end is joined with the stream that the upgrade brings. What is sent before
 * waits in the pair. An upgrade that is refused becomes the HTTP answer on the near end, so that
 * the call that wanted the connection ends with the reason.
 */
#include <event2/bufferevent.h>
#include <string.h>
#include <sys/socket.h>

#include "base/json.h"
#include "base/mem.h"
#include "net/client_impl.h"

enum { ANSWER_MAX = 16 << 10 };

struct cay_tunnel {
	TAILQ_ENTRY(cay_tunnel) entry; /* in endpoint->tunnels until it is open or refused */
	struct cay_endpoint *endpoint;
	struct cay_call *call;
	int far_fd;            /* -1 once it has been joined */
	struct cay_buf answer; /* the body of a refusal */
};

static void tunnel_free(struct cay_tunnel *t)
{
	TAILQ_REMOVE(&t->endpoint->tunnels, t, entry);
	cay_cleanup_close(&t->far_fd);
	cay_buf_fini(&t->answer);
	free(t);
}

static void on_upgrade(struct cay_call *call, struct bufferevent *stream, void *arg)
{
	struct cay_tunnel *t = arg;
	struct bufferevent *far = bufferevent_socket_new(t->endpoint->base, TAKE_FD(t->far_fd),
							 BEV_OPT_CLOSE_ON_FREE);

	cay_relay_in(&t->endpoint->joined, far, stream, NULL, NULL);
}

static void on_data(struct cay_call *call, const void *data, size_t n, void *arg)
{
	struct cay_tunnel *t = arg;

	cay_buf_append(&t->answer, data, n);
}

/* Small enough for the empty socket: it never blocks. */
static void refuse(struct cay_tunnel *t, int status)
{
	auto_free char *text =
		cay_format("HTTP/1.1 %d %s\r\nContent-Type: application/json\r\n"
			   "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
			   status, cay_head_reason(status), t->answer.len, t->answer.data);

	send(t->far_fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void on_done(struct cay_call *call, const struct cay_error *err, void *arg)
{
	struct cay_tunnel *t = arg;
	int status = cay_call_status(call);

	if (err->code != CAY_OK) {
		auto_json json_t *shape = cay_json_error(err);
		auto_free char *text = cay_json_text(shape);

		cay_buf_clear(&t->answer);
		cay_buf_puts(&t->answer, text);
		status = cay_error_http_status(err->code);
	}
	if (t->far_fd >= 0)
		refuse(t, status);
	tunnel_free(t);
}

int cay_tunnel_open(struct cay_endpoint *e, int *ret_fd, struct cay_error *err)
{
	static const struct cay_header headers[] = {
		{"Connection", "Upgrade"},
		{"Upgrade", "tcp"},
		{},
	};
	struct cay_tunnel *t;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "socketpair");
	t = cay_alloc(sizeof(*t));
	t->endpoint = e;
	t->far_fd = pair[1];
	cay_buf_init(&t->answer, ANSWER_MAX);
	TAILQ_INSERT_TAIL(&e->tunnels, t, entry);
	t->call = cay_call_start(e->through, &(struct cay_call_options){
						     .method = "GET",
						     .target = e->through_target,
						     .headers = headers,
						     .upgrade = true,
						     .on_data = on_data,
						     .on_upgrade = on_upgrade,
						     .on_done = on_done,
						     .arg = t,
					     });
	*ret_fd = pair[0];
	return 0;
}

void cay_tunnels_cancel(struct cay_endpoint *e)
{
	struct cay_tunnel *t;

	while ((t = TAILQ_FIRST(&e->tunnels))) {
		cay_call_cancel(t->call);
		tunnel_free(t);
	}
}
