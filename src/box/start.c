/* SPDX-License-Identifier: Apache-2.0 */
/* A sandbox whose first process is cay-agent. Knows nothing of what the agent does. */
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/agent_proto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "box/box.h"
#include "box/spawn.h"
#include "kern/pidfd.h"

enum {
	EXTRA_MAX = CAY_CGROUP_CONTROLLERS + 1,
	FIXED_FDS = CAY_AGENT_FIRST_EXTRA_FD, /* 0 to 5 */
	/* Above all numbers that are handed out. */
	ASIDE_FD = 64,
};

/* What the agent inherits: the descriptor that becomes number i, or -1. */
struct inherit {
	int fds[FIXED_FDS + EXTRA_MAX];
	int n;
	int exe_fd;
};

/* ---- the child ---- */

static void fail_and_die(int sock, const char *what)
{
	struct cay_error err = {};

	cay_fail(&err, CAY_E_SETUP, errno, "agent: %s", what);
	cay_spawn_die(sock, &err);
}

/* First all out of the way, then each to its place: so no order of numbers can go wrong. */
static void place_descriptors(struct inherit *in, int *sock)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int high = fcntl(*sock, F_DUPFD_CLOEXEC, ASIDE_FD);

	if (null < 0 || high < 0)
		fail_and_die(*sock, "descriptors");
	*sock = high;
	in->exe_fd = fcntl(in->exe_fd, F_DUPFD_CLOEXEC, ASIDE_FD);
	for (int i = 0; i < in->n; i++) {
		in->fds[i] = fcntl(in->fds[i] >= 0 ? in->fds[i] : null, F_DUPFD_CLOEXEC, ASIDE_FD);
		if (in->fds[i] < 0)
			fail_and_die(*sock, "descriptors");
	}
	for (int i = 0; i < in->n; i++)
		if (dup2(in->fds[i], i) < 0)
			fail_and_die(*sock, "descriptors");
	/* Everything else, of us or of whoever called us, ends with exec. */
	if (close_range((unsigned)in->n, UINT_MAX, CLOSE_RANGE_CLOEXEC) < 0)
		fail_and_die(*sock, "close_range");
}

static void agent_main(struct cay_spawn *s, int sock, void *arg)
{
	static const char *const argv[] = {"cay-agent", "--inherit", NULL};
	struct cay_message message = {.kind = CAY_MESSAGE_READY};
	struct sigaction by_default = {.sa_handler = SIG_DFL};
	struct inherit *in = arg;
	sigset_t none;

	place_descriptors(in, &sock);
	if (chdir("/") < 0)
		fail_and_die(sock, "chdir");
	sigaction(SIGPIPE, &by_default, NULL);
	sigaction(SIGCHLD, &by_default, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	message.facts = s->facts;
	message.facts.exec_ns = cay_clock_ns();
	cay_spawn_send(sock, &message, -1);
	syscall(SYS_execveat, in->exe_fd, "", argv, cay_box_default_env(), AT_EMPTY_PATH);
	fail_and_die(sock, "execute cay-agent");
}

/* ---- the parent ---- */

static int write_config(const json_t *config, struct cay_error *err)
{
	auto_free char *text = cay_json_text(config);
	auto_close int fd = memfd_create("cay-agent-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || cay_fd_write_all(fd, text, strlen(text)) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "write the agent's configuration");
	fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW);
	return TAKE_FD(fd);
}

/* The configuration with the descriptors of the cgroup in it. */
static int open_config(const struct cay_spawn *s, const json_t *given, struct inherit *in,
		       struct cay_error *err)
{
	auto_json json_t *config = given ? json_copy((json_t *)(uintptr_t)given) : json_object();
	json_t *numbers = json_array();
	int work[CAY_CGROUP_CONTROLLERS], oom;
	size_t n = cay_cgroup_open_work(&s->cgroup, work);

	for (size_t i = 0; i < n; i++) {
		json_array_append_new(numbers, json_integer(in->n));
		in->fds[in->n++] = work[i];
	}
	json_object_set_new(config, "work_cgroup_fds", numbers);
	oom = cay_cgroup_open_oom(&s->cgroup);
	if (oom >= 0) {
		json_object_set_new(config, "memory_events_fd", json_integer(in->n));
		in->fds[in->n++] = oom;
	}
	in->fds[CAY_AGENT_CONFIG_FD] = write_config(config, err);
	return in->fds[CAY_AGENT_CONFIG_FD] < 0 ? -1 : 0;
}

/* Waits until the agent has been executed. */
static int await_exec(struct cay_spawn *s, struct cay_error *err)
{
	struct cay_message message;
	bool ready = false;
	int fd = -1, k;

	while ((k = cay_spawn_receive(s, &message, &fd)) > 0) {
		cay_cleanup_close(&fd);
		if (message.kind == CAY_MESSAGE_ERROR) {
			*err = message.error;
			return -1;
		}
		s->facts = message.facts;
		ready = true;
	}
	/* End of file: exec has closed the child's end; or it has died. */
	if (k < 0 || !ready)
		return cay_fail(err, CAY_E_SETUP, k < 0 ? errno : 0,
				"the sandbox died while it was made");
	return 0;
}

static void hand_over(struct cay_spawn *s, int status_fd, struct cay_box *ret)
{
	*ret = (struct cay_box){
		.pid = s->pid,
		.pidfd = TAKE_FD(s->pidfd),
		.status_fd = status_fd,
		.layer_fd = TAKE_FD(s->skeleton_fd),
		.report = cay_spawn_report(s),
		.setup_ns = cay_clock_ns() - s->start_ns,
	};
	snprintf(ret->name, sizeof(ret->name), "%s", s->spec->name);
	for (size_t i = 0; i < CAY_CGROUP_CONTROLLERS && !ret->cgroup; i++)
		if (s->cgroup.version[i])
			ret->cgroup = cay_strdup(s->cgroup.name);
	/* They live on; only our descriptors of them go. */
	s->pid = 0;
	cay_cgroup_close(&s->cgroup);
}

static int start(struct cay_spawn *s, const struct cay_box_agent *agent, struct cay_box *ret,
		 struct cay_error *err)
{
	struct inherit in = {.exe_fd = agent->exe_fd, .n = FIXED_FDS};
	int status[2] = {-1, -1}, result = -1;

	if (pipe2(status, O_CLOEXEC) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "pipe");
	in.fds[0] = in.fds[CAY_AGENT_CONFIG_FD] = -1;
	in.fds[1] = in.fds[2] = agent->log_fd;
	in.fds[CAY_AGENT_LISTEN_FD] = agent->listen_fd;
	in.fds[CAY_AGENT_STATUS_FD] = status[1];
	if (open_config(s, agent->config, &in, err) == 0 &&
	    cay_spawn_fork(s, agent_main, &in, err) == 0)
		result = await_exec(s, err);
	close(status[1]);
	for (int i = CAY_AGENT_CONFIG_FD; i < in.n; i++)
		if (in.fds[i] >= 0)
			close(in.fds[i]);
	if (result < 0)
		close(status[0]);
	else
		hand_over(s, status[0], ret);
	return result;
}

int cay_box_start(const struct cay_cgroup_host *cgroups, const struct cay_box_spec *spec,
		  const struct cay_box_agent *agent, struct cay_box *ret, struct cay_error *err)
{
	struct cay_spawn s;
	int result;

	if (cay_spawn_init(&s, spec, true, cgroups, err) < 0)
		return -1;
	s.apply.want_facts = true;
	s.apply.files.output[0] = agent->log_fd;
	s.apply.files.exe = agent->exe_fd;
	result = start(&s, agent, ret, err);
	cay_spawn_fini(&s, NULL);
	return result;
}

/* ---- the end ---- */

static int end_processes(struct cay_box *box, struct cay_error *err)
{
	struct pollfd pfd = {.fd = box->pidfd, .events = POLLIN};
	int status;

	/* PID 1 takes all others of its namespace with it, and ends after them. */
	if (cay_pidfd_signal(box->pidfd, SIGKILL) < 0 && errno != ESRCH)
		return cay_fail(err, CAY_E_SYSTEM, errno, "kill sandbox '%s'", box->name);
	if (cay_pidfd_wait(box->pidfd, true, &status) == 0 || errno == ECHILD)
		while (poll(&pfd, 1, -1) < 0 && errno == EINTR)
			;
	return 0;
}

int cay_box_destroy(const struct cay_cgroup_host *cgroups, struct cay_box *box, bool *ret_oom,
		    struct cay_error *err)
{
	struct cay_cgroup group;
	int result = 0;

	if (ret_oom)
		*ret_oom = false;
	if (box->pidfd >= 0)
		result = end_processes(box, err);
	if (box->cgroup) {
		cay_cgroup_find(cgroups, box->cgroup, &group);
		if (ret_oom)
			*ret_oom = cay_cgroup_oom_kills(&group) > 0;
		if (cay_cgroup_destroy(&group) < 0 && !result)
			result = cay_fail(err, CAY_E_SYSTEM, errno, "remove cgroup '%s'",
					  box->cgroup);
	}
	cay_cleanup_close(&box->pidfd);
	cay_cleanup_close(&box->status_fd);
	cay_cleanup_close(&box->layer_fd);
	json_decref(box->report);
	free(box->cgroup);
	*box = (struct cay_box){.pidfd = -1, .status_fd = -1, .layer_fd = -1};
	return result;
}
