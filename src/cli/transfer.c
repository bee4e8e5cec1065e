/* SPDX-License-Identifier: Apache-2.0 */
/* Streaming one file to or from a sandbox; see transfer.h. */
#include "cli/transfer.h"

#include <event2/event.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "net/url.h"

enum {
	CHUNK = 256 << 10,
	ERROR_BODY_MAX = 64 << 10,
	TARGET_MAX = 16 << 10,
	PROGRESS_EVERY_MS = 100,
};

struct move {
	struct cay_transfer *transfer;
	struct cay_call *call;
	const char *path;
	int fd;
	int64_t left; /* to be read; -1: until the end */
	bool all_sent, done;
	char *chunk;
	struct cay_buf error_body;
	uint64_t moved, size, shown_at_ms;
	struct cay_error err; /* CAY_OK: none */
};

static char *file_target(const struct cay_transfer *t, const char *what, const char *path)
{
	auto_buf struct cay_buf encoded;

	cay_buf_init(&encoded, TARGET_MAX);
	cay_url_encode(path, true, &encoded);
	return cay_client_target(t->sandbox, "/files%s?path=%s", what, encoded.data);
}

static void show_progress(struct move *m, bool last)
{
	uint64_t now = cay_clock_ms();

	if (!m->transfer->show_progress || (!last && now - m->shown_at_ms < PROGRESS_EVERY_MS))
		return;
	m->shown_at_ms = now;
	if (last)
		fputs("\r\033[K", stderr);
	else if (m->size)
		fprintf(stderr, "\r\033[K%.1f of %.1f MiB", (double)m->moved / (1 << 20),
			(double)m->size / (1 << 20));
	else
		fprintf(stderr, "\r\033[K%.1f MiB", (double)m->moved / (1 << 20));
}

static void stop(struct move *m)
{
	m->done = true;
	event_base_loopbreak(m->transfer->client->base);
}

static void on_answer_data(struct cay_call *call CAY_UNUSED, const void *data, size_t n, void *arg)
{
	struct move *m = arg;

	cay_buf_append(&m->error_body, data, n);
}

static void on_done(struct cay_call *call, const struct cay_error *err, void *arg)
{
	struct move *m = arg;
	const struct cay_client *c = m->transfer->client;
	int status = cay_call_status(call);

	m->call = NULL;
	if (m->err.code != CAY_OK) {
		stop(m);
		return;
	}
	if (err->code != CAY_OK) {
		m->err = *err;
		cay_client_advise(c, &m->err);
	} else if (status >= 300) {
		cay_client_fail(c, status, m->error_body.data, m->error_body.len, &m->err);
	}
	stop(m);
}

/* Runs the loop until the call is over; takes what the move owns down. */
static int finish(struct move *m, struct cay_error *err)
{
	struct event_base *base = m->transfer->client->base;

	while (!m->done && event_base_loop(base, EVLOOP_ONCE) == 0)
		;
	cay_call_cancel(m->call);
	show_progress(m, true);
	cay_buf_fini(&m->error_body);
	free(m->chunk);
	if (m->err.code != CAY_OK) {
		*err = m->err;
		return cay_fail_in(err, "%s", m->path);
	}
	m->transfer->files++;
	m->transfer->bytes += m->moved;
	return 0;
}

/* ---- up ---- */

static void send_more(struct cay_call *call, void *arg)
{
	struct move *m = arg;
	bool room = true;

	while (room && !m->all_sent && !m->done) {
		size_t want = m->left < 0 ? CHUNK : (size_t)CAY_MIN(m->left, (int64_t)CHUNK);
		ssize_t n = want ? read(m->fd, m->chunk, want) : 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || (n == 0 && m->left > 0)) {
			cay_fail(&m->err, CAY_E_SYSTEM, n < 0 ? errno : 0,
				 n < 0 ? "cannot read" : "the file shrank while it was read");
			stop(m);
		} else if (n == 0) {
			m->all_sent = true;
			cay_call_send_end(call);
		} else {
			m->left -= m->left < 0 ? 0 : n;
			m->moved += (uint64_t)n;
			room = cay_call_send(call, m->chunk, (size_t)n);
			show_progress(m, false);
		}
	}
}

int cay_transfer_put(struct cay_transfer *t, int fd, int64_t size, mode_t mode, const char *path,
		     struct cay_error *err)
{
	auto_free char *plain = file_target(t, "", path);
	auto_free char *target =
		mode ? cay_format("%s&mode=%04o", plain, mode & 07777) : cay_strdup(plain);
	struct move m = {.transfer = t, .path = path, .fd = fd, .left = size};
	struct cay_call_options options = {
		.method = "PUT",
		.target = target,
		.stream_length = size,
		.on_data = on_answer_data,
		.on_drain = send_more,
		.on_done = on_done,
		.arg = &m,
	};

	m.size = size > 0 ? (uint64_t)size : 0;
	m.chunk = cay_alloc(CHUNK);
	cay_buf_init(&m.error_body, ERROR_BODY_MAX);
	m.call = cay_call_start(t->client->endpoint, &options);
	if (size != 0 && m.call)
		send_more(m.call, &m);
	return finish(&m, err);
}

/* ---- down ---- */

static void on_head(struct cay_call *call, int status CAY_UNUSED, void *arg)
{
	struct move *m = arg;
	const char *length = cay_call_header(call, "Content-Length");

	m->size = length ? strtoull(length, NULL, 10) : 0;
}

static void on_content(struct cay_call *call, const void *data, size_t n, void *arg)
{
	struct move *m = arg;

	if (cay_call_status(call) >= 300) {
		cay_buf_append(&m->error_body, data, n);
	} else if (cay_fd_write_all(m->fd, data, n) < 0) {
		cay_fail(&m->err, CAY_E_SYSTEM, errno, "cannot write");
		stop(m);
	} else {
		m->moved += n;
		show_progress(m, false);
	}
}

int cay_transfer_get(struct cay_transfer *t, const char *path, int fd, struct cay_error *err)
{
	auto_free char *target = file_target(t, "", path);
	struct move m = {.transfer = t, .path = path, .fd = fd};
	struct cay_call_options options = {
		.method = "GET",
		.target = target,
		.on_head = on_head,
		.on_data = on_content,
		.on_done = on_done,
		.arg = &m,
	};

	cay_buf_init(&m.error_body, ERROR_BODY_MAX);
	m.call = cay_call_start(t->client->endpoint, &options);
	return finish(&m, err);
}

/* ---- about files ---- */

mode_t cay_transfer_mode(const json_t *entry)
{
	static const struct {
		const char *name;
		mode_t type;
	} types[] = {
		{"file", S_IFREG},  {"directory", S_IFDIR}, {"symlink", S_IFLNK},
		{"fifo", S_IFIFO},  {"socket", S_IFSOCK},   {"char", S_IFCHR},
		{"block", S_IFBLK},
	};
	const char *type = json_string_value(json_object_get(entry, "type"));
	const char *mode = json_string_value(json_object_get(entry, "mode"));
	mode_t permissions = mode ? (mode_t)strtoul(mode, NULL, 8) & 0777 : 0;

	for (size_t i = 0; type && i < CAY_LEN(types); i++)
		if (!strcmp(types[i].name, type))
			return types[i].type | permissions;
	return permissions;
}

int cay_transfer_stat(struct cay_transfer *t, const char *path, struct cay_remote_stat *ret,
		      struct cay_error *err)
{
	auto_free char *target = file_target(t, "/stat", path);
	auto_json json_t *answer = NULL;

	if (cay_client_json(t->client, "GET", target, NULL, &answer, err) < 0)
		return -1;
	ret->mode = cay_transfer_mode(answer);
	ret->size = (uint64_t)json_integer_value(json_object_get(answer, "size"));
	return 0;
}

int cay_transfer_mkdir(struct cay_transfer *t, const char *path, struct cay_error *err)
{
	auto_free char *target = cay_client_target(t->sandbox, "/files/mkdir");

	return cay_client_json(t->client, "POST", target, json_pack("{s:s}", "path", path), NULL,
			       err);
}

int cay_transfer_list(struct cay_transfer *t, const char *path, json_t **ret, struct cay_error *err)
{
	auto_free char *plain = file_target(t, "/list", path);
	auto_free char *target = cay_format("%s&depth=1", plain);
	auto_json json_t *answer = NULL;

	if (cay_client_json(t->client, "GET", target, NULL, &answer, err) < 0)
		return -1;
	if (json_is_true(json_object_get(answer, "truncated")))
		return cay_fail(err, CAY_E_LIMIT, 0, "%s: the folder has too many entries", path);
	*ret = json_incref(json_object_get(answer, "entries"));
	return 0;
}
