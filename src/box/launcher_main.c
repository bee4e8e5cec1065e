/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launcher process: one loop over the daemon's socket and a pidfd for each sandbox. It must not
 * know of HTTP, of agents' dialects or of the daemon's state: it is the small process that stays
 * simple enough to be trusted with making namespaces.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "box/launcher_wire.h"
#include "box/skeleton.h"
#include "kern/cgroup.h"
#include "kern/pidfd.h"

enum { CONFIG_MAX = 4 << 20, SOCK_FD = 3, AGENT_FD = 4, ASIDE_FD = 16 };

struct sandbox {
	struct sandbox *next;
	struct cay_box box;
	bool destroying;
	uint64_t tag; /* of the request to destroy */
};

struct launcher {
	int sock, epoll_fd, agent_exe_fd;
	struct cay_cgroup_host cgroups;
	struct sandbox *sandboxes;
};

/* ---- the launcher's own surroundings ---- */

/* File systems in which no work of anybody is, so that no sandbox needs to be shown them. */
static const char *const not_needed[] = {
	"autofs", "binfmt_misc", "bpf",           "cgroup",    "cgroup2",   "configfs", "debugfs",
	"devpts", "efivarfs",    "fuse.snapfuse", "fusectl",   "hugetlbfs", "mqueue",   "nsfs",
	"pstore", "rpc_pipefs",  "securityfs",    "selinuxfs", "squashfs",  "tracefs",  NULL,
};

/* The mounts of other containers: overlays, of which there may be hundreds. */
static bool is_needed(const char *type, const char *where)
{
	if (!strcmp(where, "/"))
		return true;
	for (size_t i = 0; not_needed[i]; i++)
		if (!strcmp(type, not_needed[i]))
			return false;
	return strcmp(type, "overlay") != 0 ||
	       (!cay_text_starts_with(where, "/var/lib/docker/") &&
		!cay_text_starts_with(where, "/var/lib/containers/"));
}

/* proc_pid_mountinfo(5) writes blanks and the like as \ooo. */
static void unescape(char *path)
{
	char *to = path;

	for (const char *from = path; *from; to++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] && from[3]) {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

static void unmount_line(char *line)
{
	char *save = NULL, *where = NULL, *type = NULL, *word;
	int i = 0;

	for (word = strtok_r(line, " ", &save); word; word = strtok_r(NULL, " ", &save), i++) {
		if (i == 4)
			where = word;
		if (!strcmp(word, "-")) {
			type = strtok_r(NULL, " ", &save);
			break;
		}
	}
	if (!where || !type)
		return;
	unescape(where);
	if (!is_needed(type, where))
		umount2(where, MNT_DETACH | UMOUNT_NOFOLLOW);
}

/* A mount table of our own without what no sandbox needs: making a mount namespace costs time for
 * each mount in the table that it copies. What the host mounts or unmounts later is followed
 * (slave), so that we keep no disk busy. An ordinary user's launcher cannot; it works all the same.
 */
static void leave_mounts(void)
{
	auto_buf struct cay_buf text;
	struct cay_error err;

	cay_buf_init(&text, 16 << 20);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
	    cay_fd_read_file("/proc/self/mountinfo", &text, &err) < 0)
		return;
	/* From the last to the first: what is below before what it is on. */
	while (text.len > 0) {
		char *start;

		text.data[--text.len] = '\0';
		start = memrchr(text.data, '\n', text.len);
		start = start ? start + 1 : text.data;
		unmount_line(start);
		text.len = (size_t)(start - text.data);
	}
}

/* cay-PID-NAME of a maker that is no more. */
static bool is_stale(const char *name)
{
	char *end;
	long pid;

	if (!cay_text_starts_with(name, "cay-"))
		return false;
	pid = strtol(name + 4, &end, 10);
	return end != name + 4 && *end == '-' && pid > 0 && kill((pid_t)pid, 0) < 0 &&
	       errno == ESRCH;
}

static int open_again(int fd)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* A sealed copy of cay-agent in memory: nothing that runs inside can change the host's file through
 * it (as in CVE-2019-5736), and its mode and folder do not have to let a sandbox's id in. Where such
 * files may not be executed (sysctl vm.memfd_noexec) the file itself it is. */
static int copy_agent(int exe_fd)
{
	enum { MFD_EXEC_ = 0x10 /* Linux 6.3, younger than the distribution's header */ };
	auto_close int fd = memfd_create("cay-agent", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC_);
	struct stat st;
	off_t at = 0;

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("cay-agent", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || fstat(exe_fd, &st) < 0)
		return fcntl(exe_fd, F_DUPFD_CLOEXEC, 0);
	while (at < st.st_size)
		if (sendfile(fd, exe_fd, &at, (size_t)(st.st_size - at)) <= 0)
			return fcntl(exe_fd, F_DUPFD_CLOEXEC, 0);
	if (fchmod(fd, 0755) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return fcntl(exe_fd, F_DUPFD_CLOEXEC, 0);
	/* Executing asks that nobody has it open for writing. */
	return open_again(fd);
}

static void set_up(struct launcher *l, int sock, int agent_exe_fd)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct sigaction by_default = {.sa_handler = SIG_DFL};
	struct epoll_event event = {.events = EPOLLIN};
	sigset_t none;

	/* The daemon's terminal and signals are not ours: the socket tells when to end. */
	setsid();
	prctl(PR_SET_NAME, "cay-launcher");
	sigaction(SIGPIPE, &ignore, NULL);
	for (size_t i = 0; i < 3; i++)
		sigaction((const int[]){SIGINT, SIGTERM, SIGHUP}[i], &ignore, NULL);
	sigaction(SIGCHLD, &by_default, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);

	/* First out of the way of the numbers that they get, then nothing but these is kept. */
	agent_exe_fd = fcntl(copy_agent(agent_exe_fd), F_DUPFD_CLOEXEC, ASIDE_FD);
	sock = fcntl(sock, F_DUPFD_CLOEXEC, ASIDE_FD);
	l->sock = dup3(sock, SOCK_FD, O_CLOEXEC);
	l->agent_exe_fd = dup3(agent_exe_fd, AGENT_FD, O_CLOEXEC);
	close_range(AGENT_FD + 1, UINT32_MAX, 0);
	/* Before the mounts go, through which the groups are found. */
	cay_cgroup_host_open(&l->cgroups);
	cay_cgroup_sweep(&l->cgroups, is_stale);
	leave_mounts();
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->sock < 0 || l->agent_exe_fd < 0 || l->epoll_fd < 0 ||
	    epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->sock, &event) < 0)
		_exit(1);
}

/* ---- events to the daemon ---- */

static json_t *new_event(const char *event, uint64_t tag, const char *name)
{
	json_t *m = json_object();

	json_object_set_new(m, "event", json_string(event));
	json_object_set_new(m, "tag", json_integer((json_int_t)tag));
	json_object_set_new(m, "name", json_string(name));
	return m;
}

static void send_failure(struct launcher *l, uint64_t tag, const char *name,
			 const struct cay_error *err)
{
	json_t *m = new_event("failed", tag, name);

	json_object_set_new(m, "error", cay_launcher_pack_error(err));
	/* A daemon that is gone shows as end of file in the loop. */
	cay_launcher_send(l->sock, m, NULL, 0);
}

static void send_end(struct launcher *l, const char *event, uint64_t tag, const char *name,
		     int status, bool oom)
{
	json_t *m = new_event(event, tag, name);

	json_object_set_new(m, "status", json_integer(status));
	json_object_set_new(m, "oom", json_boolean(oom));
	cay_launcher_send(l->sock, m, NULL, 0);
}

/* ---- sandboxes ---- */

static struct sandbox *find(const struct launcher *l, const char *name)
{
	for (struct sandbox *b = l->sandboxes; b; b = b->next)
		if (!strcmp(b->box.name, name))
			return b;
	return NULL;
}

static void drop(struct launcher *l, struct sandbox *sandbox)
{
	struct sandbox **at = &l->sandboxes;

	while (*at != sandbox)
		at = &(*at)->next;
	*at = sandbox->next;
	free(sandbox);
}

static int add(struct launcher *l, struct cay_box *box, struct cay_error *err)
{
	struct sandbox *sandbox = cay_alloc(sizeof(*sandbox));
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = sandbox};

	sandbox->box = *box;
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, box->pidfd, &event) < 0) {
		cay_fail(err, CAY_E_SYSTEM, errno, "watch the sandbox");
		free(sandbox);
		return -1;
	}
	sandbox->next = l->sandboxes;
	l->sandboxes = sandbox;
	return 0;
}

/* The first process has ended: what is left of the sandbox goes. */
static void on_exit_of(struct launcher *l, struct sandbox *sandbox)
{
	char name[sizeof(sandbox->box.name)];
	struct cay_error err = {};
	bool oom = false;
	int status = 0;

	memcpy(name, sandbox->box.name, sizeof(name));
	/* The daemon has a copy of the descriptor: closing ours would not end the watch. */
	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, sandbox->box.pidfd, NULL);
	cay_pidfd_wait(sandbox->box.pidfd, true, &status);
	cay_box_destroy(&l->cgroups, &sandbox->box, &oom, &err);
	if (sandbox->destroying)
		send_end(l, "destroyed", sandbox->tag, name, status, oom);
	else
		send_end(l, "exited", 0, name, status, oom);
	drop(l, sandbox);
}

static int read_config(int fd, json_t **ret, struct cay_error *err)
{
	auto_buf struct cay_buf text;

	cay_buf_init(&text, CONFIG_MAX);
	if (lseek(fd, 0, SEEK_SET) < 0 || cay_fd_read_all(fd, &text) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "launcher: read the configuration");
	return cay_json_parse(text.data, text.len, ret, err);
}

static int create(struct launcher *l, const json_t *m, uint64_t tag, const int *fds, size_t n_fds,
		  struct cay_error *err)
{
	auto_json json_t *config = NULL;
	bool has_log = json_is_true(json_object_get(m, "has_log"));
	struct cay_box_agent agent = {.exe_fd = l->agent_exe_fd, .log_fd = -1};
	struct cay_box_spec spec;
	struct cay_box box;
	json_t *event;

	if (cay_launcher_unpack_spec(m, &spec, err) < 0)
		return -1;
	if (n_fds != (has_log ? 3U : 2U))
		return cay_fail(err, CAY_E_INTERNAL, 0, "launcher: %zu descriptors", n_fds);
	if (find(l, spec.name))
		return cay_fail(err, CAY_E_CONFLICT, 0, "a sandbox named '%s' exists already",
				spec.name);
	if (read_config(fds[0], &config, err) < 0)
		return -1;
	agent.config = config;
	agent.listen_fd = fds[1];
	agent.log_fd = has_log ? fds[2] : -1;
	if (cay_box_start(&l->cgroups, &spec, &agent, &box, err) < 0)
		return -1;
	event = new_event("created", tag, box.name);
	json_object_set_new(event, "pid", json_integer(box.pid));
	json_object_set_new(event, "setup_ns", json_integer((json_int_t)box.setup_ns));
	json_object_set(event, "report", box.report);
	if (add(l, &box, err) < 0) {
		struct cay_error ignored;

		json_decref(event);
		cay_box_destroy(&l->cgroups, &box, NULL, &ignored);
		return -1;
	}
	cay_launcher_send(l->sock, event, (const int[]){box.status_fd, box.pidfd}, 2);
	/* The daemon has it now; its end of file is for the daemon alone. */
	close(l->sandboxes->box.status_fd);
	l->sandboxes->box.status_fd = -1;
	return 0;
}

static void destroy(struct launcher *l, uint64_t tag, const char *name)
{
	struct sandbox *sandbox = find(l, name);

	if (!sandbox) {
		/* It has ended by itself in the meantime. */
		send_end(l, "destroyed", tag, name, 0, false);
		return;
	}
	sandbox->destroying = true;
	sandbox->tag = tag;
	cay_pidfd_signal(sandbox->box.pidfd, SIGKILL);
}

static void prepare(const char *cache_dir)
{
	auto_free char *path = NULL;
	auto_close int fd = -1;
	struct cay_error ignored;

	if (cay_skeleton_open(cache_dir, geteuid() == 0, &fd, &path, &ignored) < 0)
		return; /* each sandbox tries again, and reports it */
}

/* ---- the loop ---- */

static void handle(struct launcher *l, const json_t *m, const int *fds, size_t n_fds)
{
	const char *op = json_string_value(json_object_get(m, "op"));
	const char *name = json_string_value(json_object_get(m, "name"));
	uint64_t tag = (uint64_t)json_integer_value(json_object_get(m, "tag"));
	struct cay_error err = {};

	if (!name)
		name = "";
	if (op && !strcmp(op, "create")) {
		if (create(l, m, tag, fds, n_fds, &err) < 0)
			send_failure(l, tag, name, &err);
	} else if (op && !strcmp(op, "destroy")) {
		destroy(l, tag, name);
	} else if (op && !strcmp(op, "prepare")) {
		prepare(json_string_value(json_object_get(m, "cache_dir")));
	}
}

static void finish(struct launcher *l) __attribute__((noreturn));

/* Nobody is left to look after the sandboxes: first kill all, so that they end side by side. */
static void finish(struct launcher *l)
{
	struct cay_error err;

	for (struct sandbox *b = l->sandboxes; b; b = b->next)
		cay_pidfd_signal(b->box.pidfd, SIGKILL);
	for (struct sandbox *b = l->sandboxes; b; b = b->next)
		cay_box_destroy(&l->cgroups, &b->box, NULL, &err);
	_exit(0);
}

static void on_message(struct launcher *l)
{
	auto_json json_t *message = NULL;
	int fds[CAY_FD_PASS_MAX];
	size_t n_fds = 0;
	int k = cay_launcher_receive(l->sock, &message, fds, &n_fds);

	if (k == 0 || (k < 0 && errno != EINTR && errno != EBADMSG))
		finish(l);
	if (k > 0)
		handle(l, message, fds, n_fds);
	for (size_t i = 0; i < n_fds; i++)
		close(fds[i]);
}

void cay_launcher_main(int sock, int agent_exe_fd)
{
	struct launcher l = {};
	struct epoll_event events[16];
	int n;

	set_up(&l, sock, agent_exe_fd);
	for (;;) {
		n = epoll_wait(l.epoll_fd, events, CAY_LEN(events), -1);
		/* Sandboxes first: a name that has become free may be asked for again. */
		for (int i = 0; i < n; i++)
			if (events[i].data.ptr)
				on_exit_of(&l, events[i].data.ptr);
		for (int i = 0; i < n; i++)
			if (!events[i].data.ptr)
				on_message(&l);
	}
}
