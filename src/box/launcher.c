/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's end of the launcher. */
#include "box/launcher.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "box/launcher_wire.h"

struct cay_launcher {
	int sock;
	pid_t pid;
	bool gone;
};

int cay_launcher_start(int agent_exe_fd, struct cay_launcher **ret, struct cay_error *err)
{
	struct cay_launcher *l;
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "launcher: socketpair");
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		cay_launcher_main(pair[1], agent_exe_fd);
	}
	close(pair[1]);
	if (pid < 0 || cay_fd_set_nonblock(pair[0], true) < 0) {
		close(pair[0]);
		return cay_fail(err, CAY_E_SYSTEM, errno, "launcher: fork");
	}
	l = cay_alloc(sizeof(*l));
	l->sock = pair[0];
	l->pid = pid;
	*ret = l;
	return 0;
}

void cay_launcher_stop(struct cay_launcher *l)
{
	if (!l)
		return;
	close(l->sock);
	while (waitpid(l->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(l);
}

int cay_launcher_fd(const struct cay_launcher *l)
{
	return l->sock;
}

static int send_failed(struct cay_error *err)
{
	if (errno == EAGAIN || errno == ENOBUFS)
		return cay_fail(err, CAY_E_OVERLOADED, 0,
				"too many sandboxes are being made at once");
	if (errno == EMSGSIZE)
		return cay_fail(err, CAY_E_LIMIT, 0, "the request to the launcher is too large");
	return cay_fail(err, CAY_E_UNAVAILABLE, errno, "the launcher does not answer");
}

int cay_launcher_prepare(struct cay_launcher *l, const char *cache_dir, struct cay_error *err)
{
	json_t *m = json_object();

	json_object_set_new(m, "op", json_string("prepare"));
	json_object_set_new(m, "cache_dir", json_string(cache_dir));
	return cay_launcher_send(l->sock, m, NULL, 0) < 0 ? send_failed(err) : 0;
}

int cay_launcher_create(struct cay_launcher *l, uint64_t tag, const struct cay_box_spec *spec,
			int listen_fd, int log_fd, json_t *config, struct cay_error *err)
{
	auto_free char *text = cay_json_text(config);
	auto_close int memfd = memfd_create("cay-config", MFD_CLOEXEC);
	const int fds[] = {memfd, listen_fd, log_fd};

	if (cay_box_spec_check(spec, err) < 0)
		return -1;
	/* In a file, because it may be longer than a packet. */
	if (memfd < 0 || cay_fd_write_all(memfd, text, strlen(text)) < 0 ||
	    lseek(memfd, 0, SEEK_SET) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "launcher: write the configuration");
	if (cay_launcher_send(l->sock, cay_launcher_pack_spec(tag, spec, log_fd >= 0), fds,
			      log_fd >= 0 ? 3 : 2) < 0)
		return send_failed(err);
	return 0;
}

int cay_launcher_destroy(struct cay_launcher *l, uint64_t tag, const char *name,
			 struct cay_error *err)
{
	json_t *m = json_object();

	json_object_set_new(m, "op", json_string("destroy"));
	json_object_set_new(m, "tag", json_integer((json_int_t)tag));
	json_object_set_new(m, "name", json_string(name));
	return cay_launcher_send(l->sock, m, NULL, 0) < 0 ? send_failed(err) : 0;
}

/* ---- events ---- */

static const struct {
	const char *name;
	enum cay_launcher_event_kind kind;
} kinds[] = {
	{"created", CAY_LAUNCHER_CREATED},
	{"failed", CAY_LAUNCHER_FAILED},
	{"destroyed", CAY_LAUNCHER_DESTROYED},
	{"exited", CAY_LAUNCHER_EXITED},
};

static bool find_kind(const char *name, enum cay_launcher_event_kind *ret)
{
	for (size_t i = 0; name && i < CAY_LEN(kinds); i++) {
		if (strcmp(name, kinds[i].name) != 0)
			continue;
		*ret = kinds[i].kind;
		return true;
	}
	return false;
}

static bool unpack_event(json_t *m, int *fds, size_t n_fds, struct cay_launcher_event *ret)
{
	const char *name = json_string_value(json_object_get(m, "name"));

	*ret = (struct cay_launcher_event){
		.tag = (uint64_t)json_integer_value(json_object_get(m, "tag")),
		.exit_status = (int)json_integer_value(json_object_get(m, "status")),
		.oom = json_is_true(json_object_get(m, "oom")),
		.box = {.pidfd = -1, .status_fd = -1, .layer_fd = -1},
	};
	if (!find_kind(json_string_value(json_object_get(m, "event")), &ret->kind))
		return false;
	snprintf(ret->name, sizeof(ret->name), "%s", name ? name : "");
	if (ret->kind == CAY_LAUNCHER_FAILED)
		cay_launcher_unpack_error(json_object_get(m, "error"), &ret->error);
	if (ret->kind != CAY_LAUNCHER_CREATED)
		return n_fds == 0;
	if (n_fds != 2)
		return false;
	memcpy(ret->box.name, ret->name, sizeof(ret->name));
	ret->box.status_fd = fds[0];
	ret->box.pidfd = fds[1];
	ret->box.pid = (pid_t)json_integer_value(json_object_get(m, "pid"));
	ret->box.setup_ns = (uint64_t)json_integer_value(json_object_get(m, "setup_ns"));
	ret->box.report = json_incref(json_object_get(m, "report"));
	return true;
}

int cay_launcher_next_event(struct cay_launcher *l, struct cay_launcher_event *ret)
{
	auto_json json_t *message = NULL;
	int fds[CAY_FD_PASS_MAX];
	size_t n_fds = 0;
	int k;

	if (l->gone)
		return 0;
	k = cay_launcher_receive(l->sock, &message, fds, &n_fds);
	if (k < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (k > 0 && unpack_event(message, fds, n_fds, ret))
		return 1;
	/* End of file, or something that no launcher of ours says. */
	for (size_t i = 0; i < n_fds; i++)
		close(fds[i]);
	l->gone = true;
	*ret = (struct cay_launcher_event){.kind = CAY_LAUNCHER_GONE};
	return 1;
}
