/* SPDX-License-Identifier: Apache-2.0 */
/* The option parser. It knows rows, not commands; see option.h. */
#include "cli/option.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"

struct parser {
	const struct cay_option_set *set;
	char *out;
	char *const *args; /* the next one */
	char **operands;
	size_t n_operands;
	bool given[CAY_OPTION_MAX];
};

const struct cay_option *cay_option_next(const struct cay_option_set *set, size_t *at)
{
	size_t i = *at;

	for (size_t t = 0; t < CAY_OPTION_TABLES; t++) {
		if (i < set->tables[t].n) {
			++*at;
			return &set->tables[t].rows[i];
		}
		i -= set->tables[t].n;
	}
	return NULL;
}

/* "--memory", or "CAY_URL" where the value came from the environment. */
static char *source_name(const struct cay_option *o, bool from_env)
{
	return from_env ? cay_strdup(o->env) : cay_format("--%s", o->name);
}

static int set_choice(const struct cay_option *o, const char *what, const char *text,
		      const char **ret, struct cay_error *err)
{
	size_t n = strlen(text);

	for (const char *p = o->value; *p;) {
		size_t word = strcspn(p, "|");

		if (word == n && !memcmp(p, text, n)) {
			*ret = text;
			return 0;
		}
		p += word + (p[word] == '|');
	}
	return cay_fail(err, CAY_E_INVALID, 0, "%s: '%s' is not one of %s", what, text, o->value);
}

static int set_size(const struct cay_option *o, const char *what, const char *text, uint64_t *ret,
		    struct cay_error *err)
{
	uint64_t max = o->max > 0 ? (uint64_t)o->max : UINT64_C(1) << 60, v;

	if (cay_text_size(text, what, max, &v, err) < 0)
		return -1;
	if ((double)v < o->min)
		return cay_fail(err, CAY_E_INVALID, 0, "%s: '%s' is below the least, %.0f bytes",
				what, text, o->min);
	*ret = v;
	return 0;
}

static int set_duration(const struct cay_option *o, const char *what, const char *text,
			uint64_t *ret, struct cay_error *err)
{
	uint64_t max = o->max > 0 ? (uint64_t)o->max : UINT64_C(366) * 86400 * 1000, v;

	if (cay_text_duration(text, what, max, &v, err) < 0)
		return -1;
	if ((double)v < o->min)
		return cay_fail(err, CAY_E_INVALID, 0, "%s: '%s' is below the least, %.0f ms", what,
				text, o->min);
	*ret = v;
	return 0;
}

static int set_value(const struct parser *p, const struct cay_option *o, const char *what,
		     const char *text, struct cay_error *err)
{
	void *member = p->out + o->offset;
	bool bounded = o->max > 0;
	char ***list = member;

	switch (o->kind) {
	case CAY_OPTION_FLAG:
		*(bool *)member = true;
		return 0;
	case CAY_OPTION_STRING:
		*(const char **)member = text;
		return 0;
	case CAY_OPTION_CHOICE:
		return set_choice(o, what, text, member, err);
	case CAY_OPTION_SIZE:
		return set_size(o, what, text, member, err);
	case CAY_OPTION_DURATION:
		return set_duration(o, what, text, member, err);
	case CAY_OPTION_INT:
		return cay_text_int(text, what, bounded ? (int64_t)o->min : INT64_MIN,
				    bounded ? (int64_t)o->max : INT64_MAX, member, err);
	case CAY_OPTION_NUMBER:
		return cay_text_number(text, what, bounded ? o->min : -1e300,
				       bounded ? o->max : 1e300, member, err);
	case CAY_OPTION_LIST:
		*list = cay_strv_append(*list, text);
		return 0;
	}
	return 0;
}

static int take_value(struct parser *p, const struct cay_option *o, size_t index, const char *text,
		      struct cay_error *err)
{
	auto_free char *what = source_name(o, false);

	if (o->kind == CAY_OPTION_FLAG && text)
		return cay_fail(err, CAY_E_INVALID, 0, "%s takes no value", what);
	if (o->kind != CAY_OPTION_FLAG && !text) {
		text = *p->args;
		if (!text)
			return cay_fail(err, CAY_E_INVALID, 0, "%s needs a value (%s)", what,
					o->value);
		p->args++;
	}
	p->given[index] = true;
	return set_value(p, o, what, text, err);
}

static int unknown_long(const struct parser *p, const char *name, size_t n, struct cay_error *err)
{
	const char *names[CAY_OPTION_MAX + 1];
	size_t count = 0, at = 0;
	const struct cay_option *o;
	auto_free char *given = cay_strndup(name, CAY_MIN(n, 60));
	const char *near;

	while ((o = cay_option_next(p->set, &at)))
		if (!o->hidden)
			names[count++] = o->name;
	names[count] = NULL;
	near = cay_text_nearest(given, names);
	cay_fail(err, CAY_E_INVALID, 0, "unknown option '--%s'", given);
	return near ? cay_fail_hint(err, "did you mean '--%s'?", near) : -1;
}

static int take_long(struct parser *p, const char *name, struct cay_error *err)
{
	size_t n = strcspn(name, "="), at = 0;
	const struct cay_option *o;

	while ((o = cay_option_next(p->set, &at)))
		if (strlen(o->name) == n && !memcmp(o->name, name, n))
			return take_value(p, o, at - 1, name[n] ? name + n + 1 : NULL, err);
	return unknown_long(p, name, n, err);
}

static const struct cay_option *find_letter(const struct cay_option_set *set, char letter,
					    size_t *ret_index)
{
	const struct cay_option *o;

	for (*ret_index = 0; (o = cay_option_next(set, ret_index));)
		if (o->letter == letter) {
			--*ret_index;
			return o;
		}
	return NULL;
}

static int take_letters(struct parser *p, const char *letters, struct cay_error *err)
{
	const struct cay_option *o;
	size_t index;

	while (*letters) {
		o = find_letter(p->set, *letters, &index);
		if (!o)
			return cay_fail(err, CAY_E_INVALID, 0, "unknown option '-%c'", *letters);
		letters++;
		if (o->kind != CAY_OPTION_FLAG)
			return take_value(p, o, index, *letters ? letters : NULL, err);
		if (take_value(p, o, index, NULL, err) < 0)
			return -1;
	}
	return 0;
}

static void take_operand(struct parser *p, char *arg)
{
	p->operands = cay_realloc_array(p->operands, p->n_operands + 2, sizeof(*p->operands));
	p->operands[p->n_operands++] = arg;
	p->operands[p->n_operands] = NULL;
}

/* Environment and fallbacks, for what the command line did not say. */
static int take_defaults(const struct parser *p, struct cay_error *err)
{
	const struct cay_option *o;
	size_t at = 0;

	while ((o = cay_option_next(p->set, &at))) {
		const char *env = o->env ? getenv(o->env) : NULL;
		const char *text = env && *env ? env : o->fallback;
		auto_free char *what = NULL;

		if (p->given[at - 1] || !text)
			continue;
		what = source_name(o, text == env);
		if (set_value(p, o, what, text, err) < 0)
			return -1;
	}
	return 0;
}

static int parse_args(struct parser *p, size_t last, struct cay_error *err)
{
	bool options = true;
	char *arg;

	while ((arg = *p->args)) {
		p->args++;
		if (!options || arg[0] != '-' || !arg[1]) {
			take_operand(p, arg);
			if (p->n_operands >= last)
				options = false;
		} else if (!strcmp(arg, "--")) {
			options = false;
		} else if ((arg[1] == '-' ? take_long(p, arg + 2, err)
					  : take_letters(p, arg + 1, err)) < 0) {
			return -1;
		}
	}
	return 0;
}

int cay_option_parse(const struct cay_option_set *set, char *const *args, size_t last, void *out,
		     char ***ret_operands, struct cay_error *err)
{
	struct parser p = {.set = set, .out = out, .args = args};

	p.operands = cay_alloc(sizeof(*p.operands));
	if (parse_args(&p, last, err) < 0 || take_defaults(&p, err) < 0) {
		free(p.operands);
		return -1;
	}
	*ret_operands = p.operands;
	return 0;
}

void cay_option_fini(const struct cay_option_set *set, void *out)
{
	const struct cay_option *o;
	size_t at = 0;

	while ((o = cay_option_next(set, &at))) {
		char ***list = (void *)((char *)out + o->offset);

		if (o->kind == CAY_OPTION_LIST) {
			cay_strv_free(*list);
			*list = NULL;
		}
	}
}
