/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors: whole reads and writes, SCM_RIGHTS, unix sockets. */
#include "base/fd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/mem.h"

int cay_fd_write_all(int fd, const void *data, size_t n)
{
	const char *p = data;
	ssize_t k;

	while (n > 0) {
		k = write(fd, p, n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -1;
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

int cay_fd_read_all(int fd, struct cay_buf *buf)
{
	enum { CHUNK = 16384 };
	size_t want;
	ssize_t k;
	char *to, past;

	for (;;) {
		want = CAY_MIN((size_t)CHUNK, buf->max - buf->len);
		to = want ? cay_buf_reserve(buf, want) : &past;
		k = read(fd, to, want ? want : 1);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return (int)k;
		if (!want) {
			errno = EFBIG;
			return -1;
		}
		buf->len += (size_t)k;
		buf->data[buf->len] = '\0';
	}
}

int cay_fd_read_exact(int fd, void *data, size_t n)
{
	char *p = data;
	size_t got = 0;
	ssize_t k;

	while (got < n) {
		k = read(fd, p + got, n - got);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -1;
		if (k == 0) {
			errno = EPIPE;
			return got ? -1 : 0;
		}
		got += (size_t)k;
	}
	return 1;
}

int cay_fd_read_file(const char *path, struct cay_buf *buf, struct cay_error *err)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return cay_fail(err, cay_error_from_errno(errno), errno, "open '%s'", path);
	if (cay_fd_read_all(fd, buf) < 0)
		return cay_fail(err, cay_error_from_errno(errno), errno, "read '%s'", path);
	return 0;
}

static int set_flag(int fd, int get, int set, int flag, bool on)
{
	int flags = fcntl(fd, get);

	if (flags < 0)
		return -1;
	return fcntl(fd, set, on ? flags | flag : flags & ~flag);
}

int cay_fd_set_nonblock(int fd, bool on)
{
	return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int cay_fd_set_cloexec(int fd, bool on)
{
	return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

union pass_control {
	struct cmsghdr align;
	char space[CMSG_SPACE(CAY_FD_PASS_MAX * sizeof(int))];
};

int cay_fd_send(int sock, const void *data, size_t n, const int *fds, size_t n_fds)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = n};
	union pass_control control = {};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *cmsg;
	ssize_t k;

	if (n_fds > CAY_FD_PASS_MAX) {
		errno = E2BIG;
		return -1;
	}
	if (n_fds) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, n_fds * sizeof(int));
	}
	do
		k = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (k < 0 && errno == EINTR);
	if (k >= 0 && (size_t)k < n)
		return cay_fd_write_all(sock, (const char *)data + k, n - (size_t)k);
	return k < 0 ? -1 : 0;
}

static size_t take_fds(struct msghdr *msg, int *fds)
{
	size_t n = 0, k;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		k = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds + n, CMSG_DATA(c), k * sizeof(int));
		n += k;
	}
	return n;
}

int cay_fd_recv(int sock, void *data, size_t max, size_t *ret_n, int *fds, size_t *n_fds)
{
	struct iovec iov = {.iov_base = data, .iov_len = max};
	union pass_control control = {};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	int got[CAY_FD_PASS_MAX];
	size_t n;
	ssize_t k;

	do
		k = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (k < 0 && errno == EINTR);
	if (k < 0)
		return -1;
	n = take_fds(&msg, got);
	if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC) || (n && !fds)) {
		for (size_t i = 0; i < n; i++)
			close(got[i]);
		errno = EMSGSIZE;
		return -1;
	}
	if (fds) {
		memcpy(fds, got, n * sizeof(int));
		*n_fds = n;
	}
	*ret_n = (size_t)k;
	return 0;
}

/* Fills addr for a path; a path too long for sun_path goes through an open descriptor of its
 * folder. */
static int unix_address(const char *path, struct sockaddr_un *addr, int *ret_dir_fd,
			struct cay_error *err)
{
	const char *slash = strrchr(path, '/');
	auto_free char *dir = NULL;
	auto_close int fd = -1;
	int n;

	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	*ret_dir_fd = -1;
	if (strlen(path) < sizeof(addr->sun_path)) {
		memcpy(addr->sun_path, path, strlen(path) + 1);
		return 0;
	}
	if (!slash)
		return cay_fail(err, CAY_E_INVALID, 0, "socket name '%.40s...' is too long", path);
	dir = cay_strndup(path, (size_t)(slash - path));
	fd = open(*dir ? dir : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return cay_fail(err, cay_error_from_errno(errno), errno, "open '%s'", dir);
	n = snprintf(addr->sun_path, sizeof(addr->sun_path), "/proc/self/fd/%d/%s", fd, slash + 1);
	if (n < 0 || (size_t)n >= sizeof(addr->sun_path))
		return cay_fail(err, CAY_E_INVALID, 0, "socket name '%.40s...' is too long",
				slash + 1);
	*ret_dir_fd = TAKE_FD(fd);
	return 0;
}

int cay_fd_listen_unix(const char *path, int backlog, int *ret_fd, struct cay_error *err)
{
	auto_close int dir = -1;
	auto_close int fd = -1;
	struct sockaddr_un addr;
	struct stat st;

	if (unix_address(path, &addr, &dir, err) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "socket");
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);
	/* The mode of the descriptor becomes the mode of the file that bind makes: no moment at
	 * 0777. */
	if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return cay_fail(err, cay_error_from_errno(errno), errno, "bind socket '%s'", path);
	if (listen(fd, backlog) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "listen on '%s'", path);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int connect_unix(const char *path, int flags, int *ret_fd, struct cay_error *err)
{
	auto_close int dir = -1;
	auto_close int fd = -1;
	struct sockaddr_un addr;

	if (unix_address(path, &addr, &dir, err) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (fd < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "socket");
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return cay_fail(err, CAY_E_UNAVAILABLE, errno, "connect to '%s'", path);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int cay_fd_connect_unix(const char *path, int *ret_fd, struct cay_error *err)
{
	return connect_unix(path, 0, ret_fd, err);
}

int cay_fd_connect_unix_now(const char *path, int *ret_fd, struct cay_error *err)
{
	return connect_unix(path, SOCK_NONBLOCK, ret_fd, err);
}
