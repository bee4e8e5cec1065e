/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command in a sandbox, as a whole process: `cay run` beside bubblewrap, crun, runc and Docker,
 * where they are installed. Each gets new namespaces of every kind that it supports.
 */
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/bench.h"

enum { ROUNDS = 100, ROUNDS_QUICK = 15, ROUNDS_DOCKER = 5 };

/* An OCI bundle whose root is this machine's /usr, read-only, and nothing else. */
static json_t *bundle_config(void)
{
	json_t *c =
		json_pack("{s:s, s:{s:s}, s:s, s:{s:b, s:[s], s:s, s:[s], s:{s:i, s:i}, s:b}}",
			  "ociVersion", "1.0.2", "root", "path", "rootfs", "hostname", "bench",
			  "process", "terminal", 0, "args", "/usr/bin/true", "cwd", "/", "env",
			  "PATH=/usr/bin:/bin", "user", "uid", 0, "gid", 0, "noNewPrivileges", 1);
	json_t *mounts = json_pack(
		"[{s:s, s:s, s:s}, {s:s, s:s, s:s, s:[s,s]}, {s:s, s:s, s:s, s:[s,s]}]",
		"destination", "/proc", "type", "proc", "source", "proc", "destination", "/dev",
		"type", "tmpfs", "source", "tmpfs", "options", "nosuid", "mode=755", "destination",
		"/usr", "type", "bind", "source", "/usr", "options", "rbind", "ro");
	json_t *linux_part =
		json_pack("{s:[{s:s}, {s:s}, {s:s}, {s:s}, {s:s}]}", "namespaces", "type", "pid",
			  "type", "ipc", "type", "uts", "type", "mount", "type", "network");

	if (geteuid() != 0) {
		json_array_append_new(json_object_get(linux_part, "namespaces"),
				      json_pack("{s:s}", "type", "user"));
		json_object_set_new(linux_part, "uidMappings",
				    json_pack("[{s:i, s:i, s:i}]", "containerID", 0, "hostID",
					      (int)geteuid(), "size", 1));
		json_object_set_new(linux_part, "gidMappings",
				    json_pack("[{s:i, s:i, s:i}]", "containerID", 0, "hostID",
					      (int)getegid(), "size", 1));
	}
	json_object_set_new(c, "mounts", mounts);
	json_object_set_new(c, "linux", linux_part);
	return c;
}

static int make_rootfs(const char *bundle, struct cay_error *err)
{
	static const char *const dirs[] = {"", "/rootfs", "/rootfs/usr", "/rootfs/proc",
					   "/rootfs/dev"};
	static const char *const links[] = {"bin", "sbin", "lib", "lib64"};

	for (size_t i = 0; i < CAY_LEN(dirs); i++) {
		auto_free char *path = cay_format("%s%s", bundle, dirs[i]);

		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return cay_fail(err, CAY_E_SYSTEM, errno, "cannot create %s", path);
	}
	for (size_t i = 0; i < CAY_LEN(links); i++) {
		auto_free char *path = cay_format("%s/rootfs/%s", bundle, links[i]);
		auto_free char *target = cay_format("usr/%s", links[i]);

		if (symlink(target, path) < 0 && errno != EEXIST)
			return cay_fail(err, CAY_E_SYSTEM, errno, "cannot create %s", path);
	}
	return 0;
}

static int make_bundle(const char *bundle, struct cay_error *err)
{
	auto_free char *path = cay_format("%s/config.json", bundle), *text = NULL;
	auto_json json_t *config = bundle_config();
	auto_close int fd = -1;

	if (make_rootfs(bundle, err) < 0)
		return -1;
	text = cay_json_text(config);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || cay_fd_write_all(fd, text, strlen(text)) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "cannot write %s", path);
	return 0;
}

static int once_cay(struct cay_bench *b, void *arg CAY_UNUSED, uint64_t *ret_ns,
		    struct cay_error *err)
{
	const char *const argv[] = {b->cay, "run", "--", "/bin/true", NULL};

	return cay_bench_time_process(argv, ret_ns, err);
}

static int once_bwrap(struct cay_bench *b CAY_UNUSED, void *arg CAY_UNUSED, uint64_t *ret_ns,
		      struct cay_error *err)
{
	static const char *const argv[] = {"bwrap", "--unshare-all", "--ro-bind", "/",
					   "/",     "--dev",         "/dev",      "--proc",
					   "/proc", "/bin/true",     NULL};

	return cay_bench_time_process(argv, ret_ns, err);
}

/* arg: "crun" or "runc". crun can do without cgroups, as our own default does. */
static int once_oci(struct cay_bench *b, void *arg, uint64_t *ret_ns, struct cay_error *err)
{
	static unsigned serial;
	const char *program = arg;
	auto_free char *bundle = cay_format("%s/bundle", b->tmp);
	auto_free char *state = cay_format("%s/%s-state", b->tmp, program);
	auto_free char *id = cay_format("cay-bench-%d-%u", (int)getpid(), serial++);
	const char *const crun[] = {program, "--root",   state,  "--cgroup-manager=disabled",
				    "run",   "--bundle", bundle, id,
				    NULL};
	const char *const runc[] = {program, "--root", state, "run", "--bundle", bundle, id, NULL};

	return cay_bench_time_process(strcmp(program, "crun") ? runc : crun, ret_ns, err);
}

static int once_docker(struct cay_bench *b CAY_UNUSED, void *arg, uint64_t *ret_ns,
		       struct cay_error *err)
{
	const char *const argv[] = {"docker",       "run",     "--rm", "--network", "none",
				    "--pull=never", "busybox", "true", NULL};

	if (arg)
		return cay_fail(err, CAY_E_UNAVAILABLE, 0, "%s", (const char *)arg);
	return cay_bench_time_process(argv, ret_ns, err);
}

/* Why Docker cannot be measured, or NULL. */
static char *docker_problem(void)
{
	static char none[] = "docker is not installed", dead[] = "no Docker engine answers",
		    empty[] = "Docker has no image busybox";
	static const char *const info[] = {"docker", "info", NULL};
	static const char *const inspect[] = {"docker", "image", "inspect", "busybox", NULL};
	struct cay_error err = {};

	if (cay_bench_time_process(info, NULL, &err) < 0)
		return err.code == CAY_E_NO_COMMAND ? none : dead;
	return cay_bench_time_process(inspect, NULL, &err) < 0 ? empty : NULL;
}

/* A mount namespace of our own for the time of the group: what an OCI runtime leaves mounted goes
 * with it, and crun, which refuses hosts with both versions of cgroups, sees only the first.
 * Returns the way back, or -1. */
static int enter_private_mounts(void)
{
	auto_close int before = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

	if (geteuid() != 0 || before < 0 || unshare(CLONE_NEWNS) < 0)
		return -1;
	mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL);
	umount2("/sys/fs/cgroup/unified", MNT_DETACH);
	return TAKE_FD(before);
}

static void leave_private_mounts(int before)
{
	auto_free char *cwd = getcwd(NULL, 0);

	if (before < 0)
		return;
	if (setns(before, CLONE_NEWNS) == 0 && cwd && chdir(cwd) < 0)
		errno = 0; /* it may have gone; nothing here depends on it */
	close(before);
}

void cay_bench_run(struct cay_bench *b)
{
	static char crun[] = "crun", runc[] = "runc";
	auto_free char *bundle = cay_format("%s/bundle", b->tmp);
	const struct cay_bench_case cases[] = {
		{"run.cay", "cay run -- /bin/true", once_cay},
		{"run.bwrap", "bwrap --unshare-all --ro-bind / / ... /bin/true", once_bwrap},
		{"run.crun", "crun run (no cgroups)", once_oci, crun},
		{"run.runc", "runc run", once_oci, runc, cay_bench_rounds(b, 30, 5)},
		{"run.docker", "docker run --rm --network none busybox true", once_docker,
		 docker_problem(), ROUNDS_DOCKER},
	};
	struct cay_error err = {};

	int before = enter_private_mounts();

	if (make_bundle(bundle, &err) < 0)
		cay_bench_add_skipped(b, "run.bundle", "the OCI bundle", err.msg);
	cay_bench_interleave(b, cases, CAY_LEN(cases), cay_bench_rounds(b, ROUNDS, ROUNDS_QUICK));
	leave_private_mounts(before);
}
