/* SPDX-License-Identifier: Apache-2.0 */
/* The agent as a plain process: size of the file, time until it answers, memory when idle. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "cli/bench_server.h"
#include "cli/place.h"

enum { ROUNDS = 30, ROUNDS_QUICK = 8, START_TIMEOUT_MS = 5000 };

struct agent {
	char *program, *socket;
	double rss_kb; /* of the last one */
};

static int spawn_agent(const struct agent *a, pid_t *ret_pid, struct cay_error *err)
{
	auto_free char *listen = cay_format("unix:%s", a->socket), *name = cay_strdup(a->program);
	char option[] = "--listen";
	char *const argv[] = {name, option, listen, NULL};
	posix_spawn_file_actions_t actions;
	int result;

	unlink(a->socket);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	result = posix_spawn(ret_pid, a->program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return result ? cay_fail(err, CAY_E_SYSTEM, result, "cannot execute %s", a->program) : 0;
}

/* Tries to connect without a pause: a start is a few milliseconds, and waiting for the socket's
 * name to appear would be found out later than trying. */
static int wait_for_answer(const struct agent *a, struct cay_error *err)
{
	uint64_t deadline = cay_clock_ms() + START_TIMEOUT_MS;
	struct cay_bench_http h;
	int result;

	while (cay_bench_http_open(&h, a->socket, 0, NULL, err) < 0) {
		if (cay_clock_ms() > deadline)
			return -1;
		sched_yield();
	}
	result = cay_bench_http_call(&h, "GET", "/alive", NULL, NULL, NULL, err);
	cay_bench_http_close(&h);
	return result;
}

static double rss_kb(pid_t pid)
{
	auto_free char *path = cay_format("/proc/%d/status", (int)pid);
	auto_buf struct cay_buf text;
	struct cay_error ignored;
	const char *at;

	cay_buf_init(&text, 64 << 10);
	if (cay_fd_read_file(path, &text, &ignored) < 0)
		return -1;
	at = strstr(text.data, "\nVmRSS:");
	return at ? strtod(at + 7, NULL) : -1;
}

static int once_start(struct cay_bench *b CAY_UNUSED, void *arg, uint64_t *ret_ns,
		      struct cay_error *err)
{
	struct agent *a = arg;
	uint64_t start = cay_clock_ns();
	pid_t pid;
	int result;

	if (spawn_agent(a, &pid, err) < 0)
		return -1;
	result = wait_for_answer(a, err);
	*ret_ns = cay_clock_ns() - start;
	a->rss_kb = rss_kb(pid);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return result;
}

void cay_bench_agent(struct cay_bench *b)
{
	struct agent a = {};
	const struct cay_bench_case cases[] = {
		{"agent.start", "cay-agent from its start to its first answer", once_start, &a},
	};
	struct cay_error err = {};
	struct stat st;

	if (cay_place_find_program("cay-agent", &a.program, &err) < 0 || stat(a.program, &st) < 0) {
		cay_bench_add_skipped(b, "agent", "the agent as a plain process", err.msg);
		return;
	}
	a.socket = cay_format("%s/agent.sock", b->tmp);
	cay_bench_add_value(b, "agent.size", "the program's file", "kB", (double)st.st_size / 1024);
	cay_bench_interleave(b, cases, CAY_LEN(cases), cay_bench_rounds(b, ROUNDS, ROUNDS_QUICK));
	cay_bench_add_value(b, "agent.memory", "idle after the first answer, resident", "kB",
			    a.rss_kb);
	free(a.program);
	free(a.socket);
}
