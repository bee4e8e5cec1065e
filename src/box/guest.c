/* SPDX-License-Identifier: Apache-2.0 */
/* PID 1 of a run. Locked already when it starts: it has no more rights than the command. */
#include "box/guest.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kern/pty.h"

enum { SOCK_FD = 3 };

static const int forwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

/* Signals that a parent may have told us to ignore: exec keeps that. */
static const int reset[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT, SIGPIPE,
			    SIGUSR1, SIGUSR2, SIGCHLD, SIGALRM, SIGTSTP};

static void fail_and_die(int sock, const char *what)
{
	struct cay_error err = {};

	cay_fail(&err, CAY_E_SETUP, errno, "%s", what);
	cay_spawn_die(sock, &err);
}

static void open_terminal(int sock, int stdio[3])
{
	struct cay_message message = {.kind = CAY_MESSAGE_TERMINAL};
	struct cay_error err = {};
	int leader, follower;

	if (cay_pty_open("/dev/ptmx", &leader, &follower, &err) < 0) {
		err.code = CAY_E_SETUP;
		cay_spawn_die(sock, &err);
	}
	cay_spawn_send(sock, &message, leader);
	close(leader);
	for (int i = 0; i < 3; i++)
		stdio[i] = follower;
}

/* Leaves 0, 1, 2 and the socket, at 3; nothing else of the host's survives. */
static int arrange_descriptors(int sock, const int stdio[3])
{
	for (int i = 0; i < 3; i++)
		if (stdio[i] >= 0 && dup2(stdio[i], i) < 0)
			fail_and_die(sock, "descriptors: dup2");
	if (sock != SOCK_FD && dup3(sock, SOCK_FD, O_CLOEXEC) < 0)
		fail_and_die(sock, "descriptors: dup3");
	if (close_range(SOCK_FD + 1, UINT_MAX, 0) < 0)
		fail_and_die(SOCK_FD, "descriptors: close_range");
	return SOCK_FD;
}

static void exec_along_path(const char *const *argv, const char *const *env, const char *path)
{
	char full[PATH_MAX];
	int denied = 0;
	size_t n;

	for (;; path += n + 1) {
		n = strcspn(path, ":");
		if ((size_t)snprintf(full, sizeof(full), "%.*s%s%s", (int)n, path, n ? "/" : "",
				     argv[0]) < sizeof(full))
			execve(full, (char **)(uintptr_t)argv, (char **)(uintptr_t)env);
		if (errno == EACCES)
			denied = EACCES;
		else if (errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG)
			return;
		if (!path[n])
			break;
	}
	errno = denied ? denied : ENOENT;
}

static void exec_command(const struct cay_box_command *command)
{
	const char *const *env = command->env ? command->env : cay_box_default_env();
	const char *path = cay_env_get(env, "PATH");

	if (strchr(command->argv[0], '/'))
		execve(command->argv[0], (char **)(uintptr_t)command->argv,
		       (char **)(uintptr_t)env);
	else if (!*command->argv[0])
		errno = ENOENT;
	else
		exec_along_path(command->argv, env, path ? path : "/usr/local/bin:/usr/bin:/bin");
}

/* vfork: the memory of this process, however much it is of its parent's, is not copied. The child
 * touches nothing but `failure`. */
static pid_t start_command(const struct cay_box_command *command, int *ret_failure)
{
	volatile int failure = 0;
	sigset_t none;
	pid_t pid;

	sigemptyset(&none);
	pid = vfork();
	if (pid == 0) {
		/* A process group of its own, so that a signal for the command reaches its children
		 * as well, and does not reach this process. A terminal wants a whole session; else
		 * this process's, which has none, will do. */
		if (command->tty) {
			setsid();
			ioctl(0, TIOCSCTTY, 0);
		} else {
			setpgid(0, 0);
		}
		sigprocmask(SIG_SETMASK, &none, NULL);
		exec_command(command);
		failure = errno;
		_exit(127);
	}
	*ret_failure = failure;
	return pid;
}

static void catch_signals(sigset_t *ret_set)
{
	struct sigaction by_default = {.sa_handler = SIG_DFL};

	for (size_t i = 0; i < CAY_LEN(reset); i++)
		sigaction(reset[i], &by_default, NULL);
	sigemptyset(ret_set);
	sigaddset(ret_set, SIGCHLD);
	for (size_t i = 0; i < CAY_LEN(forwarded); i++)
		sigaddset(ret_set, forwarded[i]);
	/* Blocked, they wait for sigwaitinfo, although this is PID 1, which else never gets them. */
	sigprocmask(SIG_SETMASK, ret_set, NULL);
}

/* Reaps what has ended. True: so has the command. */
static bool reap(pid_t command, int *ret_status)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != command)
			continue;
		*ret_status = status;
		return true;
	}
	return false;
}

static int supervise(pid_t command, const sigset_t *set)
{
	siginfo_t info;
	int status = 0;

	for (;;) {
		if (sigwaitinfo(set, &info) < 0)
			continue;
		if (info.si_signo == SIGCHLD) {
			if (reap(command, &status))
				return status;
		} else if (info.si_pid == 0) {
			/* Pid 0: from outside of our pid namespace. */
			kill(-command, info.si_signo);
		}
	}
}

/* Our command line is the host's business (folders, other commands), and /proc/1/cmdline shows it
 * to everybody inside: the strings that the kernel put in front of the environment's are wiped. */
static void hide_command_line(void)
{
	static const char title[] = "cay";
	char *start = program_invocation_name;
	char *end = start + strlen(start) + 1;

	if (environ && environ[0] > end && environ[0] - start < sysconf(_SC_ARG_MAX))
		end = environ[0];
	memset(start, 0, (size_t)(end - start));
	if ((size_t)(end - start) >= sizeof(title))
		memcpy(start, title, sizeof(title));
}

void cay_guest_main(struct cay_spawn *s, int sock, void *arg)
{
	const struct cay_guest *guest = arg;
	struct cay_box_command command = *guest->command;
	struct cay_message message = {.kind = CAY_MESSAGE_STARTED};
	int stdio[3] = {guest->stdio[0], guest->stdio[1], guest->stdio[2]};
	const char *cwd = guest->command->cwd ? guest->command->cwd : "/workspace";
	int failure;
	sigset_t set;
	pid_t pid;

	if (guest->command->tty)
		open_terminal(sock, stdio);
	sock = arrange_descriptors(sock, stdio);
	if (chdir(cwd) < 0) {
		struct cay_error err = {};

		cay_fail(&err, CAY_E_SETUP, errno, "working directory '%s'", cwd);
		cay_spawn_die(sock, &err);
	}
	catch_signals(&set);
	command.argv = (const char *const *)cay_strv_copy(command.argv);
	if (command.env)
		command.env = (const char *const *)cay_strv_copy(command.env);
	hide_command_line();
	pid = start_command(&command, &failure);
	if (pid < 0)
		fail_and_die(sock, "command: vfork");
	message.facts = s->facts;
	message.facts.exec_ns = cay_clock_ns();
	if (failure) {
		message.kind = CAY_MESSAGE_NO_EXEC;
		message.status = failure;
		cay_spawn_send(sock, &message, -1);
		_exit(1);
	}
	cay_spawn_send(sock, &message, -1);
	message.kind = CAY_MESSAGE_EXITED;
	message.status = supervise(pid, &set);
	cay_spawn_send(sock, &message, -1);
	_exit(0);
}
