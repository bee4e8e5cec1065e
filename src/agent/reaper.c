/* SPDX-License-Identifier: Apache-2.0 */
/* Children: SIGCHLD by signalfd, watchers by pid, everything reaped. */
#include "agent/reaper.h"

#include <event2/event.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

static struct cay_reaper_watch *take_watch(struct cay_reaper *r, pid_t pid)
{
	struct cay_reaper_watch *w;

	for (struct cay_reaper_watch **at = &r->watches; *at; at = &(*at)->next) {
		if ((*at)->pid != pid)
			continue;
		w = *at;
		*at = w->next;
		w->next = NULL;
		return w;
	}
	return NULL;
}

static int wait_status(const siginfo_t *info)
{
	if (info->si_code == CLD_EXITED)
		return W_EXITCODE(info->si_status, 0);
	return W_EXITCODE(0, info->si_status) | (info->si_code == CLD_DUMPED ? WCOREFLAG : 0);
}

static void on_sigchld(int fd, short what, void *arg)
{
	struct cay_reaper *r = arg;
	struct cay_reaper_watch *w;
	struct signalfd_siginfo ignored[8];
	siginfo_t info;

	(void)what;
	/* Signals coalesce: the queue only says "look"; who has ended is asked of the kernel. */
	while (read(fd, ignored, sizeof(ignored)) > 0)
		;
	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || !info.si_pid)
			return;
		w = take_watch(r, info.si_pid);
		if (w)
			w->on_exit(w, wait_status(&info));
		waitpid(info.si_pid, NULL, 0);
	}
}

int cay_reaper_init(struct cay_reaper *r, struct event_base *base, struct cay_error *err)
{
	sigset_t mask;

	*r = (struct cay_reaper){.signal_fd = -1};
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "block SIGCHLD");
	if (getpid() != 1 && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "become a child subreaper");
	r->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (r->signal_fd < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "signalfd");
	event_assign(&r->event, base, r->signal_fd, EV_READ | EV_PERSIST, on_sigchld, r);
	event_add(&r->event, NULL);
	return 0;
}

void cay_reaper_fini(struct cay_reaper *r)
{
	if (r->signal_fd < 0)
		return;
	event_del(&r->event);
	close(r->signal_fd);
	r->signal_fd = -1;
}

void cay_reaper_watch(struct cay_reaper *r, struct cay_reaper_watch *watch)
{
	watch->next = r->watches;
	r->watches = watch;
}

void cay_reaper_unwatch(struct cay_reaper *r, struct cay_reaper_watch *watch)
{
	take_watch(r, watch->pid);
}
