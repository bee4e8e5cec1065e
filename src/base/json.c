/* SPDX-License-Identifier: Apache-2.0 */
/* Strict JSON and table-driven decoding, on jansson. */
#include "base/json.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

enum {
	STRING_MAX = 1 << 20,
	ELEMENT_MAX = 128 << 10, /* one argument or environment entry, as MAX_ARG_STRLEN */
	MEMBERS_MAX = 1000,
};

int cay_json_parse(const char *data, size_t n, json_t **ret, struct cay_error *err)
{
	json_error_t je;
	json_t *value = json_loadb(data, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);

	if (!value) {
		cay_fail(err, CAY_E_INVALID, 0, "malformed JSON at line %d, column %d: %s", je.line,
			 je.column, je.text);
		return cay_fail_hint(err, "send one JSON text in UTF-8, without duplicate keys");
	}
	*ret = value;
	return 0;
}

static const char *type_name(const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "an integer";
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a boolean";
	case JSON_NULL:
		return "null";
	}
	return "something else";
}

static int wrong_type(struct cay_error *err, const char *where, const struct cay_json_field *f,
		      const char *wanted, const json_t *v)
{
	return cay_fail(err, CAY_E_INVALID, 0, "field '%s%s' must be %s, got %s", where, f->name,
			wanted, type_name(v));
}

static int check_range(const struct cay_json_field *f, double v, const char *where,
		       struct cay_error *err)
{
	if ((f->min == 0 && f->max == 0) || (v >= f->min && v <= f->max))
		return 0;
	return cay_fail(err, CAY_E_INVALID, 0,
			"field '%s%s' must be from %.15g to %.15g, got %.15g", where, f->name,
			f->min, f->max, v);
}

static int check_count(const struct cay_json_field *f, size_t n, const char *where,
		       struct cay_error *err)
{
	size_t max = f->max > 0 ? (size_t)f->max : MEMBERS_MAX;

	if (n <= max)
		return 0;
	return cay_fail(err, CAY_E_INVALID, 0,
			"field '%s%s' has %zu entries; at most %zu are allowed", where, f->name, n,
			max);
}

static int check_element(const struct cay_json_field *f, const json_t *v, const char *where,
			 struct cay_error *err)
{
	if (!json_is_string(v))
		return cay_fail(err, CAY_E_INVALID, 0,
				"field '%s%s' must hold only strings, but has %s", where, f->name,
				type_name(v));
	if (json_string_length(v) >= ELEMENT_MAX)
		return cay_fail(err, CAY_E_INVALID, 0,
				"field '%s%s' has an entry of %zu bytes; at most %d are allowed",
				where, f->name, json_string_length(v), ELEMENT_MAX - 1);
	return 0;
}

static int decode_string(const struct cay_json_field *f, const json_t *v, const char **out,
			 const char *where, struct cay_error *err)
{
	size_t max = f->max > 0 ? (size_t)f->max : STRING_MAX;

	if (!json_is_string(v))
		return wrong_type(err, where, f, "a string", v);
	if (json_string_length(v) > max)
		return cay_fail(err, CAY_E_INVALID, 0,
				"field '%s%s' is %zu bytes long; at most %zu are allowed", where,
				f->name, json_string_length(v), max);
	*out = json_string_value(v);
	return 0;
}

static int decode_strings(const struct cay_json_field *f, json_t *v, json_t **out,
			  const char *where, struct cay_error *err)
{
	json_t *element;
	size_t i;

	if (!json_is_array(v))
		return wrong_type(err, where, f, "an array of strings", v);
	if (check_count(f, json_array_size(v), where, err) < 0)
		return -1;
	json_array_foreach (v, i, element)
		if (check_element(f, element, where, err) < 0)
			return -1;
	*out = v;
	return 0;
}

static int decode_map(const struct cay_json_field *f, json_t *v, json_t **out, const char *where,
		      struct cay_error *err)
{
	const char *key;
	json_t *value;

	if (!json_is_object(v))
		return wrong_type(err, where, f, "an object of strings", v);
	if (check_count(f, json_object_size(v), where, err) < 0)
		return -1;
	json_object_foreach (v, key, value)
		if (check_element(f, value, where, err) < 0)
			return -1;
	*out = v;
	return 0;
}

static int decode_field(const struct cay_json_field *f, json_t *v, void *out, const char *where,
			struct cay_error *err)
{
	char *member = (char *)out + f->offset;

	switch (f->kind) {
	case CAY_JSON_STRING:
		return decode_string(f, v, (const char **)(void *)member, where, err);
	case CAY_JSON_BOOL:
		if (!json_is_boolean(v))
			return wrong_type(err, where, f, "true or false", v);
		*(bool *)member = json_is_true(v);
		return 0;
	case CAY_JSON_INT:
		if (!json_is_integer(v))
			return wrong_type(err, where, f, "an integer", v);
		if (check_range(f, (double)json_integer_value(v), where, err) < 0)
			return -1;
		*(int64_t *)(void *)member = json_integer_value(v);
		return 0;
	case CAY_JSON_NUMBER:
		if (!json_is_number(v))
			return wrong_type(err, where, f, "a number", v);
		if (check_range(f, json_number_value(v), where, err) < 0)
			return -1;
		*(double *)(void *)member = json_number_value(v);
		return 0;
	case CAY_JSON_OBJECT:
		if (!json_is_object(v))
			return wrong_type(err, where, f, "an object", v);
		if (check_count(f, json_object_size(v), where, err) < 0)
			return -1;
		break;
	case CAY_JSON_ARRAY:
		if (!json_is_array(v))
			return wrong_type(err, where, f, "an array", v);
		if (check_count(f, json_array_size(v), where, err) < 0)
			return -1;
		break;
	case CAY_JSON_STRINGS:
		return decode_strings(f, v, (json_t **)(void *)member, where, err);
	case CAY_JSON_MAP:
		return decode_map(f, v, (json_t **)(void *)member, where, err);
	case CAY_JSON_ANY:
		break;
	}
	*(json_t **)(void *)member = v;
	return 0;
}

static int check_unknown(const json_t *obj, const struct cay_json_field *fields, size_t n,
			 const char *where, struct cay_error *err)
{
	const char *key, *near;
	json_t *value;
	size_t i;

	/* jansson's iteration takes a non-const object but changes nothing. */
	json_object_foreach ((json_t *)(uintptr_t)obj, key, value) {
		const char *names[64];

		for (i = 0; i < n && strcmp(fields[i].name, key); i++)
			;
		if (i < n)
			continue;
		for (i = 0; i < n && i + 1 < CAY_LEN(names); i++)
			names[i] = fields[i].name;
		names[i] = NULL;
		near = cay_text_nearest(key, names);
		cay_fail(err, CAY_E_INVALID, 0, "unknown field '%s%.60s'", where, key);
		if (near)
			cay_fail_hint(err, "did you mean '%s%s'?", where, near);
		return -1;
	}
	return 0;
}

int cay_json_decode(const json_t *obj, const struct cay_json_field *fields, size_t n_fields,
		    void *out, const char *where, unsigned flags, struct cay_error *err)
{
	json_t *v;

	if (!json_is_object(obj))
		return cay_fail(err, CAY_E_INVALID, 0, "%s must be a JSON object, got %s",
				*where ? where : "the body", type_name(obj));
	if (!(flags & CAY_JSON_LENIENT) && check_unknown(obj, fields, n_fields, where, err) < 0)
		return -1;
	for (size_t i = 0; i < n_fields; i++) {
		v = json_object_get(obj, fields[i].name);
		if ((!v || json_is_null(v)) && !fields[i].required)
			continue;
		if (!v)
			return cay_fail(err, CAY_E_INVALID, 0, "field '%s%s' is missing", where,
					fields[i].name);
		if (decode_field(&fields[i], v, out, where, err) < 0)
			return -1;
	}
	return 0;
}

char *cay_json_text(const json_t *value)
{
	char *s = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

	return s ? s : cay_strdup("null");
}

json_t *cay_json_bytes(const void *data, size_t n)
{
	const char *p = data;
	struct cay_buf b;
	json_t *v = json_stringn(p, n); /* fails on invalid UTF-8 */
	size_t len;

	if (v)
		return v;
	cay_buf_init(&b, SIZE_MAX / 4);
	while (n > 0) {
		for (len = 1; len < 4 && len < n && !cay_text_is_utf8(p, len); len++)
			;
		if (cay_text_is_utf8(p, len)) {
			cay_buf_append(&b, p, len);
		} else {
			cay_buf_puts(&b, "\xef\xbf\xbd");
			len = 1;
		}
		p += len;
		n -= len;
	}
	v = json_stringn(b.data, b.len);
	cay_buf_fini(&b);
	return v;
}

json_t *cay_json_error(const struct cay_error *err)
{
	json_t *inner = json_pack("{s:s, s:o}", "code", cay_error_text(err->code), "message",
				  cay_json_bytes(err->msg, strlen(err->msg)));

	if (err->hint[0])
		json_object_set_new(inner, "hint", cay_json_bytes(err->hint, strlen(err->hint)));
	return json_pack("{s:o}", "error", inner);
}

char **cay_json_strv(const json_t *array)
{
	size_t n = json_array_size(array);
	char **v = cay_alloc((n + 1) * sizeof(*v));

	for (size_t i = 0; i < n; i++)
		v[i] = cay_strdup(json_string_value(json_array_get(array, i)));
	return v;
}
