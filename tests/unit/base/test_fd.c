/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/mem.h"
#include "tap.h"

static void reads_to_a_limit(void)
{
	struct cay_buf b;
	int p[2];

	cay_buf_init(&b, 5);
	CHECK(pipe2(p, O_CLOEXEC) == 0);
	CHECK(cay_fd_write_all(p[1], "12345", 5) == 0);
	close(p[1]);
	CHECK(cay_fd_read_all(p[0], &b) == 0);
	CHECK_STR(b.data, "12345");
	close(p[0]);
	CHECK(pipe2(p, O_CLOEXEC) == 0);
	cay_buf_clear(&b);
	CHECK(cay_fd_write_all(p[1], "123456", 6) == 0);
	close(p[1]);
	CHECK(cay_fd_read_all(p[0], &b) == -1);
	CHECK_INT(errno, EFBIG);
	close(p[0]);
	cay_buf_fini(&b);
}

static void passes_descriptors(void)
{
	int sock[2], p[2], got[CAY_FD_PASS_MAX];
	size_t n = 0, n_fds = 0;
	char text[10];

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) == 0);
	CHECK(pipe2(p, O_CLOEXEC) == 0);
	CHECK(cay_fd_send(sock[0], "hi", 2, p, 2) == 0);
	CHECK(cay_fd_recv(sock[1], text, sizeof(text), &n, got, &n_fds) == 0);
	CHECK_INT(n, 2);
	CHECK_INT(n_fds, 2);
	CHECK(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
	CHECK(write(got[1], "x", 1) == 1);
	CHECK(read(p[0], text, 1) == 1);
	/* A cut message is an error, and its descriptors do not leak. */
	CHECK(cay_fd_send(sock[0], "0123456789abc", 13, p, 1) == 0);
	CHECK(cay_fd_recv(sock[1], text, sizeof(text), &n, NULL, NULL) == -1);
	CHECK_INT(errno, EMSGSIZE);
	close(sock[0]);
	CHECK(cay_fd_recv(sock[1], text, sizeof(text), &n, got, &n_fds) == 0);
	CHECK_INT(n, 0);
	close(sock[1]);
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(got[i]);
	}
}

static void listens_on_long_paths(void)
{
	char dir[] = "/tmp/cay-test-XXXXXX";
	auto_free char *deep = NULL, *path = NULL;
	struct cay_error err = {};
	struct stat st;
	int l = -1, c = -1;

	CHECK(mkdtemp(dir) != NULL);
	deep = cay_format("%s/%0120d", dir, 7);
	path = cay_format("%s/s.sock", deep);
	CHECK(mkdir(deep, 0700) == 0);
	CHECK(cay_fd_listen_unix(path, 5, &l, &err) == 0);
	CHECK(stat(path, &st) == 0);
	CHECK_INT(st.st_mode & 0777, 0600);
	CHECK(cay_fd_connect_unix(path, &c, &err) == 0);
	close(c);
	close(l);
	/* A stale socket file is replaced; connecting to nothing is a clear error. */
	CHECK(cay_fd_connect_unix(path, &c, &err) == -1);
	CHECK_INT(err.code, CAY_E_UNAVAILABLE);
	CHECK(cay_fd_listen_unix(path, 5, &l, &err) == 0);
	close(l);
	unlink(path);
	rmdir(deep);
	rmdir(dir);
}

TAP_MAIN({"reads_to_a_limit", reads_to_a_limit}, {"passes_descriptors", passes_descriptors},
	 {"listens_on_long_paths", listens_on_long_paths})
