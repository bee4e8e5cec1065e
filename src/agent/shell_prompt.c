/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/shell_prompt.h"

#include <string.h>
#include <sys/socket.h>

#include "base/id.h"
#include "base/mem.h"
#include "base/text.h"

enum {
	MESSAGE_MAX = 64 << 10, /* one write of bash */
	RECORD_MAX = 256 << 10, /* status, folder and PATH together */
	RECORD_FIELDS = 4,
	TOKEN_LEN = 24,
};

/* ---- messages ---- */

int cay_shell_prompt_open(struct cay_shell_prompt *p, int *ret_theirs, struct cay_error *err)
{
	int fds[2], on = 1;

	*p = (struct cay_shell_prompt){.fd = -1};
	cay_buf_init(&p->partial, RECORD_MAX);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "socketpair");
	p->fd = fds[0];
	*ret_theirs = fds[1];
	/* Only our end does not block: bash must not lose a message because a child has filled the
	 * queue. */
	if (setsockopt(fds[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0) {
		close(TAKE_FD(*ret_theirs));
		return cay_fail(err, CAY_E_SYSTEM, errno, "SO_PASSCRED");
	}
	return 0;
}

void cay_shell_prompt_close(struct cay_shell_prompt *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	free(p->cwd);
	free(p->path);
	p->cwd = p->path = NULL;
	cay_buf_fini(&p->partial);
}

/* The sender as the kernel tells it; 0 if it does not. Descriptors that came along have no room in
 * the control buffer, and the kernel drops them; were one here, it is closed. */
static pid_t sender(struct msghdr *msg)
{
	pid_t pid = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_CREDENTIALS) {
			struct ucred cred;

			memcpy(&cred, CMSG_DATA(c), sizeof(cred));
			pid = cred.pid;
		} else if (c->cmsg_type == SCM_RIGHTS) {
			for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len;
			     at += sizeof(int)) {
				int fd;

				memcpy(&fd, (char *)c + at, sizeof(fd));
				close(fd);
			}
		}
	}
	return pid;
}

/* Takes one whole record off the front: status NUL background pid NUL folder NUL path NUL. No field can hold a NUL, so
 * a record that bash wrote in several messages is put together without doubt. */
static bool take_record(struct cay_shell_prompt *p)
{
	const char *field[RECORD_FIELDS];
	const char *at = p->partial.data, *end = at + p->partial.len;
	struct cay_error err;
	int64_t status;

	for (size_t i = 0; i < RECORD_FIELDS; i++) {
		field[i] = at;
		at = memchr(at, '\0', (size_t)(end - at));
		if (!at)
			return false;
		at++;
	}
	if (!(p->keep_first && p->arrived)) {
		if (cay_text_int(field[0], "status", 0, 255, &status, &err) < 0)
			status = -1;
		p->exit_code = (int)status;
		if (cay_text_int(field[1], "pid", 1, INT32_MAX, &p->background_pid, &err) < 0)
			p->background_pid = -1;
		free(p->cwd);
		free(p->path);
		p->cwd = cay_strdup(field[2]);
		p->path = cay_strdup(field[3]);
	}
	p->arrived = true;
	cay_buf_consume(&p->partial, (size_t)(at - p->partial.data));
	return true;
}

bool cay_shell_prompt_receive(struct cay_shell_prompt *p, pid_t pid)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	static char data[MESSAGE_MAX];
	struct iovec iov = {.iov_base = data, .iov_len = sizeof(data)};
	struct msghdr msg;
	pid_t from;
	ssize_t n;

	for (;;) {
		msg = (struct msghdr){.msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = &control,
				      .msg_controllen = sizeof(control)};
		n = recvmsg(p->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		from = sender(&msg);
		if (n == 0 && from == 0)
			return false;
		if (from != pid)
			continue;
		if (cay_buf_append(&p->partial, data, (size_t)n) < 0)
			cay_buf_clear(&p->partial);
		while (take_record(p))
			;
	}
}

/* ---- sentinel ---- */

void cay_shell_sentinel_init(struct cay_shell_sentinel *t)
{
	char token[TOKEN_LEN + 1];

	*t = (struct cay_shell_sentinel){};
	cay_id_random(token, TOKEN_LEN);
	/* An operating system command that no terminal knows, should it ever reach one. */
	snprintf(t->as_set, sizeof(t->as_set), "\\e]777;cay;%s\\a", token);
	t->n = (size_t)snprintf(t->as_printed, sizeof(t->as_printed), "\033]777;cay;%s\007", token);
}

/* Goes on with what an earlier call has seen the beginning of. */
static size_t scan_on(struct cay_shell_sentinel *t, const char *data, size_t n,
		      struct cay_shell_piece *ret)
{
	size_t at = 0;

	while (at < n && t->matched < t->n && data[at] == t->as_printed[t->matched]) {
		at++;
		t->matched++;
	}
	if (t->matched == t->n) {
		ret->found = true;
		t->matched = 0;
	} else if (at < n) {
		ret->n_held = t->matched;
		t->matched = 0;
	}
	return at;
}

size_t cay_shell_sentinel_scan(struct cay_shell_sentinel *t, const char *data, size_t n,
			       struct cay_shell_piece *ret)
{
	const char *at = data, *end = data + n;
	size_t k;

	*ret = (struct cay_shell_piece){.held = t->as_printed};
	if (t->matched)
		return scan_on(t, data, n, ret);
	while ((at = memchr(at, t->as_printed[0], (size_t)(end - at)))) {
		k = CAY_MIN((size_t)(end - at), t->n);
		if (memcmp(at, t->as_printed, k)) {
			at++;
			continue;
		}
		ret->n = (size_t)(at - data);
		ret->found = k == t->n;
		t->matched = ret->found ? 0 : k;
		return ret->n + k;
	}
	ret->n = n;
	return n;
}

char *cay_shell_prompt_install(const struct cay_shell_sentinel *t)
{
	/* The leading "$?" is that of the command before. PROMPT_COMMAND is an array since bash 5.1:
	 * a high element leaves the first one, which everybody assigns, to the user, and runs last,
	 * so that our prompt stays. xtrace and errors of the hook go nowhere; "-" keeps it working
	 * under set -u. */
#define MESSAGE(quote)                                                                             \
	"\\builtin printf " quote "%%s\\0%%s\\0%%s\\0%%s\\0" quote                                 \
	" \"$?\" \"${!-}\" \"${PWD-}\" \"${PATH-}\""
	static const char format[] = " " MESSAGE(
		"'") " 2>/dev/null >&%d;"
		     " _cay='{ " MESSAGE(
			     "\"") " >&%d; PS1=\"%s\"; } 2>/dev/null';"
				   " if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] > 500));"
				   " then PROMPT_COMMAND[99]=$_cay; else PROMPT_COMMAND=$_cay; fi;"
				   " unset _cay; PS2=; alias git='git --no-pager'\n";
#undef MESSAGE

	return cay_format(format, CAY_SHELL_PROMPT_FD, CAY_SHELL_PROMPT_FD, t->as_set);
}
