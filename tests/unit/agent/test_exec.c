/* SPDX-License-Identifier: Apache-2.0 */
/* Real programs through the exec and process services. */
#include "agent/exec.h"

#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "agent/process.h"
#include "agent/service.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tap.h"

static struct cay_service service;

struct outcome {
	bool done;
	struct cay_child_end end;
	char out[256], err[256];
	size_t out_n;
	bool truncated;
};

static void setup(void)
{
	struct cay_agent_config config;
	struct cay_error err;

	cay_service_begin(&service);
	cay_agent_config_init(&config);
	CHECK(cay_service_init(&service, &config, &err) == 0);
}

static void on_done(struct cay_exec *e, const struct cay_exec_result *r, void *arg)
{
	struct outcome *o = arg;

	(void)e;
	o->done = true;
	o->end = r->end;
	o->truncated = r->truncated;
	o->out_n = r->output[CAY_STDOUT].len;
	snprintf(o->out, sizeof(o->out), "%s", r->output[CAY_STDOUT].data);
	snprintf(o->err, sizeof(o->err), "%s", r->output[CAY_STDERR].data);
	event_base_loopbreak(service.base);
}

static struct outcome run(const char *line, const char *input, uint64_t timeout_ms)
{
	struct outcome o = {};
	struct cay_error err;
	struct cay_exec *e;
	char **argv = cay_service_shell_argv(line);
	const struct cay_exec_options options = {.argv = argv,
						 .env = service.config.env,
						 .cwd = "/",
						 .input = input,
						 .input_n = input ? strlen(input) : 0,
						 .timeout_ms = timeout_ms,
						 .on_done = on_done,
						 .arg = &o};

	CHECK(cay_exec_start(&service, &options, &e, &err) == 0);
	event_base_dispatch(service.base);
	CHECK(o.done);
	cay_strv_free(argv);
	return o;
}

static void collects_both_streams_and_the_status(void)
{
	struct outcome o;

	setup();
	o = run("cat; echo problem >&2; exit 7", "hello", 0);
	CHECK_STR(o.out, "hello");
	CHECK_STR(o.err, "problem\n");
	CHECK_INT(o.end.exit_code, 7);
	o = run("kill -9 $$", NULL, 0);
	CHECK_INT(o.end.signal, SIGKILL);
	CHECK_INT(o.end.exit_code, 137);
	cay_service_fini(&service);
}

static void a_child_has_a_clean_start(void)
{
	struct outcome o;

	setup();
	/* Only 0, 1, 2 and ls's own descriptor; no blocked signal; own session. */
	o = run("ls /proc/self/fd | wc -w; grep SigBlk /proc/self/status; "
		"test $(ps -o sid= -p $$) = $$ && echo leader",
		NULL, 0);
	CHECK_STR(o.out, "4\nSigBlk:\t0000000000000000\nleader\n");
	cay_service_fini(&service);
}

static void a_timeout_ends_the_whole_group(void)
{
	uint64_t began = cay_clock_ms();
	struct outcome o;

	setup();
	/* Both ignore SIGTERM; the grandchild keeps the pipe open. */
	o = run("trap '' TERM; sleep 100 & sleep 100; sleep 100", NULL, 100);
	CHECK(o.end.timed_out);
	CHECK_INT(o.end.exit_code, 124);
	CHECK(cay_clock_ms() - began < 20000);
	while (waitpid(-1, NULL, 0) > 0)
		;
	CHECK(errno == ECHILD);
	cay_service_fini(&service);
}

static void output_past_the_limit_is_cut_and_said(void)
{
	struct outcome o;

	setup();
	o = run("head -c 9000000 /dev/zero", NULL, 0);
	CHECK_INT(o.out_n, CAY_EXEC_OUTPUT_MAX);
	CHECK(o.truncated);
	CHECK_INT(o.end.exit_code, 0);
	cay_service_fini(&service);
}

static void a_background_descendant_is_not_waited_for(void)
{
	uint64_t began = cay_clock_ms();
	struct outcome o;

	setup();
	o = run("sleep 5 & echo started", NULL, 0);
	CHECK_STR(o.out, "started\n");
	CHECK(cay_clock_ms() - began < 4000);
	cay_service_fini(&service);
}

static int start_error(const char *file, const char *cwd, struct cay_error *err)
{
	char *argv[] = {(char *)(uintptr_t)file, NULL};
	struct outcome o = {};
	struct cay_exec *e;
	const struct cay_exec_options options = {
		.argv = argv, .env = service.config.env, .cwd = cwd, .on_done = on_done, .arg = &o};

	return cay_exec_start(&service, &options, &e, err);
}

static void what_cannot_start_says_why(void)
{
	struct cay_error err;

	setup();
	CHECK(start_error("no-such-command-here", "/", &err) < 0);
	CHECK_INT(err.code, CAY_E_NO_COMMAND);
	CHECK(start_error("/etc/passwd", "/", &err) < 0);
	CHECK_INT(err.code, CAY_E_NOT_EXEC);
	CHECK(start_error("true", "/no/such/folder", &err) < 0);
	CHECK_INT(err.code, CAY_E_NOT_FOUND);
	cay_service_fini(&service);
}

struct follow {
	struct cay_process_follower follower;
	struct cay_process *process;
};

static void on_news(struct cay_process_follower *f)
{
	if (!((struct follow *)f)->process->child)
		event_base_loopbreak(service.base);
}

static void a_process_keeps_its_output_and_status(void)
{
	struct cay_process_table *t;
	struct follow f = {.follower.on_news = on_news};
	char *argv[] = {(char[]){"cat"}, NULL};
	struct cay_process_options options = {.argv = argv, .cwd = "/", .input = true};
	struct cay_ring_span s;
	struct cay_error err;

	setup();
	options.env = service.config.env;
	t = cay_process_table_create(&service);
	CHECK(cay_process_start(t, &options, &f.process, &err) == 0);
	cay_process_follow(f.process, &f.follower);
	cay_child_write(f.process->child, "abc", 3);
	cay_child_close_input(f.process->child);
	event_base_dispatch(service.base);
	cay_ring_peek(&f.process->ring, 0, &s);
	CHECK_INT(s.n, 3);
	CHECK_INT(f.process->end.exit_code, 0);
	CHECK(cay_process_find(t, f.process->pid) == f.process);
	cay_process_unfollow(f.process, &f.follower);
	cay_process_table_destroy(t);
	cay_service_fini(&service);
}

TAP_MAIN({"collects_both_streams_and_the_status", collects_both_streams_and_the_status},
	 {"a_child_has_a_clean_start", a_child_has_a_clean_start},
	 {"a_timeout_ends_the_whole_group", a_timeout_ends_the_whole_group},
	 {"output_past_the_limit_is_cut_and_said", output_past_the_limit_is_cut_and_said},
	 {"a_background_descendant_is_not_waited_for", a_background_descendant_is_not_waited_for},
	 {"what_cannot_start_says_why", what_cannot_start_says_why},
	 {"a_process_keeps_its_output_and_status", a_process_keeps_its_output_and_status})
