/* SPDX-License-Identifier: Apache-2.0 */
/* On the real hierarchies of this machine, below our own group. */
#include "kern/cgroup.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "tap.h"

static struct cay_cgroup_host host;
static const struct cay_cgroup_limits limits = {.memory_bytes = 64 << 20, .pids = 50, .cpus = 1.5};
static char reason[CAY_CGROUP_CONTROLLERS][160];
static bool any;

static void finds_what_is_ours(void)
{
	cay_cgroup_host_open(&host);
	for (size_t i = 0; i < CAY_CGROUP_CONTROLLERS; i++) {
		any |= host.controllers[i].version != 0;
		printf("# %s: %s\n", cay_cgroup_controller_name(i),
		       host.controllers[i].version ? "usable" : host.controllers[i].reason);
		/* Either it can be used or there is a reason. */
		CHECK(host.controllers[i].version || host.controllers[i].reason[0]);
	}
}

static bool exists(size_t controller, const char *path)
{
	return faccessat(host.controllers[controller].dir_fd, path, F_OK, 0) == 0;
}

static void read_limit(size_t i, const char *path, char out[64])
{
	auto_close int fd = openat(host.controllers[i].dir_fd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, 63);

	out[n < 0 ? 0 : n] = '\0';
}

static void sets_limits_and_removes(void)
{
	struct cay_error err = {};
	struct cay_cgroup g;
	char text[64];

	if (!any)
		SKIP("no cgroup is ours to use here");
	CHECK_INT(cay_cgroup_create(&host, "cay-1-test", false, &limits, &g, reason, &err), 0);
	for (size_t i = 0; i < CAY_CGROUP_CONTROLLERS; i++) {
		if (!host.controllers[i].version) {
			CHECK(reason[i][0]);
			continue;
		}
		CHECK(exists(i, "cay-1-test"));
		CHECK(!reason[i][0]);
	}
	if (host.controllers[CAY_CGROUP_PIDS].version) {
		read_limit(CAY_CGROUP_PIDS, "cay-1-test/pids.max", text);
		CHECK_STR(text, "50\n");
	}
	CHECK_INT(cay_cgroup_oom_kills(&g), 0);
	/* A second of that name is refused, and leaves the first alone. */
	struct cay_cgroup second;
	CHECK_INT(cay_cgroup_create(&host, "cay-1-test", false, &limits, &second, reason, &err),
		  -1);
	CHECK_INT(err.code, CAY_E_SETUP);
	CHECK_INT(cay_cgroup_destroy(&g), 0);
	for (size_t i = 0; i < CAY_CGROUP_CONTROLLERS; i++)
		CHECK(!host.controllers[i].version || !exists(i, "cay-1-test"));
	/* Nothing asked for, nothing made. */
	CHECK_INT(cay_cgroup_create(&host, "cay-1-test", false, &(struct cay_cgroup_limits){}, &g,
				    reason, &err),
		  0);
	for (size_t i = 0; i < CAY_CGROUP_CONTROLLERS; i++)
		CHECK(!g.version[i] && !reason[i][0]);
}

static void keeps_work_in_a_leaf(void)
{
	struct cay_error err = {};
	struct cay_cgroup g, found;
	int fds[CAY_CGROUP_CONTROLLERS];
	size_t n;
	pid_t pid;
	int status;

	if (!any)
		SKIP("no cgroup is ours to use here");
	CHECK_INT(cay_cgroup_create(&host, "cay-1-leaf", true, &limits, &g, reason, &err), 0);
	n = cay_cgroup_open_work(&g, fds);
	CHECK(n > 0);
	pid = fork();
	if (pid == 0) {
		for (size_t i = 0; i < n; i++)
			if (write(fds[i], "0", 1) != 1)
				_exit(1);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	cay_cgroup_find(&host, "cay-1-leaf", &found);
	for (size_t i = 0; i < CAY_CGROUP_CONTROLLERS; i++)
		CHECK_INT(found.version[i], host.controllers[i].version);
	cay_cgroup_close(&g);
	CHECK_INT(cay_cgroup_destroy(&found), 0);
}

static bool is_of_test(const char *name)
{
	return !strcmp(name, "cay-1-sweep");
}

static void sweeps(void)
{
	struct cay_error err = {};
	struct cay_cgroup g;

	if (!any)
		SKIP("no cgroup is ours to use here");
	CHECK_INT(cay_cgroup_create(&host, "cay-1-sweep", true, &limits, &g, reason, &err), 0);
	cay_cgroup_close(&g);
	CHECK(cay_cgroup_sweep(&host, is_of_test) > 0);
	CHECK_INT(cay_cgroup_sweep(&host, is_of_test), 0);
	cay_cgroup_host_close(&host);
}

TAP_MAIN({"finds_what_is_ours", finds_what_is_ours},
	 {"sets_limits_and_removes", sets_limits_and_removes},
	 {"keeps_work_in_a_leaf", keeps_work_in_a_leaf}, {"sweeps", sweeps})
