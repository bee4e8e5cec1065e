/* SPDX-License-Identifier: Apache-2.0 */
/* Groups below our own on cgroup v2, v1 and hybrid hosts. Knows nothing of sandboxes. */
#include "kern/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/buf.h"
#include "base/fd.h"

static const struct controller {
	const char *name;
	const char *v1_mounts[3]; /* below /sys/fs/cgroup */
} controllers[CAY_CGROUP_CONTROLLERS] = {
	[CAY_CGROUP_MEMORY] = {"memory", {"memory"}},
	[CAY_CGROUP_PIDS] = {"pids", {"pids"}},
	[CAY_CGROUP_CPU] = {"cpu", {"cpu", "cpu,cpuacct"}},
};

static const char *const v2_mounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

const char *cay_cgroup_controller_name(enum cay_cgroup_controller c)
{
	return controllers[c].name;
}

static bool is_fs(const char *path, unsigned long magic)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (unsigned long)fs.f_type == magic;
}

/* Whether the comma or blank separated list has the word. */
static bool has_word(const char *list, size_t n, const char *word)
{
	size_t len = strlen(word), k;

	for (size_t i = 0; i < n; i += k + 1) {
		for (k = 0; i + k < n && !strchr(", \n", list[i + k]); k++)
			;
		if (k == len && !memcmp(list + i, word, len))
			return true;
	}
	return false;
}

/* Our own group in the hierarchy of a controller (NULL: version 2), from /proc/self/cgroup. */
static bool own_group(const char *proc_text, const char *controller, char *out, size_t max)
{
	for (const char *line = proc_text; *line; line += strcspn(line, "\n") + 1) {
		const char *names = strchr(line, ':');
		const char *path = names ? strchr(names + 1, ':') : NULL;
		size_t n;

		if (!path)
			return false;
		names++;
		n = (size_t)(path - names);
		if (controller ? !has_word(names, n, controller) : n != 0)
			continue;
		path++;
		n = strcspn(path, "\n");
		if (n >= max)
			return false;
		memcpy(out, path, n);
		out[n] = '\0';
		return true;
	}
	return false;
}

static int open_dir(const char *mount, const char *path)
{
	char full[PATH_MAX];

	if ((size_t)snprintf(full, sizeof(full), "%s%s", mount, path) >= sizeof(full))
		return -1;
	return open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool file_has_word(int dir_fd, const char *file, const char *word)
{
	auto_close int fd = openat(dir_fd, file, O_RDONLY | O_CLOEXEC);
	char text[512];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	return n > 0 && has_word(text, (size_t)n, word);
}

static int write_file(int dir_fd, const char *file, const char *text)
{
	auto_close int fd = openat(dir_fd, file, O_WRONLY | O_CLOEXEC);
	size_t n = strlen(text);

	if (fd < 0)
		return -1;
	return write(fd, text, n) == (ssize_t)n ? 0 : -1;
}

static int write_number(int dir_fd, const char *file, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return write_file(dir_fd, file, text);
}

/* Version 2 hands a controller on to groups in `dir_fd`, or can be made to. */
static bool hands_on(int dir_fd, const char *controller)
{
	char text[32];

	if (file_has_word(dir_fd, "cgroup.subtree_control", controller))
		return true;
	if (!file_has_word(dir_fd, "cgroup.controllers", controller))
		return false;
	snprintf(text, sizeof(text), "+%s", controller);
	return write_file(dir_fd, "cgroup.subtree_control", text) == 0;
}

static int find_v2(const char *proc_text, const char *controller, char *reason, size_t max)
{
	char path[PATH_MAX];
	char *slash;

	if (!own_group(proc_text, NULL, path, sizeof(path)))
		return -1;
	for (size_t i = 0; i < CAY_LEN(v2_mounts); i++) {
		if (!is_fs(v2_mounts[i], CGROUP2_SUPER_MAGIC))
			continue;
		/* Our own group, and where that hands nothing on, its parent. */
		for (int up = 0; up < 2; up++) {
			auto_close int fd = open_dir(v2_mounts[i], path);

			if (fd >= 0 && hands_on(fd, controller)) {
				if (faccessat(fd, ".", W_OK, AT_EACCESS) == 0)
					return TAKE_FD(fd);
				snprintf(reason, max, "%s%.80s is not writable for us",
					 v2_mounts[i], path);
			}
			slash = strrchr(path, '/');
			if (!slash || !path[1])
				break;
			slash[slash == path] = '\0';
		}
	}
	return -1;
}

static int find_v1(const char *proc_text, const struct controller *c, char *reason, size_t max)
{
	char mount[64], path[PATH_MAX];

	if (!own_group(proc_text, c->name, path, sizeof(path)))
		return -1;
	for (size_t i = 0; c->v1_mounts[i]; i++) {
		auto_close int fd = -1;

		snprintf(mount, sizeof(mount), "/sys/fs/cgroup/%s", c->v1_mounts[i]);
		if (!is_fs(mount, CGROUP_SUPER_MAGIC))
			continue;
		fd = open_dir(mount, path);
		if (fd >= 0 && faccessat(fd, ".", W_OK, AT_EACCESS) == 0)
			return TAKE_FD(fd);
		snprintf(reason, max, "%s%.80s %s", mount, path,
			 fd < 0 ? "cannot be opened" : "is not writable for us");
	}
	return -1;
}

void cay_cgroup_host_open(struct cay_cgroup_host *ret)
{
	struct cay_error err;
	auto_buf struct cay_buf text;

	cay_buf_init(&text, 65536);
	if (cay_fd_read_file("/proc/self/cgroup", &text, &err) < 0)
		cay_buf_clear(&text);
	for (size_t i = 0; i < CAY_CGROUP_CONTROLLERS; i++) {
		int *fd = &ret->controllers[i].dir_fd;
		char *reason = ret->controllers[i].reason;
		size_t max = sizeof(ret->controllers[i].reason);

		snprintf(reason, max, "no cgroup with the %s controller is ours to use",
			 controllers[i].name);
		ret->controllers[i].version = 2;
		*fd = find_v2(text.data, controllers[i].name, reason, max);
		if (*fd >= 0)
			continue;
		*fd = find_v1(text.data, &controllers[i], reason, max);
		ret->controllers[i].version = *fd >= 0 ? 1 : 0;
	}
}

void cay_cgroup_host_close(struct cay_cgroup_host *host)
{
	for (size_t i = 0; i < CAY_CGROUP_CONTROLLERS; i++) {
		if (host->controllers[i].version)
			close(host->controllers[i].dir_fd);
		host->controllers[i].version = 0;
	}
}

/* ---- one group ---- */

static bool is_first_of_v2(const struct cay_cgroup *g, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (g->version[k] == 2)
			return false;
	return g->version[i] == 2;
}

static int limit_memory(int dir_fd, int version, uint64_t bytes)
{
	if (version == 2) {
		if (write_number(dir_fd, "memory.max", bytes) < 0)
			return -1;
		/* Kernels without swap accounting have no such file; then there is no limit to set. */
		if (write_file(dir_fd, "memory.swap.max", "0") < 0 && errno != ENOENT)
			return -1;
		return 0;
	}
	if (write_number(dir_fd, "memory.limit_in_bytes", bytes) < 0)
		return -1;
	if (write_number(dir_fd, "memory.memsw.limit_in_bytes", bytes) < 0 &&
	    write_file(dir_fd, "memory.swappiness", "0") < 0)
		return -1;
	return 0;
}

static int limit_cpu(int dir_fd, int version, double cpus)
{
	enum { PERIOD_US = 100000, QUOTA_MIN_US = 1000 };
	unsigned long quota = CAY_MAX((unsigned long)(cpus * PERIOD_US), QUOTA_MIN_US);
	char text[64];

	if (version == 1)
		return write_number(dir_fd, "cpu.cfs_period_us", PERIOD_US) < 0 ||
				       write_number(dir_fd, "cpu.cfs_quota_us", quota) < 0
			       ? -1
			       : 0;
	snprintf(text, sizeof(text), "%lu %d", quota, PERIOD_US);
	return write_file(dir_fd, "cpu.max", text);
}

static int set_limit(int dir_fd, int version, size_t controller,
		     const struct cay_cgroup_limits *limits)
{
	if (controller == CAY_CGROUP_MEMORY)
		return limit_memory(dir_fd, version, limits->memory_bytes);
	if (controller == CAY_CGROUP_PIDS)
		return write_number(dir_fd, "pids.max", limits->pids);
	return limit_cpu(dir_fd, version, limits->cpus);
}

static bool wanted(const struct cay_cgroup_limits *limits, size_t controller)
{
	if (controller == CAY_CGROUP_MEMORY)
		return limits->memory_bytes > 0;
	if (controller == CAY_CGROUP_PIDS)
		return limits->pids > 0;
	return limits->cpus > 0;
}

static int make_leaves(int dir_fd, int version)
{
	if (mkdirat(dir_fd, "work", 0755) < 0)
		return -1;
	return version == 2 ? mkdirat(dir_fd, "main", 0755) : 0;
}

/* Makes (or, on version 2, finds made) the folder of one controller and puts the limit on it. */
static int add_controller(struct cay_cgroup *g, size_t i, bool leaves,
			  const struct cay_cgroup_limits *limits)
{
	auto_close int work = -1;
	char text[32];
	int fd;

	if (g->version[i] == 1 || is_first_of_v2(g, i)) {
		if (mkdirat(g->parent_fd[i], g->name, 0755) < 0)
			return -1;
	}
	fd = openat(g->parent_fd[i], g->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	g->dir_fd[i] = fd;
	if (!leaves)
		return set_limit(fd, g->version[i], i, limits);
	if ((g->version[i] == 1 || is_first_of_v2(g, i)) && make_leaves(fd, g->version[i]) < 0)
		return -1;
	snprintf(text, sizeof(text), "+%s", controllers[i].name);
	if (g->version[i] == 2 && write_file(fd, "cgroup.subtree_control", text) < 0)
		return -1;
	work = openat(fd, "work", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return work < 0 ? -1 : set_limit(work, g->version[i], i, limits);
}

int cay_cgroup_create(const struct cay_cgroup_host *host, const char *name, bool leaves,
		      const struct cay_cgroup_limits *limits, struct cay_cgroup *ret,
		      char reason[CAY_CGROUP_CONTROLLERS][160], struct cay_error *err)
{
	struct cay_cgroup g = {};

	snprintf(g.name, sizeof(g.name), "%s", name);
	for (size_t i = 0; i < CAY_CGROUP_CONTROLLERS; i++) {
		reason[i][0] = '\0';
		if (!wanted(limits, i))
			continue;
		if (!host->controllers[i].version) {
			memcpy(reason[i], host->controllers[i].reason, sizeof(reason[i]));
			continue;
		}
		g.version[i] = host->controllers[i].version;
		g.parent_fd[i] = host->controllers[i].dir_fd;
		g.dir_fd[i] = -1;
		if (add_controller(&g, i, leaves, limits) < 0) {
			cay_fail(err, CAY_E_SETUP, errno, "cgroup %s: make '%s'",
				 controllers[i].name, g.name);
			cay_cgroup_destroy(&g);
			return -1;
		}
	}
	*ret = g;
	return 0;
}

int cay_cgroup_birth_fd(const struct cay_cgroup *g)
{
	int fd;

	for (size_t i = 0; i < CAY_CGROUP_CONTROLLERS; i++) {
		if (g->version[i] != 2)
			continue;
		fd = openat(g->dir_fd[i], "main", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return fd >= 0 ? fd : fcntl(g->dir_fd[i], F_DUPFD_CLOEXEC, 0);
	}
	return -1;
}

int cay_cgroup_attach(const struct cay_cgroup *g, pid_t pid, struct cay_error *err)
{
	for (size_t i = 0; i < CAY_CGROUP_CONTROLLERS; i++)
		if (g->version[i] == 1 &&
		    write_number(g->dir_fd[i], "cgroup.procs", (uint64_t)pid) < 0)
			return cay_fail(err, CAY_E_SETUP, errno, "cgroup %s: move process %d",
					controllers[i].name, (int)pid);
	return 0;
}

/* The folder that carries the limit of a controller: "work" where there are leaves. */
static int limited_dir(const struct cay_cgroup *g, size_t i)
{
	int fd = openat(g->dir_fd[i], "work", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 ? fd : fcntl(g->dir_fd[i], F_DUPFD_CLOEXEC, 0);
}

size_t cay_cgroup_open_work(const struct cay_cgroup *g, int fds[CAY_CGROUP_CONTROLLERS])
{
	size_t n = 0;

	for (size_t i = 0; i < CAY_CGROUP_CONTROLLERS; i++) {
		auto_close int dir = -1;

		if (!g->version[i] || (g->version[i] == 2 && !is_first_of_v2(g, i)))
			continue;
		dir = limited_dir(g, i);
		fds[n] = openat(dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);
		n += fds[n] >= 0;
	}
	return n;
}

int cay_cgroup_open_oom(const struct cay_cgroup *g)
{
	auto_close int dir = -1;

	if (!g->version[CAY_CGROUP_MEMORY])
		return -1;
	dir = limited_dir(g, CAY_CGROUP_MEMORY);
	return openat(dir,
		      g->version[CAY_CGROUP_MEMORY] == 2 ? "memory.events" : "memory.oom_control",
		      O_RDONLY | O_CLOEXEC);
}

uint64_t cay_cgroup_oom_kills(const struct cay_cgroup *g)
{
	auto_close int fd = cay_cgroup_open_oom(g);
	char text[512];
	const char *at;
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	at = strstr(text, "oom_kill ");
	return at ? strtoull(at + strlen("oom_kill "), NULL, 10) : 0;
}

static int remove_group(int parent_fd, const char *name)
{
	auto_close int fd = -1;

	if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	unlinkat(fd, "work", AT_REMOVEDIR);
	unlinkat(fd, "main", AT_REMOVEDIR);
	return unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -1;
}

int cay_cgroup_destroy(struct cay_cgroup *g)
{
	int failed = 0;

	for (size_t i = 0; i < CAY_CGROUP_CONTROLLERS; i++) {
		if (!g->version[i])
			continue;
		if (g->dir_fd[i] >= 0)
			close(g->dir_fd[i]);
		if (remove_group(g->parent_fd[i], g->name) < 0)
			failed = errno;
		g->version[i] = 0;
	}
	errno = failed;
	return failed ? -1 : 0;
}

static unsigned sweep_dir(int dir_fd, bool (*stale)(const char *name))
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	unsigned n = 0;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while ((e = readdir(dir)))
		if (e->d_type == DT_DIR && stale(e->d_name) && remove_group(dir_fd, e->d_name) == 0)
			n++;
	closedir(dir);
	return n;
}

unsigned cay_cgroup_sweep(const struct cay_cgroup_host *host, bool (*stale)(const char *name))
{
	unsigned n = 0;

	for (size_t i = 0; i < CAY_CGROUP_CONTROLLERS; i++)
		if (host->controllers[i].version)
			n += sweep_dir(host->controllers[i].dir_fd, stale);
	return n;
}

void cay_cgroup_find(const struct cay_cgroup_host *host, const char *name, struct cay_cgroup *ret)
{
	*ret = (struct cay_cgroup){};
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	for (size_t i = 0; i < CAY_CGROUP_CONTROLLERS; i++) {
		int fd;

		if (!host->controllers[i].version)
			continue;
		fd = openat(host->controllers[i].dir_fd, name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue;
		ret->version[i] = host->controllers[i].version;
		ret->parent_fd[i] = host->controllers[i].dir_fd;
		ret->dir_fd[i] = fd;
	}
}

void cay_cgroup_close(struct cay_cgroup *g)
{
	for (size_t i = 0; i < CAY_CGROUP_CONTROLLERS; i++) {
		if (g->version[i])
			close(g->dir_fd[i]);
		g->version[i] = 0;
	}
}
