/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/api/openhands_run.h"

#include <ctype.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/bash_split.h"
#include "agent/service.h"
#include "agent/shell.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#define TIMEOUT_ADVICE                                                                             \
	"You may wait longer to see additional output by sending empty command '', send other "    \
	"commands to interact with the current process, send keys (\"C-c\", \"C-z\", \"C-d\") to " \
	"interrupt/kill the previous command before sending your new command, or use the timeout " \
	"parameter in execute_bash for future commands."

#define PREVIOUS_OUTPUT "[Below is the output of the previous command.]\n"

enum { HOSTNAME_MAX = 256 };

enum status {
	STATUS_NONE,
	STATUS_COMPLETED,
	STATUS_NO_CHANGE,
	STATUS_HARD_TIMEOUT,
};

/* The action that is being answered. */
struct request {
	char *command; /* stripped */
	bool is_input, hidden, blocking;
	char *timeout_text; /* as Python prints it; NULL: none */
	uint64_t timeout_ms;
	bool sent;
	uint64_t started_ms, changed_ms, oom_before;
	void (*on_done)(json_t *observation, void *arg);
	void *arg;
};

struct cay_oh_session {
	struct cay_service *service;
	char *start_dir;
	struct cay_shell *shell; /* NULL: to be started */
	enum status previous;
	char *previous_output; /* as the screen showed it at the last answer; NULL: nothing */
	struct request *request;
	struct event timer;
};

/* What the answer says about the command, beside its content. */
struct metadata {
	int exit_code;
	int64_t pid;
	bool known; /* user, host, folder, interpreter */
	const char *cwd;
	const char *prefix;
	const char *suffix;
};

/* ---- text ---- */

static const char blanks[] = " \t\n\r\f\v";

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, blanks);
}

static char *strip(const char *s)
{
	size_t n;

	s = skip_blanks(s);
	for (n = strlen(s); n > 0 && strchr(blanks, s[n - 1]); n--)
		;
	return cay_strndup(s, n);
}

static const char *without_prefix(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(s, prefix, n) ? s : s + n;
}

static bool is_special_key(const char *command)
{
	return !strncmp(command, "C-", 2) && strlen(command) == 3;
}

/* ---- observations ---- */

static json_t *string_or_null(const char *s, bool known)
{
	return known ? cay_json_bytes(s, strlen(s)) : json_null();
}

/* What `which python` would print in the shell. */
static char *find_python(const char *path, const char *cwd)
{
	while (*path) {
		size_t n = strcspn(path, ":");
		char *full = cay_format("%s%s%.*s/python", path[0] == '/' ? "" : cwd,
					path[0] == '/' ? "" : "/", (int)n, path);
		struct stat st;

		if (n && stat(full, &st) == 0 && S_ISREG(st.st_mode) && access(full, X_OK) == 0)
			return full;
		free(full);
		path += n + (path[n] == ':');
	}
	return cay_strdup("");
}

static json_t *metadata_json(const struct cay_oh_session *s, const struct metadata *m)
{
	auto_free char *python = NULL;
	char host[HOSTNAME_MAX] = "";
	json_t *j;

	if (m->known) {
		python = find_python(cay_shell_path(s->shell), m->cwd);
		gethostname(host, sizeof(host) - 1);
		host[strcspn(host, ".")] = '\0';
	}
	j = json_pack("{s:i, s:I, s:o, s:o, s:o, s:o}", "exit_code", m->exit_code, "pid",
		      (json_int_t)m->pid, "username",
		      string_or_null(s->service->config.username, m->known), "hostname",
		      string_or_null(host, m->known), "working_dir",
		      string_or_null(m->cwd, m->known), "py_interpreter_path",
		      string_or_null(python ? python : "", m->known));
	json_object_set_new(j, "prefix", cay_json_bytes(m->prefix, strlen(m->prefix)));
	json_object_set_new(j, "suffix", cay_json_bytes(m->suffix, strlen(m->suffix)));
	return j;
}

static json_t *observation(const struct cay_oh_session *s, const char *command, const char *content,
			   size_t n, bool hidden, const struct metadata *m)
{
	json_t *name = cay_json_bytes(command, strlen(command));
	json_t *extras = json_pack("{s:o, s:o, s:b}", "command", name, "metadata",
				   metadata_json(s, m), "hidden", hidden);
	json_t *text = hidden ? cay_json_bytes(content, n) : cay_oh_truncated(content, n);
	json_t *j = cay_oh_observation("run", text, extras,
				       json_sprintf("Command `%s` executed with exit code %d.",
						    json_string_value(name), m->exit_code));

	json_object_set_new(j, "success", json_boolean(m->exit_code == 0));
	return j;
}

static const struct metadata no_metadata = {.exit_code = -1, .pid = -1, .prefix = "", .suffix = ""};

/* ---- the end of a request ---- */

static void finish(struct cay_oh_session *s, json_t *result)
{
	struct request *r = s->request;
	void (*on_done)(json_t *, void *) = r->on_done;
	void *arg = r->arg;

	s->request = NULL;
	event_del(&s->timer);
	free(r->command);
	free(r->timeout_text);
	free(r);
	on_done(result, arg);
}

/* The screen, without what an earlier answer has shown, and without the echo of the command. */
static void take_output(struct cay_oh_session *s, const char *echo, const char **prefix,
			const char *continued, struct cay_buf *content)
{
	struct cay_buf screen;
	const char *text;
	size_t n;

	cay_buf_init(&screen, CAY_SHELL_TEXT_MAX);
	cay_shell_text(s->shell, &screen);
	if (screen.len && screen.data[screen.len - 1] == '\n')
		screen.data[--screen.len] = '\0';
	text = screen.data;
	if (s->previous_output && *s->previous_output) {
		text = without_prefix(text, s->previous_output);
		*prefix = continued;
	}
	text = skip_blanks(without_prefix(skip_blanks(text), skip_blanks(echo)));
	for (n = strlen(text); n > 0 && strchr(blanks, text[n - 1]); n--)
		;
	cay_buf_append(content, text, n);
	free(s->previous_output);
	s->previous_output = cay_buf_take(&screen);
}

static void forget_output(struct cay_oh_session *s)
{
	free(s->previous_output);
	s->previous_output = NULL;
}

static size_t count_lines(const char *text)
{
	size_t n = 1;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* The texts that follow a command's end: the original's where it has one, and then what only we
 * know. */
static char *end_suffix(const struct cay_oh_session *s, const struct request *r, bool ended)
{
	int code = cay_shell_exit_code(s->shell);
	bool oom = code == 137 && cay_service_oom_kills(s->service) > r->oom_before;
	auto_free char *key =
		is_special_key(r->command)
			? cay_format(" CTRL+%c was sent.", toupper((unsigned char)r->command[2]))
			: cay_strdup("");
	auto_free char *shell =
		ended ? cay_format(
				" The shell has ended with it; the next command starts a new one "
				"in %s.",
				s->start_dir)
		      : cay_strdup("");
	const char *memory = oom ? " The sandbox was out of memory." : "";

	if (code < 0)
		return cay_format("\n[The command completed but the exit code could not be "
				  "determined.%s%s]",
				  key, shell);
	return cay_format("\n[The command completed with exit code %d.%s%s%s]", code, key, memory,
			  shell);
}

static void complete(struct cay_oh_session *s)
{
	struct request *r = s->request;
	bool ended = cay_shell_state(s->shell) == CAY_SHELL_ENDED;
	auto_free char *suffix = end_suffix(s, r, ended);
	auto_free char *lost = NULL;
	struct metadata m = {.exit_code = cay_shell_exit_code(s->shell),
			     .pid = cay_shell_background_pid(s->shell),
			     .known = true,
			     .cwd = ended ? s->start_dir : cay_shell_cwd(s->shell),
			     .prefix = "",
			     .suffix = suffix};
	struct cay_shell *shell = s->shell;
	struct cay_buf content;
	json_t *result;

	cay_buf_init(&content, CAY_SHELL_TEXT_MAX);
	if (cay_shell_has_lost(shell)) {
		struct cay_buf screen;

		cay_buf_init(&screen, CAY_SHELL_TEXT_MAX);
		cay_shell_text(shell, &screen);
		lost = cay_format("[Previous command outputs are truncated. Showing the last %zu "
				  "lines of the output below.]\n",
				  count_lines(screen.data));
		cay_buf_fini(&screen);
		m.prefix = lost;
	}
	take_output(s, r->sent ? cay_shell_echo(shell) : r->command, &m.prefix, "", &content);
	s->previous = STATUS_COMPLETED;
	forget_output(s);
	result = observation(s, r->command, content.data, content.len, r->hidden, &m);
	cay_buf_fini(&content);
	if (ended)
		cay_shell_destroy(TAKE_PTR(s->shell));
	else
		cay_shell_clear(shell);
	finish(s, result);
}

static void time_out(struct cay_oh_session *s, enum status why)
{
	struct request *r = s->request;
	auto_free char *suffix =
		why == STATUS_NO_CHANGE
			? cay_format("\n[The command has no new output after %u seconds. %s]",
				     s->service->config.no_change_timeout_s, TIMEOUT_ADVICE)
			: cay_format("\n[The command timed out after %s seconds. %s]",
				     r->timeout_text, TIMEOUT_ADVICE);
	struct metadata m = no_metadata;
	struct cay_buf content;
	json_t *result;

	cay_buf_init(&content, CAY_SHELL_TEXT_MAX);
	m.suffix = suffix;
	take_output(s, r->sent ? cay_shell_echo(s->shell) : r->command, &m.prefix, PREVIOUS_OUTPUT,
		    &content);
	s->previous = why;
	result = observation(s, r->command, content.data, content.len, false, &m);
	cay_buf_fini(&content);
	finish(s, result);
}

static void refuse_because_running(struct cay_oh_session *s)
{
	struct request *r = s->request;
	auto_free char *suffix =
		cay_format("\n[Your command \"%s\" is NOT executed. The previous command is still "
			   "running - You CANNOT send new commands until the previous command is "
			   "completed. By setting `is_input` to `true`, you can interact with the "
			   "current process: %s]",
			   r->command, TIMEOUT_ADVICE);
	struct metadata m = no_metadata;
	struct cay_buf content;
	json_t *result;

	cay_buf_init(&content, CAY_SHELL_TEXT_MAX);
	m.suffix = suffix;
	take_output(s, r->command, &m.prefix, PREVIOUS_OUTPUT, &content);
	result = observation(s, r->command, content.data, content.len, r->hidden, &m);
	cay_buf_fini(&content);
	finish(s, result);
}

static void say(struct cay_oh_session *s, const char *text)
{
	finish(s, observation(s, "", text, strlen(text), false, &no_metadata));
}

/* ---- time ---- */

/* The moment of the next of the two limits; *ret_why says which. 0: neither. */
static uint64_t next_limit(const struct cay_oh_session *s, enum status *ret_why)
{
	const struct request *r = s->request;
	uint64_t soft = r->changed_ms + s->service->config.no_change_timeout_s * UINT64_C(1000);
	uint64_t hard = r->started_ms + r->timeout_ms;

	if (!r->timeout_text && r->blocking)
		return 0;
	if (r->blocking || (r->timeout_text && hard < soft)) {
		*ret_why = STATUS_HARD_TIMEOUT;
		return hard;
	}
	*ret_why = STATUS_NO_CHANGE;
	return soft;
}

static void arm(struct cay_oh_session *s)
{
	uint64_t now = cay_clock_ms(), at;
	struct timeval tv;
	enum status why;

	at = next_limit(s, &why);
	if (!at)
		return;
	at = at > now ? at - now : 0;
	tv = (struct timeval){.tv_sec = (time_t)(at / 1000),
			      .tv_usec = (suseconds_t)(at % 1000) * 1000};
	event_add(&s->timer, &tv);
}

/* Output moves the soft limit without touching the timer: what it finds here may be a later one. */
static void on_timer(int fd, short what, void *arg)
{
	struct cay_oh_session *s = arg;
	enum status why = STATUS_NONE;

	(void)fd;
	(void)what;
	if (!s->request || !s->request->sent)
		return;
	if (cay_clock_ms() < next_limit(s, &why))
		arm(s);
	else
		time_out(s, why);
}

/* ---- the shell ---- */

static void wait_for_it(struct cay_oh_session *s)
{
	s->request->started_ms = s->request->changed_ms = cay_clock_ms();
	s->request->oom_before = cay_service_oom_kills(s->service);
	s->request->sent = true;
	arm(s);
}

static void send_command(struct cay_oh_session *s)
{
	const char *command = s->request->command;

	if (is_special_key(command))
		cay_shell_key(s->shell, command[2]);
	else if (cay_shell_state(s->shell) == CAY_SHELL_IDLE)
		cay_shell_run(s->shell, command);
	else
		cay_shell_input(s->shell, command);
	wait_for_it(s);
}

/* With a shell that is there and ready, or busy with the command before. */
static void proceed(struct cay_oh_session *s)
{
	bool timed_out = s->previous == STATUS_NO_CHANGE || s->previous == STATUS_HARD_TIMEOUT;
	bool running = cay_shell_state(s->shell) == CAY_SHELL_RUNNING;
	struct request *r = s->request;

	if (timed_out && running && !r->is_input && *r->command)
		refuse_because_running(s);
	else if (*r->command)
		send_command(s);
	else if (running)
		wait_for_it(s);
	else
		complete(s);
}

static void on_shell_state(struct cay_shell *shell, void *arg)
{
	struct cay_oh_session *s = arg;

	if (!s->request)
		return; /* looked at when the next action comes */
	if (cay_shell_state(shell) == CAY_SHELL_ENDED && !s->request->sent) {
		s->shell = NULL;
		cay_shell_destroy(shell);
		finish(s, cay_oh_errorf("The shell could not be started: bash has ended, or shows "
					"no prompt. Look at ~/.bashrc"));
	} else if (s->request->sent) {
		complete(s);
	} else {
		proceed(s);
	}
}

static void on_shell_change(struct cay_shell *shell, void *arg)
{
	struct cay_oh_session *s = arg;

	(void)shell;
	if (s->request)
		s->request->changed_ms = cay_clock_ms();
}

static void start_shell(struct cay_oh_session *s)
{
	static const struct cay_shell_ops ops = {.on_state = on_shell_state,
						 .on_change = on_shell_change};
	struct cay_error err;

	forget_output(s);
	if (cay_shell_create(s->service, s->start_dir, &ops, s, &s->shell, &err) < 0) {
		s->shell = NULL;
		finish(s, cay_oh_error(err.msg, ""));
	}
}

/* ---- the action ---- */

/* NULL where the text is one command. */
static json_t *refuse_several(const char *command)
{
	struct cay_bash_split split;
	json_t *refusal = NULL;
	struct cay_buf text;

	cay_bash_split(command, strlen(command), &split);
	if (split.n > 1) {
		cay_buf_init(&text, strlen(command) * 2 + 1024 + split.n * 32);
		cay_buf_puts(&text,
			     "ERROR: Cannot execute multiple commands at once.\n"
			     "Please run each command separately OR chain them into a single "
			     "command via && or ;\n"
			     "Provided commands:");
		for (size_t i = 0; i < split.n; i++)
			cay_buf_printf(&text, "\n(%zu) %.*s", i + 1,
				       (int)(split.commands[i].end - split.commands[i].start),
				       command + split.commands[i].start);
		refusal = cay_oh_error(text.data, "");
		cay_buf_fini(&text);
	}
	cay_bash_split_fini(&split);
	return refusal;
}

static void read_timeout(struct request *r, const json_t *timeout)
{
	double seconds = json_number_value(timeout);
	struct cay_buf text;

	/* As Python sees it: 0 is none. One in the past is over at once. */
	if (!timeout || seconds == 0)
		return;
	cay_buf_init(&text, 64);
	cay_oh_repr(timeout, &text);
	r->timeout_text = cay_buf_take(&text);
	seconds = CAY_MIN(CAY_MAX(seconds, 0), 1e9);
	r->timeout_ms = (uint64_t)(seconds * 1000);
}

static void begin(struct cay_oh_session *s)
{
	bool pending = s->previous == STATUS_NO_CHANGE || s->previous == STATUS_HARD_TIMEOUT;
	struct request *r = s->request;
	json_t *refusal;

	if (!pending && !*r->command) {
		say(s, "ERROR: No previous running command to retrieve logs from.");
		return;
	}
	if (!pending && r->is_input) {
		say(s, "ERROR: No previous running command to interact with.");
		return;
	}
	refusal = refuse_several(r->command);
	if (refusal) {
		finish(s, refusal);
		return;
	}
	if (s->shell && cay_shell_state(s->shell) == CAY_SHELL_ENDED) {
		/* It went while nobody waited. Whoever asks for it is told; a new command gets a new
		 * shell. */
		if (pending && (!*r->command || r->is_input)) {
			complete(s);
			return;
		}
		cay_shell_destroy(TAKE_PTR(s->shell));
		s->previous = STATUS_COMPLETED;
	}
	if (!s->shell)
		start_shell(s);
	else
		proceed(s);
}

void cay_oh_session_run(struct cay_oh_session *s, const struct cay_oh_action *action,
			void (*on_done)(json_t *observation, void *arg), void *arg)
{
	const char *command = cay_oh_arg_string(action, "command");
	struct request *r = cay_alloc(sizeof(*r));

	*r = (struct request){.command = strip(command ? command : ""),
			      .is_input = cay_oh_arg_true(action, "is_input"),
			      .hidden = cay_oh_arg_true(action, "hidden"),
			      .blocking = cay_oh_arg_true(action, "blocking"),
			      .on_done = on_done,
			      .arg = arg};
	read_timeout(r, action->timeout);
	s->request = r;
	if (command)
		begin(s);
	else
		finish(s, cay_oh_errorf("the argument 'command' must be a string"));
}

struct cay_oh_session *cay_oh_session_create(struct cay_service *service, const char *cwd)
{
	struct cay_oh_session *s = cay_alloc(sizeof(*s));

	s->service = service;
	s->start_dir = cay_strdup(cwd ? cwd : service->config.working_dir);
	event_assign(&s->timer, service->base, -1, 0, on_timer, s);
	return s;
}

void cay_oh_session_destroy(struct cay_oh_session *s)
{
	if (!s)
		return;
	event_del(&s->timer);
	cay_shell_destroy(s->shell);
	if (s->request) {
		free(s->request->command);
		free(s->request->timeout_text);
		free(s->request);
	}
	free(s->previous_output);
	free(s->start_dir);
	free(s);
}

const char *cay_oh_session_cwd(const struct cay_oh_session *s)
{
	return s->shell ? cay_shell_cwd(s->shell) : s->start_dir;
}
