/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/api/openhands_event.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

enum {
	CONTENT_MAX_CHARS = 30000,
	ARGS_MAX = 16,
};

/* ---- Python's notation ---- */

static void repr_string(const char *s, size_t n, struct cay_buf *out)
{
	char quote = memchr(s, '\'', n) && !memchr(s, '"', n) ? '"' : '\'';

	cay_buf_putc(out, quote);
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '\n')
			cay_buf_puts(out, "\\n");
		else if (c == '\r')
			cay_buf_puts(out, "\\r");
		else if (c == '\t')
			cay_buf_puts(out, "\\t");
		else if (c < 0x20 || c == 0x7f)
			cay_buf_printf(out, "\\x%02x", c);
		else if (c == '\\' || c == (unsigned char)quote)
			cay_buf_printf(out, "\\%c", c);
		else
			cay_buf_putc(out, (char)c);
	}
	cay_buf_putc(out, quote);
}

/* The shortest digits that read back as the same number, always with a point or an exponent. */
static void repr_real(double v, struct cay_buf *out)
{
	char text[40];

	for (int digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	if (strchr(text, 'e') && fabs(v) < 1e16 && fabs(v) >= 1e-4)
		snprintf(text, sizeof(text), "%.0f", v);
	cay_buf_puts(out, text);
	if (!strpbrk(text, ".e"))
		cay_buf_puts(out, ".0");
}

static void repr_object(const json_t *value, struct cay_buf *out)
{
	const char *name;
	json_t *member;
	bool first = true;

	cay_buf_putc(out, '{');
	json_object_foreach ((json_t *)(uintptr_t)value, name, member) {
		if (!first)
			cay_buf_puts(out, ", ");
		first = false;
		repr_string(name, strlen(name), out);
		cay_buf_puts(out, ": ");
		cay_oh_repr(member, out);
	}
	cay_buf_putc(out, '}');
}

static void repr_array(const json_t *value, struct cay_buf *out)
{
	json_t *item;
	size_t i;

	cay_buf_putc(out, '[');
	json_array_foreach (value, i, item) {
		if (i)
			cay_buf_puts(out, ", ");
		cay_oh_repr(item, out);
	}
	cay_buf_putc(out, ']');
}

void cay_oh_repr(const json_t *value, struct cay_buf *out)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		repr_object(value, out);
		break;
	case JSON_ARRAY:
		repr_array(value, out);
		break;
	case JSON_STRING:
		repr_string(json_string_value(value), json_string_length(value), out);
		break;
	case JSON_INTEGER:
		cay_buf_printf(out, "%lld", (long long)json_integer_value(value));
		break;
	case JSON_REAL:
		repr_real(json_real_value(value), out);
		break;
	case JSON_TRUE:
		cay_buf_puts(out, "True");
		break;
	case JSON_FALSE:
		cay_buf_puts(out, "False");
		break;
	case JSON_NULL:
		cay_buf_puts(out, "None");
		break;
	}
}

/* ---- actions ---- */

/* The arguments that each kind of action has; the first `required` of them must be there. NULL:
 * known, but nothing that the original's server executes either. */
static const struct action_kind {
	const char *type;
	const char *class;
	size_t required;
	const char *args[ARGS_MAX];
} kinds[] = {
	{"message"},
	{"system"},
	{"start"},
	{"read",
	 "FileReadAction",
	 1,
	 {"path", "start", "end", "thought", "security_risk", "impl_source", "view_range"}},
	{"write",
	 "FileWriteAction",
	 2,
	 {"path", "content", "start", "end", "thought", "security_risk"}},
	{"edit",
	 "FileEditAction",
	 1,
	 {"path", "command", "file_text", "old_str", "new_str", "insert_line", "content", "start",
	  "end", "thought", "security_risk", "impl_source"}},
	{"run",
	 "CmdRunAction",
	 1,
	 {"command", "is_input", "thought", "blocking", "is_static", "cwd", "hidden",
	  "confirmation_state", "security_risk"}},
	{"run_ipython",
	 "IPythonRunCellAction",
	 1,
	 {"code", "thought", "include_extra", "confirmation_state", "security_risk",
	  "kernel_init_code"}},
	{"browse", "BrowseURLAction", 1, {"url", "thought", "security_risk", "return_axtree"}},
	{"browse_interactive",
	 "BrowseInteractiveAction",
	 1,
	 {"browser_actions", "thought", "browsergym_send_msg_to_user", "security_risk",
	  "return_axtree"}},
	{"call_tool_mcp"},
	{"delegate"},
	{"think"},
	{"finish"},
	{"reject"},
	{"null"},
	{"pause"},
	{"resume"},
	{"stop"},
	{"change_agent_state"},
	{"push"},
	{"send_pr"},
	{"recall"},
	{"condensation"},
	{"condensation_request"},
	{"task_tracking"},
	{"loop_recovery"},
};

static const struct action_kind *find_kind(const char *type)
{
	for (size_t i = 0; i < CAY_LEN(kinds); i++)
		if (!strcmp(kinds[i].type, type))
			return &kinds[i];
	return NULL;
}

static int unknown_kind(const json_t *type, struct cay_buf *detail)
{
	cay_buf_puts(detail, "'action['action']=");
	cay_oh_repr(type, detail);
	cay_buf_puts(detail, "' is not defined. Available actions: dict_keys([");
	for (size_t i = 0; i < CAY_LEN(kinds); i++)
		cay_buf_printf(detail, "%s'%s'", i ? ", " : "", kinds[i].type);
	cay_buf_puts(detail, "])");
	return -1;
}

static int wrong_arguments(const json_t *event, struct cay_buf *detail)
{
	cay_buf_puts(detail, "action=");
	cay_oh_repr(event, detail);
	cay_buf_puts(detail, " has the wrong arguments: ");
	return -1;
}

/* Names that older clients send: renamed, or of no meaning any more. */
static void drop_old_arguments(json_t *args)
{
	static const char *const dropped[] = {"keep_prompt", "task_completed", "timestamp"};
	json_t *confirmed = json_object_get(args, "is_confirmed");

	for (size_t i = 0; i < CAY_LEN(dropped); i++)
		json_object_del(args, dropped[i]);
	if (confirmed && !json_is_null(confirmed))
		json_object_set(args, "confirmation_state", confirmed);
	json_object_del(args, "is_confirmed");
}

static bool has_argument(const struct action_kind *kind, const char *name)
{
	for (size_t i = 0; i < ARGS_MAX && kind->args[i]; i++)
		if (!strcmp(kind->args[i], name))
			return true;
	return false;
}

static int check_arguments(const struct action_kind *kind, const json_t *event, json_t *args,
			   struct cay_buf *detail)
{
	const char *name;
	json_t *value;

	json_object_foreach (args, name, value) {
		if (has_argument(kind, name))
			continue;
		wrong_arguments(event, detail);
		cay_buf_printf(detail, "%s.__init__() got an unexpected keyword argument '%.100s'",
			       kind->class, name);
		return -1;
	}
	for (size_t i = 0; i < kind->required; i++) {
		if (json_object_get(args, kind->args[i]))
			continue;
		wrong_arguments(event, detail);
		cay_buf_printf(detail, "%s.__init__() missing 1 required positional argument: '%s'",
			       kind->class, kind->args[i]);
		return -1;
	}
	return 0;
}

static int check_timeout(const json_t *event, const json_t **ret, struct cay_buf *detail)
{
	const json_t *timeout = json_object_get(event, "timeout");

	*ret = NULL;
	if (!timeout || json_is_null(timeout))
		return 0;
	if (!json_is_number(timeout)) {
		wrong_arguments(event, detail);
		cay_buf_puts(detail, "timeout is not a number");
		return -1;
	}
	*ret = timeout;
	return 0;
}

int cay_oh_action_parse(json_t *event, struct cay_oh_action *ret, json_t **ret_args,
			struct cay_buf *detail)
{
	const json_t *type = json_object_get(event, "action");
	json_t *given = json_object_get(event, "args");
	const struct action_kind *kind;
	auto_json json_t *args = NULL;

	if (!type && json_object_get(event, "observation")) {
		cay_buf_puts(detail, "400: Invalid action type");
		return -1;
	}
	if (!type) {
		cay_buf_puts(detail, "Unknown event type: ");
		cay_oh_repr(event, detail);
		return -1;
	}
	kind = json_is_string(type) ? find_kind(json_string_value(type)) : NULL;
	if (!kind)
		return unknown_kind(type, detail);
	args = json_is_object(given) ? json_deep_copy(given) : json_object();
	drop_old_arguments(args);
	if (kind->class && check_arguments(kind, event, args, detail) < 0)
		return -1;
	if (check_timeout(event, &ret->timeout, detail) < 0)
		return -1;
	ret->type = kind->type;
	ret->args = args;
	*ret_args = TAKE_PTR(args);
	return 0;
}

const char *cay_oh_arg_string(const struct cay_oh_action *a, const char *name)
{
	return json_string_value(json_object_get(a->args, name));
}

bool cay_oh_arg_true(const struct cay_oh_action *a, const char *name)
{
	const json_t *v = json_object_get(a->args, name);

	if (json_is_number(v))
		return json_number_value(v) != 0;
	if (json_is_string(v))
		return json_string_length(v) > 0;
	return json_is_true(v) || json_array_size(v) > 0 || json_object_size(v) > 0;
}

int64_t cay_oh_arg_int(const struct cay_oh_action *a, const char *name, int64_t fallback)
{
	const json_t *v = json_object_get(a->args, name);

	return json_is_integer(v) ? json_integer_value(v) : fallback;
}

/* ---- observations ---- */

json_t *cay_oh_observation(const char *type, json_t *content, json_t *extras, json_t *message)
{
	return json_pack("{s:o, s:s, s:o, s:o}", "message", message, "observation", type, "content",
			 content, "extras", extras);
}

json_t *cay_oh_error(const char *content, const char *error_id)
{
	json_t *text = cay_json_bytes(content, strlen(content));

	return cay_oh_observation("error", text, json_pack("{s:s}", "error_id", error_id),
				  json_incref(text));
}

json_t *cay_oh_errorf(const char *fmt, ...)
{
	auto_free char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	return cay_oh_error(text ? text : "out of memory", "");
}

/* Moves over `chars` characters of UTF-8; negative: backwards from the end. */
static size_t char_offset(const char *s, size_t n, ptrdiff_t chars)
{
	size_t at = chars < 0 ? n : 0;

	for (; chars > 0 && at < n; chars--)
		for (at++; at < n && ((unsigned char)s[at] & 0xc0) == 0x80; at++)
			;
	for (; chars < 0 && at > 0; chars++)
		for (at--; at > 0 && ((unsigned char)s[at] & 0xc0) == 0x80; at--)
			;
	return at;
}

json_t *cay_oh_truncated(const char *content, size_t n)
{
	static const char cut[] = "\n[... Observation truncated due to length ...]\n";
	size_t head, tail;
	struct cay_buf b;
	json_t *j;

	if (char_offset(content, n, CONTENT_MAX_CHARS) == n)
		return cay_json_bytes(content, n);
	head = char_offset(content, n, CONTENT_MAX_CHARS / 2);
	tail = char_offset(content, n, -CONTENT_MAX_CHARS / 2);
	cay_buf_init(&b, n + sizeof(cut));
	cay_buf_append(&b, content, head);
	cay_buf_puts(&b, cut);
	cay_buf_append(&b, content + tail, n - tail);
	j = cay_json_bytes(b.data, b.len);
	cay_buf_fini(&b);
	return j;
}
