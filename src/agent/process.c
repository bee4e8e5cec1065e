/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/process.h"

#include "agent/service.h"
#include "base/clock.h"
#include "base/mem.h"

struct cay_process_table {
	struct cay_service *service;
	struct cay_process *first;
	size_t n;
};

struct cay_process_table *cay_process_table_create(struct cay_service *s)
{
	struct cay_process_table *t = cay_alloc(sizeof(*t));

	t->service = s;
	return t;
}

void cay_process_table_destroy(struct cay_process_table *t)
{
	if (!t)
		return;
	while (t->first)
		cay_process_forget(t->first);
	free(t);
}

struct cay_process *cay_process_first(const struct cay_process_table *t)
{
	return t->first;
}

struct cay_process *cay_process_find(const struct cay_process_table *t, pid_t pid)
{
	struct cay_process *p = t->first;

	while (p && p->pid != pid)
		p = p->next;
	return p;
}

/* What is unread at which a lossless process waits. One turn of reading and what its pipes hold at
 * its end still fit into the ring. */
enum { UNREAD_MAX = CAY_RING_MAX / 2 };

void cay_process_read_on(struct cay_process *p)
{
	uint64_t slowest = UINT64_MAX;
	bool pause;

	for (const struct cay_process_follower *f = p->followers; f; f = f->next)
		if (f->offset)
			slowest = CAY_MIN(slowest, *f->offset);
	if (slowest == UINT64_MAX)
		slowest = 0; /* nobody reads yet */
	pause = p->lossless && p->ring.end > slowest && p->ring.end - slowest >= UNREAD_MAX;
	if (p->child && pause != p->paused) {
		p->paused = pause;
		cay_child_pause_output(p->child, pause);
	}
}

/* A follower may leave in its callback, so the next one is known before. */
static void tell(struct cay_process *p)
{
	struct cay_process_follower *next;

	for (struct cay_process_follower *f = p->followers; f; f = next) {
		next = f->next;
		f->on_news(f);
	}
}

static void on_output(struct cay_child *c, enum cay_stream stream, const void *data, size_t n)
{
	struct cay_process *p = cay_child_arg(c);

	cay_ring_write(&p->ring, stream, data, n);
	tell(p);
	cay_process_read_on(p);
}

static void on_input_drain(struct cay_child *c)
{
	struct cay_process *p = cay_child_arg(c);
	struct cay_process_follower *next;

	for (struct cay_process_follower *f = p->followers; f; f = next) {
		next = f->next;
		if (f->on_drain)
			f->on_drain(f);
	}
}

static void on_end(struct cay_child *c, const struct cay_child_end *end)
{
	struct cay_process *p = cay_child_arg(c);

	p->end = *end;
	p->ended_unix_ms = cay_clock_unix_ms();
	p->child = NULL;
	cay_child_destroy(c);
	tell(p);
	/* Who waits for room in the input has waited long enough. */
	for (struct cay_process_follower *f = p->followers, *next; f; f = next) {
		next = f->next;
		if (f->on_drain)
			f->on_drain(f);
	}
}

/* The oldest that has ended makes room. */
static int make_room(struct cay_process_table *t, struct cay_error *err)
{
	struct cay_process *oldest = NULL;

	if (t->n < CAY_PROCESS_MAX)
		return 0;
	for (struct cay_process *p = t->first; p; p = p->next)
		if (!p->child)
			oldest = p;
	if (!oldest) {
		cay_fail(err, CAY_E_OVERLOADED, 0, "%d processes are running", CAY_PROCESS_MAX);
		return cay_fail_hint(err, "end one of them first");
	}
	cay_process_forget(oldest);
	return 0;
}

int cay_process_start(struct cay_process_table *t, const struct cay_process_options *options,
		      struct cay_process **ret, struct cay_error *err)
{
	struct cay_process *p, *same;
	struct cay_child_options child = {
		.argv = options->argv,
		.env = options->env,
		.cwd = options->cwd,
		.pty = options->pty,
		.input = options->input ? CAY_CHILD_INPUT : CAY_CHILD_NO_INPUT,
		.timeout_ms = options->timeout_ms,
		.on_output = on_output,
		.on_input_drain = on_input_drain,
		.on_end = on_end,
	};

	if (make_room(t, err) < 0)
		return -1;
	p = cay_alloc(sizeof(*p));
	child.arg = p;
	if (cay_child_start(t->service, &child, &p->child, err) < 0) {
		free(p);
		return -1;
	}
	p->pid = cay_child_pid(p->child);
	/* The kernel gives a pid again once it has been reaped; the newer process has it then. */
	same = cay_process_find(t, p->pid);
	if (same)
		cay_process_forget(same);
	p->table = t;
	p->argv = cay_strv_copy((const char *const *)options->argv);
	p->has_terminal = options->pty;
	p->lossless = options->lossless;
	p->started_unix_ms = cay_clock_unix_ms();
	cay_ring_init(&p->ring);
	p->next = t->first;
	t->first = p;
	t->n++;
	*ret = p;
	return 0;
}

void cay_process_forget(struct cay_process *p)
{
	struct cay_process_table *t = p->table;
	struct cay_process **at = &t->first;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	t->n--;
	while (p->followers) {
		struct cay_process_follower *f = p->followers;

		p->followers = f->next;
		f->on_gone(f);
	}
	cay_child_destroy(p->child);
	cay_ring_fini(&p->ring);
	cay_strv_free(p->argv);
	free(p);
}

void cay_process_follow(struct cay_process *p, struct cay_process_follower *f)
{
	f->next = p->followers;
	p->followers = f;
}

void cay_process_unfollow(struct cay_process *p, struct cay_process_follower *f)
{
	for (struct cay_process_follower **at = &p->followers; *at; at = &(*at)->next) {
		if (*at == f) {
			*at = f->next;
			break;
		}
	}
	if (f->offset)
		p->lossless = false;
	cay_process_read_on(p);
}
