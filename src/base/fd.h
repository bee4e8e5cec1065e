/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors: whole reads and writes, and passing them over unix sockets. All are CLOEXEC at
 * birth. */
#pragma once

#include "base/error.h"

struct cay_buf;

/* Writes all n bytes, across short writes and EINTR. -1 with errno. */
int cay_fd_write_all(int fd, const void *data, size_t n);

/* Reads until end of file into buf (whose maximum bounds it: EFBIG past it). -1 with errno. */
int cay_fd_read_all(int fd, struct cay_buf *buf);

/* Exactly n bytes; 0 at a clean end of file before the first, -1 with errno (EPIPE if it ends
 * between). */
int cay_fd_read_exact(int fd, void *data, size_t n);

/* A whole small file, such as one of /proc, by path. For files of the host only. */
int cay_fd_read_file(const char *path, struct cay_buf *buf, struct cay_error *err) CAY_NODISCARD;

int cay_fd_set_nonblock(int fd, bool on);
int cay_fd_set_cloexec(int fd, bool on);

/* One message of up to 64 KiB with up to CAY_FD_PASS_MAX descriptors over a SOCK_SEQPACKET or
 * stream socket (unix(7), SCM_RIGHTS). recv: *ret_n bytes (0: peer closed), descriptors CLOEXEC,
 * *n_fds of them, owned by the caller; a message that was cut is an error and its descriptors are
 * closed. */
enum { CAY_FD_PASS_MAX = 16 };
int cay_fd_send(int sock, const void *data, size_t n, const int *fds, size_t n_fds);
int cay_fd_recv(int sock, void *data, size_t max, size_t *ret_n, int *fds, size_t *n_fds);

/* A listening or connected SOCK_STREAM unix socket at a path (also longer than sun_path: through
 * /proc/self/fd of its folder). listen: mode 0600, replaces a stale socket file. */
int cay_fd_listen_unix(const char *path, int backlog, int *ret_fd,
		       struct cay_error *err) CAY_NODISCARD;
int cay_fd_connect_unix(const char *path, int *ret_fd, struct cay_error *err) CAY_NODISCARD;

/* The same without waiting where the listener's queue is full (UNAVAILABLE, EAGAIN); the socket is
 * non-blocking. */
int cay_fd_connect_unix_now(const char *path, int *ret_fd, struct cay_error *err) CAY_NODISCARD;
