/* SPDX-License-Identifier: Apache-2.0 */
/* A bash session: terminal, screen, prompt messages. */
#include "agent/shell.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>

#include "agent/bash_split.h"
#include "agent/pty.h"
#include "agent/screen.h"
#include "agent/service.h"
#include "agent/shell_prompt.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"

enum {
	READ_CHUNK = 64 << 10,
	READS_PER_TURN = 8,
	START_TIMEOUT_MS = 10000, /* for ~/.bashrc */
	SENTINEL_TIMEOUT_MS = 250,
	CONFIRM_MS = 100,
	LINE_MAX_TYPED = 3800, /* a terminal takes lines of 4095 bytes (termios(3), ICANON) */
	EXIT_SIGNAL = 128,
};

enum repair {
	REPAIR_NONE,
	REPAIR_CONFIRM, /* a sentinel without a message: is bash really at its prompt? */
	REPAIR_TYPED,   /* the hook is being installed again; the screen is muted */
};

struct cay_shell {
	struct cay_service *service;
	struct cay_shell_ops ops;
	void *arg;
	enum cay_shell_state state;
	pid_t pid;
	struct cay_reaper_watch watch;
	int master, slave; /* the slave stays open, so that input can be thrown away */
	struct event readable, writable;
	struct evbuffer *queue;
	struct termios modes; /* of the terminal at the start */
	struct cay_screen *screen;
	struct cay_shell_prompt prompt; /* the other end of the hook */
	struct event message;
	struct cay_shell_sentinel sentinel;
	bool look_again; /* a sentinel was the last; the message came behind what was read */
	int command_fd;  /* memfd for commands that cannot be typed */
	struct event timer;
	enum repair repair;
	uint64_t changes; /* last reported */
	char *echo;
	int exit_code;
	bool has_events;
	unsigned busy; /* inside how many of our own callbacks */
	bool doomed;   /* destroyed by the owner; released when busy is 0 */
};

static void release(struct cay_shell *s);

static char read_buffer[READ_CHUNK];

static void set_timer(struct cay_shell *s, unsigned ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};

	event_add(&s->timer, &tv);
}

static bool in_foreground(const struct cay_shell *s)
{
	return tcgetpgrp(s->master) == s->pid;
}

/* Most of it fits at once; the rest waits for bash to read. */
static void type(struct cay_shell *s, const char *text, size_t n)
{
	ssize_t k = evbuffer_get_length(s->queue) ? 0 : write(s->master, text, n);

	if (k == (ssize_t)n)
		return;
	k = CAY_MAX(k, 0);
	evbuffer_add(s->queue, text + k, n - (size_t)k);
	event_add(&s->writable, NULL);
}

static void enter_state(struct cay_shell *s, enum cay_shell_state state)
{
	s->state = state;
	event_del(&s->timer);
	s->ops.on_state(s, s->arg);
}

static void type_install(struct cay_shell *s)
{
	auto_free char *line = cay_shell_prompt_install(&s->sentinel);

	type(s, line, strlen(line));
}

/* ---- the end of a command ---- */

static void finish_command(struct cay_shell *s)
{
	s->repair = REPAIR_NONE;
	s->exit_code = s->prompt.exit_code;
	s->prompt.arrived = s->prompt.keep_first = s->look_again = false;
	if (s->state == CAY_SHELL_STARTING)
		cay_screen_reset(s->screen);
	if (s->state != CAY_SHELL_IDLE)
		enter_state(s, CAY_SHELL_IDLE);
}

/* The hook cannot reach us any more (its descriptor is closed): this bash is of no use. */
static void give_up(struct cay_shell *s)
{
	s->exit_code = -1;
	cay_reaper_unwatch(&s->service->reaper, &s->watch);
	kill(-s->pid, SIGHUP);
	kill(s->pid, SIGKILL);
	enter_state(s, CAY_SHELL_ENDED);
}

/* Bash has printed its prompt, or a program has printed the same. Bash's message was sent before its
 * prompt, and all output before the message: what is read once the message is known holds the whole
 * output, and its prompt comes last. */
static void on_sentinel(struct cay_shell *s, bool is_last)
{
	bool was_known = s->prompt.arrived;

	cay_shell_prompt_receive(&s->prompt, s->pid);
	if (s->prompt.arrived) {
		if (is_last && was_known)
			finish_command(s);
		else
			s->look_again = is_last;
	} else if (s->repair == REPAIR_TYPED) {
		give_up(s);
	} else if (s->state == CAY_SHELL_RUNNING && in_foreground(s)) {
		s->repair = REPAIR_CONFIRM;
		set_timer(s, CONFIRM_MS);
	}
}

static void on_timer(struct cay_shell *s)
{
	if (s->state == CAY_SHELL_STARTING || s->state == CAY_SHELL_ENDED) {
		give_up(s);
	} else if (s->prompt.arrived) {
		/* The prompt was changed behind the hook: no sentinel will come. */
		if (in_foreground(s))
			finish_command(s);
	} else if (s->repair == REPAIR_CONFIRM && in_foreground(s)) {
		s->repair = REPAIR_TYPED;
		s->prompt.keep_first = true;
		type_install(s);
	} else {
		s->repair = REPAIR_NONE;
	}
}

/* ---- the terminal ---- */

static void show(struct cay_shell *s, const char *data, size_t n)
{
	if (s->repair != REPAIR_TYPED && s->state != CAY_SHELL_STARTING)
		cay_screen_write(s->screen, data, n);
}

static void report_change(struct cay_shell *s)
{
	uint64_t changes = cay_screen_changes(s->screen);

	if (changes == s->changes)
		return;
	s->changes = changes;
	if (s->state == CAY_SHELL_RUNNING && s->ops.on_change)
		s->ops.on_change(s, s->arg);
}

/* Hands on what lies before, between and after sentinels. */
static void take_output(struct cay_shell *s, const char *data, size_t n)
{
	struct cay_shell_piece piece;

	while (n > 0 && !s->doomed) {
		size_t used = cay_shell_sentinel_scan(&s->sentinel, data, n, &piece);

		show(s, piece.held, piece.n_held);
		show(s, data, piece.n);
		data += used;
		n -= used;
		if (piece.n || piece.n_held)
			s->look_again = false;
		if (piece.found)
			on_sentinel(s, n == 0);
	}
	if (!s->doomed)
		report_change(s);
}

/* Reads what is there: at most `max` chunks. */
static void read_terminal(struct cay_shell *s, int max)
{
	for (int i = 0; (i < max || s->look_again) && !s->doomed; i++) {
		ssize_t n = read(s->master, read_buffer, sizeof(read_buffer));

		if (n <= 0) {
			if (s->look_again)
				finish_command(s);
			return;
		}
		take_output(s, read_buffer, (size_t)n);
	}
}

/* Callbacks of the owner may destroy the shell: that then happens here, at the end of ours. */
static void leave(struct cay_shell *s)
{
	if (--s->busy == 0 && s->doomed)
		release(s);
}

static void on_readable(int fd, short what, void *arg)
{
	struct cay_shell *s = arg;

	(void)fd;
	(void)what;
	s->busy++;
	read_terminal(s, READS_PER_TURN);
	leave(s);
}

static void on_writable(int fd, short what, void *arg)
{
	struct cay_shell *s = arg;

	(void)what;
	while (evbuffer_get_length(s->queue) > 0)
		if (evbuffer_write(s->queue, fd) < 0)
			break;
	if (evbuffer_get_length(s->queue) > 0)
		event_add(&s->writable, NULL);
}

static void on_message(int fd, short what, void *arg)
{
	struct cay_shell *s = arg;

	(void)fd;
	(void)what;
	s->busy++;
	if (!cay_shell_prompt_receive(&s->prompt, s->pid))
		event_del(&s->message);
	if (s->prompt.arrived && s->state == CAY_SHELL_RUNNING && s->repair == REPAIR_NONE)
		set_timer(s, SENTINEL_TIMEOUT_MS);
	/* The prompt is already on its way, and mostly there. */
	if (s->prompt.arrived)
		read_terminal(s, READS_PER_TURN);
	leave(s);
}

static void on_timeout(int fd, short what, void *arg)
{
	struct cay_shell *s = arg;

	(void)fd;
	(void)what;
	s->busy++;
	on_timer(s);
	leave(s);
}

static void on_exit_status(struct cay_reaper_watch *watch, int status)
{
	struct cay_shell *s = CAY_CONTAINER_OF(watch, struct cay_shell, watch);

	s->busy++;
	s->exit_code = WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
	/* Its last words, and no sentinel among them counts any more. */
	s->prompt.arrived = false;
	read_terminal(s, READS_PER_TURN);
	if (!s->doomed)
		enter_state(s, CAY_SHELL_ENDED);
	leave(s);
}

/* ---- life ---- */

static int open_channels(struct cay_shell *s, int *ret_prompt_fd, struct cay_error *err)
{
	if (cay_pty_open(CAY_SHELL_ROWS, CAY_SHELL_COLS, &s->master, &s->slave, err) < 0)
		return -1;
	if (tcgetattr(s->slave, &s->modes) == 0) {
		s->modes.c_iflag |= IUTF8;
		tcsetattr(s->slave, TCSANOW, &s->modes);
	}
	s->command_fd = memfd_create("command", MFD_CLOEXEC);
	if (s->command_fd < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "memfd_create");
	return cay_shell_prompt_open(&s->prompt, ret_prompt_fd, err);
}

static int spawn_bash(struct cay_shell *s, const char *cwd, int prompt_fd, struct cay_error *err)
{
	/* Line editing would echo what is typed in its own way, and take a tab for a question. */
	static const char *const argv[] = {"/bin/bash", "--noediting", "-i", NULL};
	const struct cay_spawn spawn = {
		.argv = argv,
		.env = (const char *const *)s->service->config.env,
		.cwd = cwd,
		.stdio = {s->slave, s->slave, s->slave},
		.terminal = true,
		.extra = {{.fd = prompt_fd, .as = CAY_SHELL_PROMPT_FD},
			  {.fd = s->command_fd, .as = CAY_SHELL_COMMAND_FD}},
		.n_extra = 2,
	};

	return cay_spawn(&s->service->spawner, &spawn, &s->pid, err);
}

static void add_events(struct cay_shell *s)
{
	struct event_base *base = s->service->base;

	event_assign(&s->readable, base, s->master, EV_READ | EV_PERSIST, on_readable, s);
	event_assign(&s->writable, base, s->master, EV_WRITE, on_writable, s);
	event_assign(&s->message, base, s->prompt.fd, EV_READ | EV_PERSIST, on_message, s);
	event_assign(&s->timer, base, -1, 0, on_timeout, s);
	event_add(&s->readable, NULL);
	event_add(&s->message, NULL);
	s->watch = (struct cay_reaper_watch){.pid = s->pid, .on_exit = on_exit_status};
	cay_reaper_watch(&s->service->reaper, &s->watch);
	s->has_events = true;
}

int cay_shell_create(struct cay_service *service, const char *cwd, const struct cay_shell_ops *ops,
		     void *arg, struct cay_shell **ret, struct cay_error *err)
{
	struct cay_shell *s = cay_alloc(sizeof(*s));
	auto_close int prompt_fd = -1;

	*s = (struct cay_shell){.service = service,
				.ops = *ops,
				.arg = arg,
				.master = -1,
				.slave = -1,
				.command_fd = -1,
				.prompt.fd = -1};
	cay_shell_sentinel_init(&s->sentinel);
	if (open_channels(s, &prompt_fd, err) < 0 || spawn_bash(s, cwd, prompt_fd, err) < 0) {
		release(s);
		return -1;
	}
	s->prompt.cwd = cay_strdup(cwd);
	s->screen = cay_screen_create(CAY_SHELL_ROWS, CAY_SHELL_COLS);
	s->queue = evbuffer_new();
	add_events(s);
	type_install(s);
	set_timer(s, START_TIMEOUT_MS);
	*ret = s;
	return 0;
}

static void release(struct cay_shell *s)
{
	if (s->has_events) {
		event_del(&s->readable);
		event_del(&s->writable);
		event_del(&s->message);
		event_del(&s->timer);
	}
	if (s->queue)
		evbuffer_free(s->queue);
	cay_screen_destroy(s->screen);
	cay_shell_prompt_close(&s->prompt);
	if (s->slave >= 0)
		close(s->slave);
	if (s->master >= 0)
		close(s->master); /* hangs up: SIGHUP to the foreground */
	if (s->command_fd >= 0)
		close(s->command_fd);
	free(s->echo);
	free(s);
}

void cay_shell_destroy(struct cay_shell *s)
{
	pid_t foreground;

	if (!s || s->doomed)
		return;
	s->doomed = true;
	if (s->state != CAY_SHELL_ENDED) {
		cay_reaper_unwatch(&s->service->reaper, &s->watch);
		foreground = tcgetpgrp(s->master);
		if (foreground > 1 && foreground != s->pid)
			kill(-foreground, SIGKILL);
		kill(-s->pid, SIGKILL);
	}
	if (s->busy == 0)
		release(s);
}

enum cay_shell_state cay_shell_state(const struct cay_shell *s)
{
	return s->state;
}

int cay_shell_exit_code(const struct cay_shell *s)
{
	return s->exit_code;
}

int64_t cay_shell_background_pid(const struct cay_shell *s)
{
	return s->prompt.background_pid;
}

const char *cay_shell_cwd(const struct cay_shell *s)
{
	return s->prompt.cwd;
}

const char *cay_shell_path(const struct cay_shell *s)
{
	return s->prompt.path ? s->prompt.path : "";
}

/* ---- commands and input ---- */

/* A terminal in canonical mode interprets control characters (and echoes a tab as something else
 * than it is) and takes lines of limited length. */
static bool fits_terminal(const char *command, size_t n)
{
	size_t line = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)command[i];

		line = c == '\n' ? 0 : line + 1;
		if ((c < 0x20 && c != '\n') || c == 0x7f || line > LINE_MAX_TYPED)
			return false;
	}
	return true;
}

/* One line is typed. So are several that do not end a command: bash goes on reading, as it would for
 * a person. Anything else that is typed could bring several prompts. */
static bool can_be_typed(const char *command, size_t n)
{
	struct cay_bash_split split;
	bool open;

	if (!fits_terminal(command, n))
		return false;
	if (!memchr(command, '\n', n))
		return true;
	cay_bash_split(command, n, &split);
	open = split.result == CAY_BASH_INCOMPLETE && split.n_ended == 0 && command[0] != '#';
	cay_bash_split_fini(&split);
	return open;
}

/* As a screen shows it: without blanks at the ends of lines. */
static void set_echo(struct cay_shell *s, const char *text, size_t n)
{
	char *out;
	size_t k = 0;

	free(s->echo);
	s->echo = out = cay_alloc(n + 1);
	for (size_t i = 0; i < n; i++) {
		while (text[i] == '\n' && k > 0 && out[k - 1] == ' ')
			k--;
		out[k++] = text[i];
	}
	out[k] = '\0';
}

static void type_line(struct cay_shell *s, const char *text, size_t n)
{
	auto_free char *line = cay_format("%.*s\n", (int)n, text);

	set_echo(s, text, n);
	type(s, line, n + 1);
}

/* Through a file that bash reads. Typed is only the order to do so. */
static void run_from_file(struct cay_shell *s, const char *command, size_t n)
{
	char line[64];
	int len;

	if (ftruncate(s->command_fd, 0) < 0 || lseek(s->command_fd, 0, SEEK_SET) < 0 ||
	    cay_fd_write_all(s->command_fd, command, n) < 0) {
		/* No memory for the file: bash reports a command that is cut. */
		n = 0;
	}
	len = snprintf(line, sizeof(line), " eval \"$(</proc/self/fd/%d)\"", CAY_SHELL_COMMAND_FD);
	type_line(s, line, (size_t)len);
}

void cay_shell_run(struct cay_shell *s, const char *command)
{
	size_t n = strlen(command);
	struct termios modes;

	/* A program that has died may have left the terminal raw, or half a line of input. */
	if (tcgetattr(s->slave, &modes) == 0 && !(modes.c_lflag & ICANON))
		tcsetattr(s->slave, TCSANOW, &s->modes);
	tcflush(s->slave, TCIFLUSH);
	s->state = CAY_SHELL_RUNNING;
	s->prompt.arrived = s->prompt.keep_first = false;
	if (can_be_typed(command, n))
		type_line(s, command, n);
	else
		run_from_file(s, command, n);
}

void cay_shell_input(struct cay_shell *s, const char *text)
{
	size_t n = strlen(text);
	auto_free char *typed = cay_format("%s\r", text);

	for (size_t i = 0; i < n; i++)
		if (typed[i] == '\n')
			typed[i] = '\r';
	set_echo(s, text, n);
	type(s, typed, n + 1);
}

void cay_shell_key(struct cay_shell *s, char letter)
{
	char control = (char)(letter & 0x1f);

	if (s->state == CAY_SHELL_IDLE) {
		s->state = CAY_SHELL_RUNNING;
		s->prompt.arrived = s->prompt.keep_first = false;
	}
	set_echo(s, "", 0);
	type(s, &control, 1);
}

void cay_shell_text(const struct cay_shell *s, struct cay_buf *out)
{
	cay_screen_text(s->screen, out);
}

bool cay_shell_has_lost(const struct cay_shell *s)
{
	return cay_screen_has_lost(s->screen);
}

void cay_shell_clear(struct cay_shell *s)
{
	cay_screen_reset(s->screen);
}

const char *cay_shell_echo(const struct cay_shell *s)
{
	return s->echo ? s->echo : "";
}
