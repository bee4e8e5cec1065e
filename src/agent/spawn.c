/* SPDX-License-Identifier: Apache-2.0 */
/* vfork and what happens between it and execve. */
#include "agent/spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "agent/config.h"
#include "base/mem.h"
#include "base/text.h"

enum {
	OOM_RAISE = 300,
	OOM_MAX = 1000,
	CANDIDATES_MAX = 64, /* folders of PATH that are tried */
};

/* Where a command is looked for when its environment has no PATH, as execvp(3) does. */
#define FALLBACK_PATH "/usr/local/bin:/usr/bin:/bin"

/* What the child works with. All memory is the parent's, prepared before vfork: the child shares
 * it, and must not allocate. */
struct launch {
	const struct cay_spawner *spawner;
	const struct cay_spawn *spawn;
	char **candidates;     /* paths to try, in order */
	const char **sh_argv;  /* for a script without #!: /bin/sh, the script, arguments */
	volatile int sys;      /* errno of the failed step */
	volatile bool cwd_bad; /* the step was chdir */
};

void cay_spawner_init(struct cay_spawner *s, const struct cay_agent_config *config)
{
	char text[16] = "";
	struct cay_error err;
	int64_t own = 0;
	ssize_t n;

	*s = (struct cay_spawner){.config = config};
	s->oom_fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	if (s->oom_fd < 0)
		return;
	n = pread(s->oom_fd, text, sizeof(text) - 1, 0);
	if (n > 0 && text[n - 1] == '\n')
		text[n - 1] = '\0';
	if (n <= 0 || cay_text_int(text, "oom_score_adj", -1000, 1000, &own, &err) < 0) {
		close(s->oom_fd);
		s->oom_fd = -1;
		return;
	}
	s->oom_own = (int)own;
	s->oom_work = CAY_MIN((int)own + OOM_RAISE, OOM_MAX);
}

void cay_spawner_fini(struct cay_spawner *s)
{
	if (s->oom_fd >= 0)
		close(s->oom_fd);
	s->oom_fd = -1;
}

/* A child inherits the value; so ours is raised for the moment of the vfork. (The child cannot do
 * it: until it executes it shares our non-dumpable memory, and its /proc files belong to root.) */
static void set_oom(const struct cay_spawner *s, int value)
{
	char text[16];
	int n;

	if (s->oom_fd < 0 || s->oom_own == s->oom_work)
		return;
	n = snprintf(text, sizeof(text), "%d", value);
	/* Failing is harmless: the child is then as likely a victim as the agent. */
	(void)!pwrite(s->oom_fd, text, (size_t)n, 0);
}

static char **find_candidates(const char *file, const char *path)
{
	char **found = NULL;
	size_t n = 0;

	if (strchr(file, '/'))
		return cay_strv_append(NULL, file);
	if (!path)
		path = FALLBACK_PATH;
	while (*path && n < CANDIDATES_MAX) {
		size_t len = strcspn(path, ":");
		char *full = cay_format("%.*s/%s", (int)len, len ? path : ".", file);

		/* A relative entry of PATH means the command's working folder, where execve
		 * happens; an empty one means the same. */
		found = cay_strv_append(found, len ? full : file);
		free(full);
		n++;
		path += len + (path[len] == ':');
	}
	return found ? found : cay_strv_append(NULL, file);
}

static const char **script_argv(const char *const *argv)
{
	size_t n = cay_strv_len(argv);
	const char **sh = cay_alloc((n + 2) * sizeof(*sh));

	sh[0] = "/bin/sh";
	for (size_t i = 1; i < n; i++)
		sh[i + 1] = argv[i];
	return sh;
}

static void default_signals(void)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	sigset_t none;

	/* Ignored signals survive execve. Failing for KILL, STOP and libc's own is fine. */
	for (int sig = 1; sig < 32; sig++)
		sigaction(sig, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int join_cgroups(const struct cay_agent_config *config)
{
	for (size_t i = 0; i < config->n_work_cgroup_fds; i++)
		if (write(config->work_cgroup_fds[i], "0", 1) < 0)
			return -1;
	return 0;
}

static int arrange_fds(const struct cay_spawn *spawn)
{
	unsigned first = 3;

	for (int i = 0; i < 3; i++)
		if (dup2(spawn->stdio[i], i) < 0)
			return -1;
	syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_CLOEXEC);
	/* Last, because dup2 makes a descriptor that survives execve. */
	for (size_t i = 0; i < spawn->n_extra; i++) {
		const struct cay_spawn_fd *e = &spawn->extra[i];

		if (e->fd == e->as ? fcntl(e->fd, F_SETFD, 0) < 0 : dup2(e->fd, e->as) < 0)
			return -1;
	}
	return 0;
}

static int execute(struct launch *l)
{
	const char *const *env = l->spawn->env;
	int worst = ENOENT;

	for (size_t i = 0; l->candidates[i]; i++) {
		execve(l->candidates[i], (char *const *)(uintptr_t)l->spawn->argv,
		       (char *const *)(uintptr_t)env);
		if (errno == ENOEXEC) {
			l->sh_argv[1] = l->candidates[i];
			execve(l->sh_argv[0], (char *const *)(uintptr_t)l->sh_argv,
			       (char *const *)(uintptr_t)env);
		}
		/* As a shell does: something that is there but cannot be executed is the better
		 * message, but the search goes on. */
		if (errno != ENOENT && errno != ENOTDIR)
			worst = errno;
	}
	errno = worst;
	return -1;
}

static _Noreturn void child(struct launch *l)
{
	const struct cay_spawn *spawn = l->spawn;

	setsid();
	default_signals();
	if (join_cgroups(l->spawner->config) < 0)
		goto fail;
	if (arrange_fds(spawn) < 0)
		goto fail;
	if (spawn->terminal && ioctl(0, TIOCSCTTY, 0) < 0)
		goto fail;
	if (chdir(spawn->cwd) < 0) {
		l->cwd_bad = true;
		goto fail;
	}
	execute(l);
fail:
	l->sys = errno;
	_exit(127);
}

static int report(const struct launch *l, struct cay_error *err)
{
	const char *name = l->spawn->argv[0];

	if (l->cwd_bad) {
		cay_fail(err, cay_error_from_errno(l->sys), l->sys,
			 "cannot change to the working folder '%.200s'", l->spawn->cwd);
		return cay_fail_hint(err, "create it first, or leave out 'cwd'");
	}
	if (l->sys == ENOENT && (name[0] != '/' || access(name, F_OK) < 0)) {
		cay_fail(err, CAY_E_NO_COMMAND, 0, "command '%.200s' not found", name);
		return cay_fail_hint(err, "check the spelling, install it, or give an absolute "
					  "path");
	}
	if (l->sys == ENOENT) {
		cay_fail(err, CAY_E_NOT_EXEC, l->sys, "the interpreter of '%.200s'", name);
		return cay_fail_hint(err, "look at its first line (#!), or at its dynamic loader "
					  "with 'file'");
	}
	if (l->sys == EACCES || l->sys == EISDIR || l->sys == ENOEXEC || l->sys == ENOTDIR) {
		cay_fail(err, CAY_E_NOT_EXEC, l->sys, "cannot execute '%.200s'", name);
		return cay_fail_hint(err, "chmod +x makes a file executable");
	}
	if (l->sys == E2BIG)
		return cay_fail(err, CAY_E_LIMIT, l->sys, "cannot execute '%.200s'", name);
	return cay_fail(err, CAY_E_SYSTEM, l->sys, "start '%.200s'", name);
}

/* Apart, so that the parent's frame is not one that the child has run in. */
static __attribute__((noinline)) pid_t launch_child(struct launch *l)
{
	pid_t pid = vfork();

	if (pid == 0)
		child(l);
	return pid;
}

int cay_spawn(const struct cay_spawner *s, const struct cay_spawn *spawn, pid_t *ret_pid,
	      struct cay_error *err)
{
	struct launch l = {
		.spawner = s,
		.spawn = spawn,
		.candidates = find_candidates(spawn->argv[0], cay_env_get(spawn->env, "PATH")),
		.sh_argv = script_argv(spawn->argv),
	};
	int sys;
	pid_t pid;

	set_oom(s, s->oom_work);
	pid = launch_child(&l);
	sys = errno;
	set_oom(s, s->oom_own);
	cay_strv_free(l.candidates);
	free(l.sh_argv);
	if (pid < 0) {
		cay_fail(err, sys == EAGAIN ? CAY_E_OVERLOADED : CAY_E_SYSTEM, sys, "vfork");
		return cay_fail_hint(err, "the limit on processes may be reached");
	}
	/* The failed child is reaped like any other; nobody watches it. */
	if (l.sys)
		return report(&l, err);
	*ret_pid = pid;
	return 0;
}
