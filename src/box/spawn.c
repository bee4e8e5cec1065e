/* SPDX-License-Identifier: Apache-2.0 */
/* Prepares, forks and hands over to the child; cleans up after it. */
#include "box/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/agent_proto.h"
#include "base/clock.h"
#include "base/fd.h"
#include "box/idmap.h"
#include "box/skeleton.h"
#include "kern/mount.h"
#include "kern/pidfd.h"

enum { PIDS_DEFAULT = 4096, SKELETON_MISSING = 'n', SKELETON_PASSED = 'y' };

/* ---- preparing ---- */

static int stat_source(const char *path, struct cay_source *source, struct stat *ret_st,
		       struct cay_error *err)
{
	if (stat(path, ret_st) < 0)
		return cay_fail(err, CAY_E_SETUP, errno, "'%s'", path);
	source->path = path;
	source->dev = ret_st->st_dev;
	source->ino = ret_st->st_ino;
	return 0;
}

/* A folder of the host for a privileged caller's sandbox: mapped; or else, where the file system
 * cannot do that, the sandbox takes the id of the folder's owner, unless that is root. */
static int map_source(struct cay_spawn *s, struct cay_source *source, const struct stat *st,
		      bool may_take_id, struct cay_error *err)
{
	struct cay_ns_ids *ids = &s->apply.ids;
	struct cay_error why = {};

	if (st->st_uid == ids->outside_uid && st->st_gid == ids->outside_gid)
		return 0;
	if (cay_idmap_mount(source->path, st, ids, &source->mount_fd, &why) == 0)
		return 0;
	if (why.code == CAY_E_UNSUPPORTED && may_take_id && st->st_uid && st->st_gid) {
		ids->outside_uid = st->st_uid;
		ids->outside_gid = st->st_gid;
		return 0;
	}
	*err = why;
	if (why.code == CAY_E_UNSUPPORTED)
		cay_fail_hint(err, "put the folder on ext4, xfs, btrfs or tmpfs, or run cay as the "
				   "user who owns it");
	err->code = CAY_E_SETUP;
	return -1;
}

static int prepare_sources(struct cay_spawn *s, struct cay_error *err)
{
	struct stat st;

	if (s->spec->workspace) {
		if (stat_source(s->spec->workspace, &s->apply.workspace, &st, err) < 0 ||
		    (s->privileged && map_source(s, &s->apply.workspace, &st, true, err) < 0))
			return -1;
	}
	if (s->spec->rootfs) {
		if (stat_source(s->spec->rootfs, &s->apply.rootfs, &st, err) < 0)
			return -1;
		/* Unmapped it can be read still, as the files' modes allow. */
		if (s->privileged && map_source(s, &s->apply.rootfs, &st, false, err) < 0 &&
		    strstr(err->msg, "cannot map ids") == NULL)
			return -1;
	}
	return 0;
}

static void prepare_ids(struct cay_spawn *s)
{
	struct cay_ns_ids *ids = &s->apply.ids;

	s->privileged = geteuid() == 0;
	s->apply.maps_written = s->privileged;
	ids->inside_uid = CAY_AGENT_UID;
	ids->inside_gid = CAY_AGENT_GID;
	/* The caller's own id is all that an ordinary user can map. Root's is never mapped. */
	ids->outside_uid = s->privileged ? cay_idmap_pick() : geteuid();
	ids->outside_gid = s->privileged ? ids->outside_uid : getegid();
}

static void prepare_skeleton(struct cay_spawn *s)
{
	struct cay_error err = {};

	if (s->spec->rootfs) {
		snprintf(s->skeleton_reason, sizeof(s->skeleton_reason),
			 "it is only for the host's folders");
		return;
	}
	if (cay_skeleton_open(s->spec->cache_dir, s->privileged, &s->skeleton_fd, &s->skeleton_path,
			      &err) < 0)
		snprintf(s->skeleton_reason, sizeof(s->skeleton_reason), "%s", err.msg);
	else
		s->apply.skeleton.path = s->skeleton_path;
}

static void group_name(const struct cay_box_spec *spec, char *out, size_t max)
{
	/* The maker's pid is in it, so that a later one can tell what nobody looks after. */
	snprintf(out, max, "cay-%d-%s", (int)getpid(), spec->name);
}

static int prepare_limits(struct cay_spawn *s, bool with_agent,
			  const struct cay_cgroup_host *cgroups, struct cay_error *err)
{
	const struct cay_cgroup_limits limits = {
		.memory_bytes = s->spec->memory_bytes,
		.pids = s->spec->pids,
		.cpus = s->spec->cpus,
	};
	char name[128];

	s->apply.limits.processes = s->spec->pids ? s->spec->pids : PIDS_DEFAULT;
	if (!limits.memory_bytes && !limits.pids && !(limits.cpus > 0))
		return 0;
	if (!cgroups) {
		cay_cgroup_host_open(&s->own_cgroups);
		cgroups = &s->own_cgroups;
	}
	s->cgroups = cgroups;
	group_name(s->spec, name, sizeof(name));
	if (cay_cgroup_create(cgroups, name, with_agent, &limits, &s->cgroup, s->cgroup_reason,
			      err) < 0)
		return -1;
	if (limits.memory_bytes && !s->cgroup.version[CAY_CGROUP_MEMORY])
		s->apply.limits.data_bytes = limits.memory_bytes;
	return 0;
}

int cay_spawn_init(struct cay_spawn *s, const struct cay_box_spec *spec, bool with_agent,
		   const struct cay_cgroup_host *cgroups, struct cay_error *err)
{
	*s = (struct cay_spawn){.spec = spec,
				.start_ns = cay_clock_ns(),
				.skeleton_fd = -1,
				.pidfd = -1,
				.sock = -1};
	s->apply.plan = &s->plan;
	s->apply.files = (struct cay_landlock_files){.output = {-1, -1, -1}, .exe = -1};
	s->apply.facts = &s->facts;
	s->apply.workspace.mount_fd = -1;
	s->apply.rootfs.mount_fd = -1;
	s->apply.skeleton.mount_fd = -1;
	if (cay_box_spec_check(spec, err) < 0)
		return -1;
	prepare_ids(s);
	prepare_skeleton(s);
	cay_host_read(spec->net == CAY_BOX_NET_HOST, &s->host);
	if (cay_plan_build(spec, &s->host, s->apply.skeleton.path != NULL, &s->plan, err) < 0 ||
	    prepare_sources(s, err) < 0 || prepare_limits(s, with_agent, cgroups, err) < 0) {
		cay_spawn_fini(s, NULL);
		return -1;
	}
	return 0;
}

/* ---- the child ---- */

void cay_spawn_send(int sock, const struct cay_message *message, int fd)
{
	/* A parent that is gone takes the child with it; there is nobody to tell. */
	if (cay_fd_send(sock, message, sizeof(*message), &fd, fd >= 0) < 0)
		_exit(1);
}

void cay_spawn_die(int sock, const struct cay_error *err)
{
	struct cay_message message = {.kind = CAY_MESSAGE_ERROR, .error = *err};

	cay_spawn_send(sock, &message, -1);
	_exit(1);
}

static int await_go(struct cay_spawn *s, int sock, struct cay_error *err)
{
	size_t n = 0, n_fds = 0;
	int fds[CAY_FD_PASS_MAX];
	char word;

	if (cay_fd_recv(sock, &word, 1, &n, fds, &n_fds) < 0 || n != 1)
		return cay_fail(err, CAY_E_SETUP, errno, "wait for the parent");
	if (word == SKELETON_PASSED && n_fds == 1)
		s->apply.skeleton.mount_fd = fds[0];
	else if (s->privileged)
		s->apply.skeleton.path = NULL;
	return 0;
}

/* Dies with the parent. To be called after the last change of ids or capabilities, which would
 * undo it (prctl(2)). */
static void follow_parent(int sock)
{
	struct pollfd pfd = {.fd = sock};

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	/* It may have died before that. */
	if (poll(&pfd, 1, 0) > 0 && pfd.revents & POLLHUP)
		_exit(1);
}

static void child(struct cay_spawn *s, int sock, bool wait, cay_spawn_body *body, void *arg)
	__attribute__((noreturn));

static void child(struct cay_spawn *s, int sock, bool wait, cay_spawn_body *body, void *arg)
{
	struct cay_error err = {};

	if ((wait && await_go(s, sock, &err) < 0) || cay_apply_plan(&s->apply, &err) < 0)
		cay_spawn_die(sock, &err);
	follow_parent(sock);
	body(s, sock, arg);
	_exit(1);
}

/* ---- the parent ---- */

/* The skeleton for a privileged caller: on disk it belongs to the id inside (1000), so the
 * sandbox's own user namespace is the mapping. Failure means: without it. */
static int mount_skeleton(struct cay_spawn *s)
{
	char path[48];
	auto_close int userns = -1;
	auto_close int fd = -1;

	if (s->skeleton_fd < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)s->pid);
	userns = open(path, O_RDONLY | O_CLOEXEC);
	fd = cay_mount_copy(s->skeleton_fd, "", false);
	if (userns < 0 || fd < 0 || cay_mount_idmap(fd, userns, false) < 0) {
		snprintf(s->skeleton_reason, sizeof(s->skeleton_reason),
			 "the cache's file system cannot map ids: %s", strerror(errno));
		s->apply.skeleton.path = NULL;
		return -1;
	}
	return TAKE_FD(fd);
}

static int let_go(struct cay_spawn *s, struct cay_error *err)
{
	auto_close int skeleton = -1;
	char word = SKELETON_MISSING;

	if (s->privileged) {
		if (cay_ns_write_maps(s->pid, &s->apply.ids, false, err) < 0) {
			err->code = CAY_E_SETUP;
			return cay_fail_in(err, "ids");
		}
		skeleton = mount_skeleton(s);
		if (skeleton >= 0)
			word = SKELETON_PASSED;
	}
	if (cay_cgroup_attach(&s->cgroup, s->pid, err) < 0)
		return -1;
	if (cay_fd_send(s->sock, &word, 1, &skeleton, skeleton >= 0) < 0)
		return cay_fail(err, CAY_E_SETUP, errno, "let the child go on");
	return 0;
}

static bool child_has_to_wait(const struct cay_spawn *s)
{
	for (size_t i = 0; i < CAY_CGROUP_CONTROLLERS; i++)
		if (s->cgroup.version[i] == 1)
			return true;
	return s->privileged;
}

static int fork_failed(struct cay_error *err)
{
	int sys = errno;

	cay_fail(err, CAY_E_SETUP, sys, "namespaces: clone3");
	if (sys == EPERM)
		return cay_fail_hint(err, "this kernel or container does not let you make user "
					  "namespaces; 'cay doctor' says what to change");
	if (sys == ENOSPC || sys == EUSERS)
		return cay_fail_hint(err, "raise the limits in /proc/sys/user");
	return -1;
}

int cay_spawn_fork(struct cay_spawn *s, cay_spawn_body *body, void *arg, struct cay_error *err)
{
	bool wait = child_has_to_wait(s);
	auto_close int birth = cay_cgroup_birth_fd(&s->cgroup);
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return cay_fail(err, CAY_E_SETUP, errno, "socketpair");
	s->sock = pair[0];
	s->pid = cay_ns_fork(s->plan.namespaces, birth, &s->pidfd);
	if (s->pid == 0) {
		close(pair[0]);
		child(s, pair[1], wait, body, arg);
	}
	close(pair[1]);
	if (s->pid < 0) {
		s->pid = 0;
		return fork_failed(err);
	}
	return wait ? let_go(s, err) : 0;
}

int cay_spawn_receive(struct cay_spawn *s, struct cay_message *ret, int *ret_fd)
{
	int fds[CAY_FD_PASS_MAX];
	size_t n = 0, n_fds = 0;

	if (cay_fd_recv(s->sock, ret, sizeof(*ret), &n, fds, &n_fds) < 0)
		/* Died with something of ours unread in its socket. */
		return errno == ECONNRESET ? 0 : -1;
	*ret_fd = n_fds ? fds[0] : -1;
	return n == sizeof(*ret);
}

void cay_spawn_fini(struct cay_spawn *s, bool *ret_oom)
{
	int status;

	if (s->pid > 0) {
		cay_pidfd_signal(s->pidfd, SIGKILL);
		cay_pidfd_wait(s->pidfd, true, &status);
		s->pid = 0;
	}
	if (ret_oom)
		*ret_oom = cay_cgroup_oom_kills(&s->cgroup) > 0;
	cay_cgroup_destroy(&s->cgroup);
	cay_cgroup_host_close(&s->own_cgroups);
	cay_host_fini(&s->host);
	free(s->skeleton_path);
	s->skeleton_path = NULL;
	cay_cleanup_close(&s->pidfd);
	cay_cleanup_close(&s->sock);
	cay_cleanup_close(&s->skeleton_fd);
	cay_cleanup_close(&s->apply.workspace.mount_fd);
	cay_cleanup_close(&s->apply.rootfs.mount_fd);
	s->pidfd = s->sock = s->skeleton_fd = -1;
	s->apply.workspace.mount_fd = s->apply.rootfs.mount_fd = -1;
}
