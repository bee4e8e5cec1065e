/* SPDX-License-Identifier: Apache-2.0 */
/* Reading server-sent events. Knows no connection. */
#include "cli/sse.h"

#include <string.h>

void cay_sse_init(struct cay_sse *s, size_t max,
		  void (*on_event)(const char *event, const char *data, size_t n, void *arg),
		  void *arg)
{
	*s = (struct cay_sse){.on_event = on_event, .arg = arg};
	cay_buf_init(&s->line, max);
	cay_buf_init(&s->data, max);
}

void cay_sse_fini(struct cay_sse *s)
{
	cay_buf_fini(&s->line);
	cay_buf_fini(&s->data);
}

/* An empty line: the event is complete. Without data it is none. */
static void dispatch(struct cay_sse *s)
{
	if (s->data.len)
		s->on_event(s->event[0] ? s->event : "message", s->data.data, s->data.len - 1,
			    s->arg);
	cay_buf_clear(&s->data);
	s->event[0] = '\0';
}

static void take_line(struct cay_sse *s)
{
	const char *name = s->line.data, *value;
	size_t n = strcspn(name, ":");

	if (!s->line.len) {
		dispatch(s);
		return;
	}
	value = name + n + (name[n] == ':');
	value += *value == ' ';
	if (n == 5 && !memcmp(name, "event", n)) {
		snprintf(s->event, sizeof(s->event), "%s", value);
	} else if (n == 4 && !memcmp(name, "data", n)) {
		cay_buf_append(&s->data, value, s->line.len - (size_t)(value - name));
		cay_buf_putc(&s->data, '\n');
	}
}

static int fail_too_large(struct cay_error *err)
{
	return cay_fail(err, CAY_E_LIMIT, 0, "an event of the server is too large");
}

int cay_sse_feed(struct cay_sse *s, const void *data, size_t n, struct cay_error *err)
{
	const char *p = data, *end = p + n;

	for (; p < end; p++) {
		size_t text = 0;

		if (s->after_cr && *p == '\n') {
			s->after_cr = false;
			continue;
		}
		s->after_cr = false;
		while (p + text < end && p[text] != '\n' && p[text] != '\r')
			text++;
		if (cay_buf_append(&s->line, p, text) < 0)
			return fail_too_large(err);
		p += text;
		if (p == end)
			break;
		take_line(s);
		if (s->data.overflow)
			return fail_too_large(err);
		cay_buf_clear(&s->line);
		s->after_cr = *p == '\r';
	}
	return 0;
}
