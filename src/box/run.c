/* SPDX-License-Identifier: Apache-2.0 */
/* cay_box_run: one command in a sandbox of its own, in the foreground. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "base/agent_proto.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "box/guest.h"
#include "box/relay.h"
#include "kern/pidfd.h"

enum { EXIT_TIMED_OUT = 124, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

const char *const *cay_box_default_env(void)
{
	static const char *env[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" CAY_AGENT_HOME,
		"USER=" CAY_AGENT_USER,
		"LOGNAME=" CAY_AGENT_USER,
		"SHELL=/bin/bash",
		"LANG=C.UTF-8",
		NULL,
		NULL,
	};
	static char term[64];
	const char *ours = getenv("TERM");

	if (!term[0] && ours && strlen(ours) < sizeof(term) - 5) {
		snprintf(term, sizeof(term), "TERM=%s", ours);
		env[6] = term;
	}
	return env;
}

struct run {
	struct cay_spawn spawn;
	struct cay_relay relay;
	struct cay_box_result *result;
	int signal_fd;
	uint64_t deadline_ns, started_ns; /* 0: none */
	bool started, ended;
	int early_signal; /* came before there was a command to tell */
	int status;
};

static int poll_timeout(const struct run *r)
{
	uint64_t now = cay_clock_ns();

	if (!r->deadline_ns)
		return -1;
	if (now >= r->deadline_ns)
		return 0;
	return (int)CAY_MIN((r->deadline_ns - now) / 1000000 + 1, (uint64_t)INT32_MAX);
}

static void on_started(struct run *r, const struct cay_facts *facts)
{
	r->started = true;
	r->started_ns = facts->exec_ns;
	r->spawn.facts = *facts;
	r->result->setup_ns = facts->exec_ns - r->spawn.start_ns;
	if (r->early_signal)
		cay_pidfd_signal(r->spawn.pidfd, r->early_signal);
}

static void on_no_exec(struct run *r, int failure, const struct cay_facts *facts)
{
	bool missing = failure == ENOENT || failure == ENOTDIR;

	r->status = (missing ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE) << 8;
	r->started = r->ended = true;
	r->spawn.facts = *facts;
}

/* One message of the child. -1: there is no sandbox. */
static int on_message(struct run *r, struct cay_error *err)
{
	struct cay_message message;
	int fd = -1, k = cay_spawn_receive(&r->spawn, &message, &fd);

	if (k < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "hear from the sandbox");
	if (k == 0) {
		/* PID 1 is gone without a word: killed. */
		if (!r->started)
			return cay_fail(err, CAY_E_SETUP, 0, "the sandbox died while it was made");
		r->status = SIGKILL;
		r->ended = true;
		return 0;
	}
	switch (message.kind) {
	case CAY_MESSAGE_ERROR:
		*err = message.error;
		return -1;
	case CAY_MESSAGE_TERMINAL:
		cay_relay_set_terminal(&r->relay, TAKE_FD(fd));
		break;
	case CAY_MESSAGE_STARTED:
		on_started(r, &message.facts);
		break;
	case CAY_MESSAGE_NO_EXEC:
		on_no_exec(r, message.status, &message.facts);
		break;
	case CAY_MESSAGE_EXITED:
		r->status = message.status;
		r->ended = true;
		break;
	case CAY_MESSAGE_READY:
		break;
	}
	if (fd >= 0)
		close(fd);
	return 0;
}

static void on_signal(struct run *r)
{
	struct signalfd_siginfo info;

	if (read(r->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGWINCH)
		cay_relay_resize(&r->relay);
	else if (r->started)
		cay_pidfd_signal(r->spawn.pidfd, (int)info.ssi_signo);
	else if (!r->early_signal)
		/* The command may run already, or will soon: it is told when we know. */
		r->early_signal = (int)info.ssi_signo;
	else
		cay_pidfd_signal(r->spawn.pidfd, SIGKILL);
}

static void on_timeout(struct run *r)
{
	r->result->timed_out = true;
	r->ended = true;
	r->status = SIGKILL;
	cay_pidfd_signal(r->spawn.pidfd, SIGKILL);
}

static int supervise(struct run *r, struct cay_error *err)
{
	struct pollfd pfds[2 + CAY_RELAY_FDS];
	size_t n;

	while (!r->ended) {
		pfds[0] = (struct pollfd){.fd = r->spawn.sock, .events = POLLIN};
		pfds[1] = (struct pollfd){.fd = r->signal_fd, .events = POLLIN};
		n = 2 + cay_relay_prepare(&r->relay, pfds + 2);
		if (poll(pfds, n, poll_timeout(r)) < 0 && errno != EINTR)
			return cay_fail(err, CAY_E_SYSTEM, errno, "poll");
		if (r->deadline_ns && cay_clock_ns() >= r->deadline_ns)
			on_timeout(r);
		else if (pfds[0].revents && on_message(r, err) < 0)
			return -1;
		if (pfds[1].revents & POLLIN)
			on_signal(r);
		cay_relay_handle(&r->relay, pfds + 2, n - 2);
	}
	return 0;
}

static void block_signals(sigset_t *ret_old, int *ret_fd)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, ret_old);
	*ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void fill_result(struct run *r)
{
	struct cay_box_result *result = r->result;
	int status = r->status;

	if (r->started_ns)
		result->duration_ns = cay_clock_ns() - r->started_ns;
	result->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	result->exit_code = result->signal ? 128 + result->signal : WEXITSTATUS(status);
	if (result->timed_out)
		result->exit_code = EXIT_TIMED_OUT;
}

static int run(struct run *r, const struct cay_box_command *command, struct cay_error *err)
{
	struct cay_guest guest = {.command = command};
	int result;

	if (cay_relay_open(&r->relay, command, guest.stdio, err) < 0)
		return -1;
	for (int i = 0; i < 3 && !command->tty; i++)
		r->spawn.apply.files.output[i] = guest.stdio[i] >= 0 ? guest.stdio[i] : i;
	if (r->spawn.spec->timeout_ms)
		r->deadline_ns = r->spawn.start_ns + r->spawn.spec->timeout_ms * 1000000;
	result = cay_spawn_fork(&r->spawn, cay_guest_main, &guest, err);
	cay_relay_close_inner(&r->relay);
	return result < 0 ? -1 : supervise(r, err);
}

int cay_box_run(const struct cay_box_spec *spec, const struct cay_box_command *command,
		struct cay_box_result *ret, struct cay_error *err)
{
	struct run r = {.result = ret, .signal_fd = -1};
	sigset_t old;
	int result;

	*ret = (struct cay_box_result){};
	if (!command->argv || !command->argv[0])
		return cay_fail(err, CAY_E_INVALID, 0, "there is no command to run");
	if (cay_spawn_init(&r.spawn, spec, false, NULL, err) < 0)
		return -1;
	r.spawn.apply.want_facts = command->report;
	cay_relay_init(&r.relay);
	block_signals(&old, &r.signal_fd);
	result = run(&r, command, err);
	if (!result)
		fill_result(&r);
	if (!result && command->report && r.spawn.facts.exec_ns)
		ret->report = cay_spawn_report(&r.spawn);
	cay_spawn_fini(&r.spawn, &ret->oom);
	/* Now that no process of the sandbox is left, nothing more can come: to the last byte. */
	cay_relay_finish(&r.relay, ret);
	cay_cleanup_close(&r.signal_fd);
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (result < 0)
		cay_box_result_fini(ret);
	return result;
}

void cay_box_result_fini(struct cay_box_result *r)
{
	free(r->out);
	free(r->err_out);
	json_decref(r->report);
	*r = (struct cay_box_result){};
}
