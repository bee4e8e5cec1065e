/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/exec.h"

#include "agent/service.h"
#include "base/clock.h"
#include "base/mem.h"

struct cay_exec {
	struct cay_child *child;
	struct cay_exec_result result;
	uint64_t started_ns;
	void (*on_done)(struct cay_exec *e, const struct cay_exec_result *result, void *arg);
	void *arg;
};

static void destroy(struct cay_exec *e)
{
	cay_child_destroy(e->child);
	for (size_t i = 0; i < CAY_STREAM_COUNT; i++)
		cay_buf_fini(&e->result.output[i]);
	free(e);
}

static void on_output(struct cay_child *c, enum cay_stream stream, const void *data, size_t n)
{
	struct cay_exec *e = cay_child_arg(c);
	struct cay_buf *b = &e->result.output[stream];
	size_t room = b->max - b->len;

	if (!e->on_done)
		return;
	if (n > room) {
		e->result.truncated = true;
		n = room;
	}
	cay_buf_append(b, data, n);
}

static void on_end(struct cay_child *c, const struct cay_child_end *end)
{
	struct cay_exec *e = cay_child_arg(c);

	e->result.end = *end;
	e->result.duration_ns = cay_clock_ns() - e->started_ns;
	if (e->on_done)
		e->on_done(e, &e->result, e->arg);
	destroy(e);
}

int cay_exec_start(struct cay_service *s, const struct cay_exec_options *options,
		   struct cay_exec **ret, struct cay_error *err)
{
	struct cay_exec *e = cay_alloc(sizeof(*e));
	const struct cay_child_options child = {
		.argv = options->argv,
		.env = options->env,
		.cwd = options->cwd,
		.input = options->input ? CAY_CHILD_INPUT : CAY_CHILD_NO_INPUT,
		.timeout_ms = options->timeout_ms,
		.on_output = on_output,
		.on_end = on_end,
		.arg = e,
	};

	e->on_done = options->on_done;
	e->arg = options->arg;
	e->started_ns = cay_clock_ns();
	for (size_t i = 0; i < CAY_STREAM_COUNT; i++)
		cay_buf_init(&e->result.output[i], CAY_EXEC_OUTPUT_MAX);
	if (cay_child_start(s, &child, &e->child, err) < 0) {
		destroy(e);
		return -1;
	}
	if (options->input) {
		cay_child_write(e->child, options->input, options->input_n);
		cay_child_close_input(e->child);
	}
	*ret = e;
	return 0;
}

void cay_exec_abandon(struct cay_exec *e)
{
	e->on_done = NULL;
	cay_child_terminate(e->child);
}
