/* SPDX-License-Identifier: Apache-2.0 */
#include "box/launcher.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/agent_proto.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "box/box.h"
#include "kern/cgroup.h"
#include "tap.h"

/* A folder for the cache and the sockets, and a launcher. */
static struct cay_launcher *launcher;
static char folder[] = "/tmp/cay-test-launcher-XXXXXX";
static bool usable;

static int open_agent(void)
{
	return open(getenv("CAY_TEST_AGENT"), O_RDONLY | O_CLOEXEC);
}

static bool can_make_sandboxes(void)
{
	struct cay_box_probe rows[32];
	size_t n = cay_box_probe(folder, rows, CAY_LEN(rows));

	for (size_t i = 0; i < n; i++)
		if (rows[i].required && !rows[i].ok)
			return false;
	return true;
}

/* What a launcher that was killed leaves: a group named after a process that is no more. */
static char stale[64];

static void leave_a_group(void)
{
	const struct cay_cgroup_limits limits = {.memory_bytes = 64 << 20, .pids = 50, .cpus = 1};
	char reason[CAY_CGROUP_CONTROLLERS][160];
	struct cay_cgroup_host host;
	struct cay_cgroup g;
	struct cay_error err;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	snprintf(stale, sizeof(stale), "cay-%d-stale", (int)pid);
	cay_cgroup_host_open(&host);
	CHECK_INT(cay_cgroup_create(&host, stale, true, &limits, &g, reason, &err), 0);
	cay_cgroup_close(&g);
	cay_cgroup_host_close(&host);
}

static bool group_is_left(void)
{
	struct cay_cgroup_host host;
	struct cay_cgroup g;
	bool left = false;

	cay_cgroup_host_open(&host);
	cay_cgroup_find(&host, stale, &g);
	for (size_t i = 0; i < CAY_CGROUP_CONTROLLERS; i++)
		left |= g.version[i] != 0;
	cay_cgroup_close(&g);
	cay_cgroup_host_close(&host);
	return left;
}

static void set_up(void)
{
	struct cay_error err = {};
	auto_close int exe = open_agent();

	CHECK(mkdtemp(folder) != NULL);
	usable = can_make_sandboxes();
	if (!usable)
		SKIP("this machine does not let us make user namespaces");
	CHECK(exe >= 0);
	leave_a_group();
	CHECK_INT(cay_launcher_start(exe, &launcher, &err), 0);
}

static void next_event(struct cay_launcher_event *event)
{
	struct pollfd pfd = {.fd = cay_launcher_fd(launcher), .events = POLLIN};

	while (cay_launcher_next_event(launcher, event) == 0)
		poll(&pfd, 1, -1);
	if (event->kind == CAY_LAUNCHER_FAILED)
		printf("# failed: %s\n", event->error.msg);
}

static void fini_event(struct cay_launcher_event *event)
{
	if (event->kind != CAY_LAUNCHER_CREATED)
		return;
	close(event->box.status_fd);
	close(event->box.pidfd);
	json_decref(event->box.report);
}

static int socket_of(const char *name)
{
	auto_free char *path = cay_format("%s/%s.sock", folder, name);
	struct cay_error err;
	int fd = -1;

	CHECK_INT(cay_fd_listen_unix(path, 4, &fd, &err), 0);
	cay_fd_set_nonblock(fd, false);
	return fd;
}

static void ask(const char *name, struct cay_box_spec spec, uint64_t tag)
{
	auto_json json_t *config = json_pack("{s:s}", "working_dir", "/workspace");
	auto_close int listener = socket_of(name);
	struct cay_error err = {};

	spec.name = name;
	spec.cache_dir = folder;
	CHECK_INT(cay_launcher_create(launcher, tag, &spec, listener, -1, config, &err), 0);
}

/* What the agent says of itself. */
static void talk(const char *name, const char *line, struct cay_buf *out)
{
	auto_free char *path = cay_format("%s/%s.sock", folder, name);
	struct cay_error err;
	auto_close int fd = -1;

	cay_buf_clear(out);
	CHECK_INT(cay_fd_connect_unix(path, &fd, &err), 0);
	CHECK_INT(cay_fd_write_all(fd, line, strlen(line)), 0);
	CHECK_INT(cay_fd_read_all(fd, out), 0);
}

static void creates_talks_destroys(void)
{
	struct cay_launcher_event event;
	struct cay_agent_hello hello = {};
	auto_buf struct cay_buf text;
	struct cay_error err;
	char byte;

	if (!usable)
		SKIP("no sandboxes here");
	cay_buf_init(&text, 65536);
	ask("one", (struct cay_box_spec){}, 11);
	next_event(&event);
	CHECK_INT(event.kind, CAY_LAUNCHER_CREATED);
	CHECK_INT(event.tag, 11);
	CHECK(!group_is_left());
	CHECK_STR(event.name, "one");
	CHECK(event.box.pid > 0);
	CHECK_STR(json_string_value(json_object_get(event.box.report, "level")), "full");
	CHECK_STR(json_string_value(json_object_get(event.box.report, "seccomp")), "filter");
	CHECK_INT(cay_fd_read_exact(event.box.status_fd, &hello, sizeof(hello)), 1);
	CHECK_INT(hello.magic, CAY_AGENT_MAGIC);
	talk("one", "hi", &text);
	CHECK(strstr(text.data, "pid 1 uid 1000\n") != NULL);
	CHECK(strstr(text.data, "\"working_dir\":\"/workspace\"") != NULL);
	/* Nothing of the launcher's or of ours. */
	CHECK(strstr(text.data, "fds 0 1 2 3 4 5\n") != NULL);

	CHECK_INT(cay_launcher_destroy(launcher, 12, "one", &err), 0);
	/* The end shows at the status pipe as well. */
	CHECK_INT(cay_fd_read_exact(event.box.status_fd, &byte, 1), 0);
	fini_event(&event);
	next_event(&event);
	CHECK_INT(event.kind, CAY_LAUNCHER_DESTROYED);
	CHECK_INT(event.tag, 12);
	CHECK_STR(event.name, "one");
}

/* Limits are on a leaf for the work, which the agent is told of. */
static void limits_the_work(void)
{
	struct cay_launcher_event event;
	auto_buf struct cay_buf text;
	struct cay_error err;
	const char *by;
	bool by_cgroup;

	if (!usable)
		SKIP("no sandboxes here");
	cay_buf_init(&text, 65536);
	ask("tight", (struct cay_box_spec){.memory_bytes = 64 << 20, .pids = 30, .cpus = 0.5}, 1);
	next_event(&event);
	CHECK_INT(event.kind, CAY_LAUNCHER_CREATED);
	by = json_string_value(json_object_get(
		json_object_get(json_object_get(event.box.report, "limits"), "memory"),
		"enforced_by"));
	by_cgroup = by && cay_text_starts_with(by, "cgroup");
#ifdef __SANITIZE_ADDRESS__
	/* A sanitized agent finds no room for its shadow memory below an rlimit, and does not start. */
	if (by_cgroup)
#endif
		talk("tight", "hi", &text);
	if (by_cgroup) {
		CHECK(strstr(text.data, "\"work_cgroup_fds\":[6") != NULL);
		CHECK(strstr(text.data, "\"memory_events_fd\":") != NULL);
		CHECK(strstr(text.data, "fds 0 1 2 3 4 5 6 7") != NULL);
	} else {
		CHECK_STR(by, "rlimit");
		CHECK(!text.len || strstr(text.data, "\"work_cgroup_fds\":[]") != NULL);
	}
	CHECK_INT(cay_launcher_destroy(launcher, 2, "tight", &err), 0);
	fini_event(&event);
	next_event(&event);
	CHECK_INT(event.kind, CAY_LAUNCHER_DESTROYED);
}

static void refuses_a_name_in_use(void)
{
	struct cay_launcher_event first, second;
	struct cay_error err;

	if (!usable)
		SKIP("no sandboxes here");
	ask("twin", (struct cay_box_spec){}, 1);
	next_event(&first);
	CHECK_INT(first.kind, CAY_LAUNCHER_CREATED);
	ask("twin", (struct cay_box_spec){}, 2);
	next_event(&second);
	CHECK_INT(second.kind, CAY_LAUNCHER_FAILED);
	CHECK_INT(second.tag, 2);
	CHECK_INT(second.error.code, CAY_E_CONFLICT);
	CHECK_INT(cay_launcher_destroy(launcher, 3, "twin", &err), 0);
	next_event(&second);
	CHECK_INT(second.kind, CAY_LAUNCHER_DESTROYED);
	fini_event(&first);
	/* The name is free again. */
	ask("twin", (struct cay_box_spec){}, 4);
	next_event(&first);
	CHECK_INT(first.kind, CAY_LAUNCHER_CREATED);
	CHECK_INT(cay_launcher_destroy(launcher, 5, "twin", &err), 0);
	next_event(&second);
	CHECK_INT(second.kind, CAY_LAUNCHER_DESTROYED);
	fini_event(&first);
}

static void tells_of_an_end(void)
{
	struct cay_launcher_event event, end;
	auto_buf struct cay_buf text;
	struct cay_error err;

	if (!usable)
		SKIP("no sandboxes here");
	cay_buf_init(&text, 65536);
	ask("mortal", (struct cay_box_spec){}, 1);
	next_event(&event);
	CHECK_INT(event.kind, CAY_LAUNCHER_CREATED);
	talk("mortal", "exit", &text);
	next_event(&end);
	CHECK_INT(end.kind, CAY_LAUNCHER_EXITED);
	CHECK_STR(end.name, "mortal");
	CHECK(WIFEXITED(end.exit_status) && WEXITSTATUS(end.exit_status) == 7);
	CHECK(!end.oom);
	fini_event(&event);
	/* What is gone can be destroyed. */
	CHECK_INT(cay_launcher_destroy(launcher, 2, "mortal", &err), 0);
	next_event(&end);
	CHECK_INT(end.kind, CAY_LAUNCHER_DESTROYED);
}

static void reports_bad_requests(void)
{
	auto_json json_t *config = json_object();
	struct cay_box_spec spec = {.name = "bad", .cache_dir = folder, .workspace = "/none/such"};
	struct cay_launcher_event event;
	struct cay_agent_hello hello = {};
	auto_close int listener = socket_of("bad");
	struct cay_error err = {};

	if (!usable)
		SKIP("no sandboxes here");
	CHECK_INT(cay_launcher_create(launcher, 1, &spec, listener, -1, config, &err), -1);
	CHECK_INT(err.code, CAY_E_NOT_FOUND);
	spec.workspace = folder;
	spec.name = "../x";
	CHECK_INT(cay_launcher_create(launcher, 1, &spec, listener, -1, config, &err), -1);
	CHECK_INT(err.code, CAY_E_INVALID);
	/* The launcher goes on. */
	ask("good", (struct cay_box_spec){}, 9);
	next_event(&event);
	CHECK_INT(event.kind, CAY_LAUNCHER_CREATED);
	/* Not before it has said hello: it would find nobody to say it to, and end. */
	CHECK_INT(cay_fd_read_exact(event.box.status_fd, &hello, sizeof(hello)), 1);
	fini_event(&event);
}

/* "good" of the case before still lives. */
static void ends_all_when_stopped(void)
{
	struct cay_launcher_event event;
	siginfo_t info = {};

	if (!usable)
		SKIP("no sandboxes here");
	ask("last", (struct cay_box_spec){}, 1);
	next_event(&event);
	CHECK_INT(event.kind, CAY_LAUNCHER_CREATED);
	cay_launcher_stop(launcher);
	launcher = NULL;
	CHECK(poll(&(struct pollfd){.fd = event.box.pidfd, .events = POLLIN}, 1, 0) == 1);
	fini_event(&event);
	/* No child of ours is left either. */
	CHECK_INT(waitid(P_ALL, 0, &info, WEXITED | WNOHANG), -1);
	cay_launcher_stop(NULL);
}

static void tear_down(void)
{
	CHECK_INT(cay_path_remove_tree(AT_FDCWD, folder), 0);
}

TAP_MAIN({"set_up", set_up}, {"creates_talks_destroys", creates_talks_destroys},
	 {"limits_the_work", limits_the_work}, {"refuses_a_name_in_use", refuses_a_name_in_use},
	 {"tells_of_an_end", tells_of_an_end}, {"reports_bad_requests", reports_bad_requests},
	 {"ends_all_when_stopped", ends_all_when_stopped}, {"tear_down", tear_down})
