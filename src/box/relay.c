/* SPDX-License-Identifier: Apache-2.0 */
/* Moves bytes between a run and its caller. Knows nothing of how the sandbox is made. */
#include "box/relay.h"

#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "kern/pty.h"

enum {
	CHUNK = 16384,
	/* Above 0, 1, 2, however few of these the caller has open. */
	FD_MIN = 10,
	END_OF_INPUT = 4, /* ^D, to which a terminal answers with end of file */
};

void cay_relay_init(struct cay_relay *r)
{
	*r = (struct cay_relay){.inner = {-1, -1, -1}, .outer = {-1, -1}, .terminal = -1};
	cay_buf_init(&r->input, CHUNK);
	cay_buf_init(&r->captured[0], 0);
	cay_buf_init(&r->captured[1], 0);
}

static int high_fd(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, FD_MIN);

	close(fd);
	return high;
}

static int open_pipe(struct cay_relay *r, int i, struct cay_error *err)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "pipe");
	r->outer[i] = high_fd(p[0]);
	r->inner[i + 1] = high_fd(p[1]);
	if (r->outer[i] < 0 || r->inner[i + 1] < 0 || cay_fd_set_nonblock(r->outer[i], true) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "pipe");
	return 0;
}

int cay_relay_open(struct cay_relay *r, const struct cay_box_command *command, int stdio[3],
		   struct cay_error *err)
{
	int fd;

	r->command = command;
	for (int i = 0; i < 2; i++)
		r->captured[i].max = command->capture ? command->capture_max : 0;
	for (int i = 0; i < 2 && command->capture && !command->tty; i++)
		if (open_pipe(r, i, err) < 0)
			return -1;
	if (command->no_stdin && !command->tty) {
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		r->inner[0] = fd < 0 ? -1 : high_fd(fd);
		if (r->inner[0] < 0)
			return cay_fail(err, CAY_E_SYSTEM, errno, "open /dev/null");
	}
	memcpy(stdio, r->inner, sizeof(r->inner));
	return 0;
}

void cay_relay_close_inner(struct cay_relay *r)
{
	for (int i = 0; i < 3; i++) {
		cay_cleanup_close(&r->inner[i]);
		r->inner[i] = -1;
	}
}

/* ---- capture ---- */

/* Reads what there is. False: end of file. */
static bool read_captured(struct cay_relay *r, int i)
{
	char chunk[CHUNK];
	ssize_t n = read(r->outer[i], chunk, sizeof(chunk));
	struct cay_buf *b = &r->captured[i];

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n > 0)
		cay_buf_append(b, chunk, CAY_MIN((size_t)n, b->max - b->len));
	return n > 0;
}

/* ---- terminal ---- */

void cay_relay_resize(struct cay_relay *r)
{
	if (r->terminal >= 0)
		cay_pty_copy_size(STDIN_FILENO, r->terminal);
}

void cay_relay_set_terminal(struct cay_relay *r, int fd)
{
	struct termios raw;

	r->terminal = fd;
	cay_fd_set_nonblock(fd, true);
	cay_relay_resize(r);
	r->input_ended = r->command->no_stdin;
	if (!r->input_ended && tcgetattr(STDIN_FILENO, &r->saved) == 0) {
		raw = r->saved;
		cfmakeraw(&raw);
		r->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
	}
}

/* What the terminal shows goes to our stdout, or is captured. False: it is closed on the other side.
 */
static bool read_terminal(struct cay_relay *r)
{
	char chunk[CHUNK];
	ssize_t n = read(r->terminal, chunk, sizeof(chunk));
	struct cay_buf *b = &r->captured[0];

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n > 0 && r->command->capture)
		cay_buf_append(b, chunk, CAY_MIN((size_t)n, b->max - b->len));
	else if (n > 0)
		/* Our stdout may be closed; the command goes on all the same. */
		cay_fd_write_all(STDOUT_FILENO, chunk, (size_t)n);
	return n > 0;
}

static void read_input(struct cay_relay *r)
{
	char *to = cay_buf_reserve(&r->input, CHUNK);
	ssize_t n = to ? read(STDIN_FILENO, to, CHUNK) : 0;

	if (n > 0) {
		r->input.len += (size_t)n;
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		r->input_ended = true;
		cay_buf_putc(&r->input, END_OF_INPUT);
	}
}

static void write_input(struct cay_relay *r)
{
	ssize_t n = write(r->terminal, r->input.data, r->input.len);

	if (n > 0)
		cay_buf_consume(&r->input, (size_t)n);
}

/* ---- poll ---- */

size_t cay_relay_prepare(struct cay_relay *r, struct pollfd pfds[CAY_RELAY_FDS])
{
	bool has_input = r->input.len > 0;

	pfds[0] = (struct pollfd){.fd = r->outer[0], .events = POLLIN};
	pfds[1] = (struct pollfd){.fd = r->outer[1], .events = POLLIN};
	pfds[2] = (struct pollfd){.fd = r->terminal,
				  .events = (short)(POLLIN | (has_input ? POLLOUT : 0))};
	pfds[3] = (struct pollfd){
		.fd = r->terminal >= 0 && !r->input_ended && !has_input ? STDIN_FILENO : -1,
		.events = POLLIN};
	return CAY_RELAY_FDS;
}

void cay_relay_handle(struct cay_relay *r, const struct pollfd *pfds, size_t n)
{
	for (int i = 0; i < 2; i++) {
		if (pfds[i].revents && !read_captured(r, i)) {
			cay_cleanup_close(&r->outer[i]);
			r->outer[i] = -1;
		}
	}
	if (pfds[3].revents)
		read_input(r);
	if (pfds[2].revents & POLLOUT)
		write_input(r);
	if (pfds[2].revents & (POLLIN | POLLHUP) && !read_terminal(r)) {
		cay_cleanup_close(&r->terminal);
		r->terminal = -1;
	}
}

void cay_relay_finish(struct cay_relay *r, struct cay_box_result *result)
{
	/* All writers are dead: the pipes end, and the terminal gives what it holds and then EIO. */
	for (int i = 0; i < 2; i++) {
		if (r->outer[i] < 0)
			continue;
		cay_fd_set_nonblock(r->outer[i], false);
		while (read_captured(r, i))
			;
		cay_cleanup_close(&r->outer[i]);
	}
	if (r->terminal >= 0) {
		cay_fd_set_nonblock(r->terminal, false);
		while (read_terminal(r))
			;
		cay_cleanup_close(&r->terminal);
	}
	if (r->raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &r->saved);
	cay_relay_close_inner(r);
	result->out_n = r->captured[0].len;
	result->err_out_n = r->captured[1].len;
	if (r->command && r->command->capture) {
		result->out = cay_buf_take(&r->captured[0]);
		result->err_out = cay_buf_take(&r->captured[1]);
	}
	cay_buf_fini(&r->captured[0]);
	cay_buf_fini(&r->captured[1]);
	cay_buf_fini(&r->input);
}
