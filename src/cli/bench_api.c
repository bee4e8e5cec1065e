/* SPDX-License-Identifier: Apache-2.0 */
/* Over HTTP: making sandboxes, one-shot commands beside posix_spawn, shell lines beside a bare
 * bash. */
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/bench_server.h"

enum { ROUNDS = 300, ROUNDS_QUICK = 40, CREATE_ROUNDS = 50, CREATE_ROUNDS_QUICK = 8 };

static const char create_body[] = "{}";
static const char exec_body[] = "{\"command\":[\"true\"]}";
static const char shell_body[] =
	"{\"action\":{\"action\":\"run\",\"args\":{\"command\":\"true\"}}}";

struct bare_shell {
	int pty;
	pid_t pid;
};

static int once_create(struct cay_bench *b CAY_UNUSED, void *arg, uint64_t *ret_ns,
		       struct cay_error *err)
{
	struct cay_bench_sandbox *s = arg;
	auto_json json_t *answer = NULL;
	auto_free char *target = NULL;

	if (cay_bench_http_call(&s->daemon, "POST", "/v1/sandboxes", create_body, &answer, ret_ns,
				err) < 0)
		return -1;
	target = cay_format("/v1/sandboxes/%s",
			    json_string_value(json_object_get(answer, "id")) ?: "");
	return cay_bench_http_call(&s->daemon, "DELETE", target, NULL, NULL, NULL, err);
}

static int once_cycle(struct cay_bench *b, void *arg, uint64_t *ret_ns, struct cay_error *err)
{
	uint64_t start = cay_clock_ns(), ignored;

	if (once_create(b, arg, &ignored, err) < 0)
		return -1;
	*ret_ns = cay_clock_ns() - start;
	return 0;
}

static int once_exec(struct cay_bench *b CAY_UNUSED, void *arg, uint64_t *ret_ns,
		     struct cay_error *err)
{
	struct cay_bench_sandbox *s = arg;
	auto_free char *target = cay_format("/v1/sandboxes/%s/exec", s->id);

	return cay_bench_http_call(&s->daemon, "POST", target, exec_body, NULL, ret_ns, err);
}

static int once_exec_agent(struct cay_bench *b CAY_UNUSED, void *arg, uint64_t *ret_ns,
			   struct cay_error *err)
{
	struct cay_bench_sandbox *s = arg;

	return cay_bench_http_call(&s->agent, "POST", "/v1/exec", exec_body, NULL, ret_ns, err);
}

static int once_spawn(struct cay_bench *b CAY_UNUSED, void *arg CAY_UNUSED, uint64_t *ret_ns,
		      struct cay_error *err)
{
	static const char *const argv[] = {"/bin/true", NULL};

	return cay_bench_time_process(argv, ret_ns, err);
}

static int once_shell(struct cay_bench *b CAY_UNUSED, void *arg, uint64_t *ret_ns,
		      struct cay_error *err)
{
	struct cay_bench_sandbox *s = arg;
	auto_free char *target = cay_format("/v1/sandboxes/%s/agent/execute_action", s->id);

	return cay_bench_http_call(&s->daemon, "POST", target, shell_body, NULL, ret_ns, err);
}

static int once_shell_agent(struct cay_bench *b CAY_UNUSED, void *arg, uint64_t *ret_ns,
			    struct cay_error *err)
{
	struct cay_bench_sandbox *s = arg;

	return cay_bench_http_call(&s->agent, "POST", "/execute_action", shell_body, NULL, ret_ns,
				   err);
}

/* ---- a bare bash on a pty: what the shell line cannot beat ---- */

static const char prompt[] = "cay-bench-prompt> ";

/* The prompt is all that is looked for; the echo of the line does not hold it. */
static int read_until_prompt(int fd, struct cay_error *err)
{
	char text[4096];
	size_t have = 0;

	for (;;) {
		ssize_t n = read(fd, text + have, sizeof(text) - 1 - have);

		if (n <= 0)
			return cay_fail(err, CAY_E_SYSTEM, n < 0 ? errno : 0, "bash ended");
		have += (size_t)n;
		text[have] = '\0';
		if (strstr(text, prompt))
			return 0;
		if (have > sizeof(text) / 2) {
			memmove(text, text + have - sizeof(prompt), sizeof(prompt));
			have = sizeof(prompt);
		}
	}
}

static int start_bare_shell(struct bare_shell *s, struct cay_error *err)
{
	s->pid = forkpty(&s->pty, NULL, NULL, NULL);
	if (s->pid < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "cannot make a pty");
	if (s->pid == 0) {
		setenv("PS1", prompt, 1);
		execl("/bin/bash", "bash", "--norc", "--noprofile", "--noediting", (char *)NULL);
		_exit(127);
	}
	cay_fd_set_cloexec(s->pty, true);
	return read_until_prompt(s->pty, err);
}

static int once_bare_shell(struct cay_bench *b CAY_UNUSED, void *arg, uint64_t *ret_ns,
			   struct cay_error *err)
{
	const struct bare_shell *s = arg;
	uint64_t start = cay_clock_ns();

	if (cay_fd_write_all(s->pty, "true\n", 5) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "cannot write to bash");
	if (read_until_prompt(s->pty, err) < 0)
		return -1;
	*ret_ns = cay_clock_ns() - start;
	return 0;
}

static void stop_bare_shell(const struct bare_shell *s)
{
	if (s->pid <= 0)
		return;
	close(s->pty);
	kill(s->pid, SIGKILL);
	while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void cay_bench_api(struct cay_bench *b)
{
	struct cay_bench_sandbox s;
	struct bare_shell shell = {};
	const struct cay_bench_case creating[] = {
		{"api.create", "POST /v1/sandboxes until its agent runs", once_create, &s},
		{"api.cycle", "POST and DELETE /v1/sandboxes", once_cycle, &s},
	};
	const struct cay_bench_case running[] = {
		{"exec.spawn", "posix_spawn and wait of /bin/true, no sandbox", once_spawn},
		{"exec.agent", "exec [\"true\"] at the agent's socket", once_exec_agent, &s},
		{"exec.daemon", "exec [\"true\"] through the server", once_exec, &s},
		{"shell.bare", "true in a bare bash on a pty, no sandbox", once_bare_shell, &shell},
		{"shell.agent", "shell line `true` at the agent's socket", once_shell_agent, &s},
		{"shell.daemon", "shell line `true` through the server", once_shell, &s},
	};
	struct cay_error err = {};

	if (cay_bench_server_start(b, &err) < 0 ||
	    cay_bench_sandbox_create(b, NULL, &s, &err) < 0) {
		cay_bench_add_skipped(b, "api", "the server's groups", err.msg);
		return;
	}
	if (start_bare_shell(&shell, &err) == 0) {
		cay_bench_interleave(b, creating, CAY_LEN(creating),
				     cay_bench_rounds(b, CREATE_ROUNDS, CREATE_ROUNDS_QUICK));
		cay_bench_interleave(b, running, CAY_LEN(running),
				     cay_bench_rounds(b, ROUNDS, ROUNDS_QUICK));
	}
	stop_bare_shell(&shell);
	cay_bench_sandbox_destroy(&s);
}
