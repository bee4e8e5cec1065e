/* SPDX-License-Identifier: Apache-2.0 */
/* Pipes, terminal, timers and the end of one program. */
#include "agent/child.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

#include "agent/pty.h"
#include "agent/service.h"
#include "agent/spawn.h"
#include "base/mem.h"

enum {
	READ_CHUNK = 64 << 10,
	READS_PER_TURN = 4, /* then other events get their turn */
	GRACE_MS = 1000,
	EXIT_TIMEOUT = 124,
	EXIT_SIGNAL = 128,
	TERMINAL_TRIES = 4,
	LAST_WORDS_MAX = 4 << 20, /* bytes taken from a terminal after the end */
};

struct output {
	struct event event;
	struct cay_child *child;
	enum cay_stream stream;
	int fd; /* -1: at its end */
};

enum child_state {
	CHILD_RUNNING,
	CHILD_TERMINATING, /* SIGTERM sent, SIGKILL follows */
	CHILD_ENDED,
};

struct cay_child {
	struct cay_service *service;
	struct cay_child_options options;
	enum child_state state;
	pid_t pid;
	struct cay_reaper_watch watch;
	struct output output[CAY_STREAM_COUNT];
	int input_fd; /* the terminal's master is output[CAY_STDOUT].fd too; -1: closed */
	struct event input_event;
	struct evbuffer *queue;
	bool input_closing;
	bool input_full;
	struct event timer;
	bool timed_out;
	uint64_t oom_before;
};

/* One buffer for all: the agent has one thread, and a callback is done with it when it returns. */
static char read_buffer[READ_CHUNK];

static void set_timer(struct cay_child *c, uint64_t ms)
{
	struct timeval tv = {.tv_sec = (time_t)(ms / 1000),
			     .tv_usec = (suseconds_t)(ms % 1000 * 1000)};

	event_add(&c->timer, &tv);
}

static void close_output(struct output *o)
{
	if (o->fd < 0)
		return;
	event_del(&o->event);
	close(o->fd);
	o->fd = -1;
}

static void drop_input(struct cay_child *c)
{
	if (c->input_fd < 0)
		return;
	event_del(&c->input_event);
	close(c->input_fd);
	c->input_fd = -1;
	evbuffer_drain(c->queue, evbuffer_get_length(c->queue));
}

/* The kernel's worker that fills a terminal's buffer stops when that is full and is started anew by
 * who reads. A reader that comes between is told that nothing is there, even that the other end is
 * closed (EIO), while bytes are on their way; each further read waits for the worker first. So the
 * word of a terminal after its child's end, and EIO at any time, counts only when repeated. */
static ssize_t read_output(const struct output *o, size_t max, bool ended)
{
	int tries = o->child->options.pty ? TERMINAL_TRIES : 1;
	ssize_t n;

	do
		n = read(o->fd, read_buffer, CAY_MIN(max, sizeof(read_buffer)));
	while (n < 0 && (errno == EIO || (ended && errno == EAGAIN)) && --tries > 0);
	return n;
}

/* 1: more may follow, 0: nothing now, -1: the end. */
static int read_once(struct output *o, size_t max, size_t *ret_n)
{
	ssize_t n = read_output(o, max, o->child->state == CHILD_ENDED);

	*ret_n = 0;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) /* EIO: a terminal whose other end is closed everywhere */
		return -1;
	*ret_n = (size_t)n;
	o->child->options.on_output(o->child, o->stream, read_buffer, (size_t)n);
	return 1;
}

static void on_readable(int fd, short what, void *arg)
{
	struct output *o = arg;
	size_t n;

	(void)fd;
	(void)what;
	for (int i = 0; i < READS_PER_TURN; i++) {
		int more = read_once(o, sizeof(read_buffer), &n);

		if (more < 0)
			close_output(o);
		if (more <= 0)
			return;
	}
}

/* After the end: what is there now, and no more, because a descendant may go on writing. */
static void read_rest(struct output *o)
{
	int pending = 0;
	size_t rest, n;

	if (o->fd < 0)
		return;
	/* Reading a terminal until EAGAIN also waits for bytes on their way to it (n_tty flushes
	 * its work queue); a pipe knows how much it holds. */
	if (o->child->options.pty)
		rest = LAST_WORDS_MAX;
	else
		rest = ioctl(o->fd, FIONREAD, &pending) == 0 ? (size_t)pending : 0;
	while (rest > 0 && read_once(o, rest, &n) > 0)
		rest -= n;
	close_output(o);
}

static void on_writable(int fd, short what, void *arg)
{
	struct cay_child *c = arg;

	(void)what;
	while (evbuffer_get_length(c->queue) > 0) {
		int n = evbuffer_write(c->queue, fd);

		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			drop_input(c);
			break;
		}
	}
	if (c->input_fd >= 0 && evbuffer_get_length(c->queue) > 0)
		event_add(&c->input_event, NULL);
	else if (c->input_closing)
		drop_input(c);
	if (c->input_full && evbuffer_get_length(c->queue) < CAY_CHILD_QUEUE_MAX / 2) {
		c->input_full = false;
		if (c->options.on_input_drain)
			c->options.on_input_drain(c);
	}
}

static void on_timer(int fd, short what, void *arg)
{
	struct cay_child *c = arg;

	(void)fd;
	(void)what;
	if (c->state == CHILD_TERMINATING) {
		kill(-c->pid, SIGKILL);
		return;
	}
	c->timed_out = true;
	cay_child_terminate(c);
}

static void describe_end(struct cay_child *c, int status, struct cay_child_end *end)
{
	*end = (struct cay_child_end){.timed_out = c->timed_out};
	if (WIFSIGNALED(status)) {
		end->signal = WTERMSIG(status);
		end->exit_code = EXIT_SIGNAL + end->signal;
	} else {
		end->exit_code = WEXITSTATUS(status);
	}
	/* A shell whose command was killed says 137 and ends by itself. */
	end->oom = end->exit_code == EXIT_SIGNAL + SIGKILL &&
		   cay_service_oom_kills(c->service) > c->oom_before;
	if (c->timed_out)
		end->exit_code = EXIT_TIMEOUT;
}

/* Still a zombie here: the group's id is ours. */
static void on_exit_status(struct cay_reaper_watch *watch, int status)
{
	struct cay_child *c = CAY_CONTAINER_OF(watch, struct cay_child, watch);
	struct cay_child_end end;

	event_del(&c->timer);
	if (c->state == CHILD_TERMINATING)
		kill(-c->pid, SIGKILL);
	c->state = CHILD_ENDED;
	describe_end(c, status, &end);
	drop_input(c);
	for (size_t i = 0; i < CAY_LEN(c->output); i++)
		read_rest(&c->output[i]);
	c->options.on_end(c, &end);
}

static void add_output(struct cay_child *c, enum cay_stream stream, int fd)
{
	struct output *o = &c->output[stream];

	o->fd = fd;
	event_assign(&o->event, c->service->base, fd, EV_READ | EV_PERSIST, on_readable, o);
	event_add(&o->event, NULL);
}

static void add_input(struct cay_child *c, int fd)
{
	c->input_fd = fd;
	event_assign(&c->input_event, c->service->base, fd, EV_WRITE, on_writable, c);
}

/* The child's ends (0, 1, 2) and ours; all CLOEXEC, ours non-blocking. */
struct ends {
	int theirs[3];
	int out, err, in;
};

static void close_ends(struct ends *e)
{
	int fds[] = {e->theirs[0], e->theirs[1], e->theirs[2], e->out, e->err, e->in};

	for (size_t i = 0; i < CAY_LEN(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int open_pipe(int *ret_read, int *ret_write, int *ours)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	*ret_read = fds[0];
	*ret_write = fds[1];
	return fcntl(*ours, F_SETFL, O_NONBLOCK);
}

static int open_pipes(struct ends *e, enum cay_child_input input, struct cay_error *err)
{
	if (input == CAY_CHILD_NO_INPUT) {
		e->theirs[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (e->theirs[0] < 0)
			return cay_fail(err, CAY_E_SYSTEM, errno, "open /dev/null");
	} else if (open_pipe(&e->theirs[0], &e->in, &e->in) < 0) {
		return cay_fail(err, CAY_E_SYSTEM, errno, "pipe");
	}
	if (open_pipe(&e->out, &e->theirs[1], &e->out) < 0 ||
	    open_pipe(&e->err, &e->theirs[2], &e->err) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "pipe");
	return 0;
}

static int open_terminal(struct ends *e, const struct cay_child_pty *pty, struct cay_error *err)
{
	if (cay_pty_open(pty->rows, pty->cols, &e->out, &e->theirs[0], err) < 0)
		return -1;
	e->in = fcntl(e->out, F_DUPFD_CLOEXEC, 3);
	e->theirs[1] = fcntl(e->theirs[0], F_DUPFD_CLOEXEC, 3);
	e->theirs[2] = fcntl(e->theirs[0], F_DUPFD_CLOEXEC, 3);
	if (e->in < 0 || e->theirs[1] < 0 || e->theirs[2] < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "duplicate the terminal");
	return 0;
}

static int start(struct cay_service *s, const struct cay_child_options *options, struct ends *e,
		 pid_t *ret_pid, struct cay_error *err)
{
	struct cay_spawn spawn = {
		.argv = (const char *const *)options->argv,
		.env = (const char *const *)options->env,
		.cwd = options->cwd,
		.terminal = options->pty,
	};

	if (options->pty) {
		if (open_terminal(e, options->pty, err) < 0)
			return -1;
	} else if (open_pipes(e, options->input, err) < 0) {
		return -1;
	}
	memcpy(spawn.stdio, e->theirs, sizeof(spawn.stdio));
	return cay_spawn(&s->spawner, &spawn, ret_pid, err);
}

int cay_child_start(struct cay_service *s, const struct cay_child_options *options,
		    struct cay_child **ret, struct cay_error *err)
{
	struct ends e = {.theirs = {-1, -1, -1}, .out = -1, .err = -1, .in = -1};
	uint64_t oom_before = cay_service_oom_kills(s);
	struct cay_child *c;
	pid_t pid;

	if (start(s, options, &e, &pid, err) < 0) {
		close_ends(&e);
		return -1;
	}
	c = cay_alloc(sizeof(*c));
	*c = (struct cay_child){.service = s,
				.options = *options,
				.pid = pid,
				.input_fd = -1,
				.oom_before = oom_before,
				.queue = evbuffer_new(),
				.watch = {.pid = pid, .on_exit = on_exit_status}};
	for (size_t i = 0; i < CAY_LEN(c->output); i++)
		c->output[i] = (struct output){.child = c, .stream = i, .fd = -1};
	add_output(c, CAY_STDOUT, TAKE_FD(e.out));
	if (e.err >= 0)
		add_output(c, CAY_STDERR, TAKE_FD(e.err));
	if (e.in >= 0)
		add_input(c, TAKE_FD(e.in));
	close_ends(&e);
	event_assign(&c->timer, s->base, -1, 0, on_timer, c);
	if (options->timeout_ms)
		set_timer(c, options->timeout_ms);
	cay_reaper_watch(&s->reaper, &c->watch);
	*ret = c;
	return 0;
}

void cay_child_destroy(struct cay_child *c)
{
	if (!c)
		return;
	if (c->state != CHILD_ENDED) {
		cay_reaper_unwatch(&c->service->reaper, &c->watch);
		kill(-c->pid, SIGKILL);
		event_del(&c->timer);
	}
	drop_input(c);
	for (size_t i = 0; i < CAY_LEN(c->output); i++)
		close_output(&c->output[i]);
	evbuffer_free(c->queue);
	free(c);
}

void *cay_child_arg(const struct cay_child *c)
{
	return c->options.arg;
}

pid_t cay_child_pid(const struct cay_child *c)
{
	return c->pid;
}

bool cay_child_write(struct cay_child *c, const void *data, size_t n)
{
	if (c->input_fd < 0 || c->input_closing)
		return true;
	evbuffer_add(c->queue, data, n);
	event_add(&c->input_event, NULL);
	c->input_full = evbuffer_get_length(c->queue) >= CAY_CHILD_QUEUE_MAX;
	return !c->input_full;
}

void cay_child_close_input(struct cay_child *c)
{
	static const char eot = 4; /* VEOF of a fresh terminal */

	if (c->input_fd < 0)
		return;
	if (c->options.pty) {
		cay_child_write(c, &eot, 1);
		return;
	}
	c->input_closing = true;
	if (evbuffer_get_length(c->queue) == 0)
		drop_input(c);
}

bool cay_child_input_open(const struct cay_child *c)
{
	return c->input_fd >= 0 && !c->input_closing;
}

int cay_child_signal(struct cay_child *c, int sig)
{
	if (c->state == CHILD_ENDED) {
		errno = ESRCH;
		return -1;
	}
	return kill(-c->pid, sig);
}

void cay_child_terminate(struct cay_child *c)
{
	if (c->state != CHILD_RUNNING)
		return;
	c->state = CHILD_TERMINATING;
	kill(-c->pid, SIGTERM);
	/* A stopped process acts on SIGTERM only once it goes on. */
	kill(-c->pid, SIGCONT);
	set_timer(c, GRACE_MS);
}

void cay_child_pause_output(struct cay_child *c, bool pause)
{
	for (struct output *o = c->output; o < c->output + CAY_STREAM_COUNT; o++) {
		if (o->fd < 0)
			continue;
		if (pause)
			event_del(&o->event);
		else
			event_add(&o->event, NULL);
	}
}

int cay_child_resize(struct cay_child *c, unsigned rows, unsigned cols)
{
	if (!c->options.pty || c->output[CAY_STDOUT].fd < 0)
		return -1;
	return cay_pty_resize(c->output[CAY_STDOUT].fd, rows, cols);
}
