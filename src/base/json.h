/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON on jansson: strict parsing, and typed access driven by a table of fields, so that a wrong
 * type, a missing field and an unknown field each get their own clear message.
 *
 *	static const struct cay_json_field fields[] = {
 *		CAY_JSON_FIELD(struct exec_input, cwd, CAY_JSON_STRING, .max = 4095),
 *		CAY_JSON_FIELD(struct exec_input, timeout_s, CAY_JSON_NUMBER, .min = 0, .max = 86400),
 *	};
 *	struct exec_input in = {.timeout_s = 60};
 *	if (cay_json_decode(obj, fields, CAY_LEN(fields), &in, "", err) < 0)
 *		return -1;
 *
 * Decoded strings and json_t pointers are borrowed from the object, which must outlive the struct.
 */
#pragma once

#include <jansson.h>

#include "base/error.h"

enum cay_json_kind {
	CAY_JSON_STRING,  /* const char *; max = most bytes (0: 1 MiB) */
	CAY_JSON_BOOL,    /* bool */
	CAY_JSON_INT,     /* int64_t within [min, max] (both 0: any) */
	CAY_JSON_NUMBER,  /* double within [min, max] (both 0: any); integers are accepted */
	CAY_JSON_OBJECT,  /* json_t *; max = most members (0: 1000) */
	CAY_JSON_ARRAY,   /* json_t *; max = most elements (0: 1000) */
	CAY_JSON_STRINGS, /* json_t *: an array of strings, max elements, each below 128 KiB */
	CAY_JSON_MAP,     /* json_t *: an object whose values are strings, max members */
	CAY_JSON_ANY,     /* json_t * */
};

struct cay_json_field {
	const char *name;
	enum cay_json_kind kind;
	size_t offset;
	bool required;
	double min, max;
};

#define CAY_JSON_FIELD(type, member, kind_, ...)                                                   \
	{                                                                                          \
		.name = #member, .kind = (kind_), .offset = offsetof(type, member), __VA_ARGS__    \
	}

enum {
	CAY_JSON_LENIENT = 1, /* unknown members are ignored (dialects whose clients send more) */
};

/* Parses exactly one JSON text of n bytes. Refused: duplicate keys, NUL characters, invalid UTF-8,
 * nesting deeper than jansson's limit, anything after the text. The caller owns *ret. */
int cay_json_parse(const char *data, size_t n, json_t **ret, struct cay_error *err) CAY_NODISCARD;

/* Fills `out` from an object by the table. An absent or null optional field leaves its member as it
 * is. `where` is put in front of names in messages ("resources." or ""). */
int cay_json_decode(const json_t *obj, const struct cay_json_field *fields, size_t n_fields,
		    void *out, const char *where, unsigned flags,
		    struct cay_error *err) CAY_NODISCARD;

/* The text of a value, compact, for the wire. The caller frees it. */
char *cay_json_text(const json_t *value);

/* A JSON string of bytes that may not be UTF-8: each invalid byte becomes U+FFFD. Never NULL. NUL
 * characters are kept (as \u0000). */
json_t *cay_json_bytes(const void *data, size_t n);

/* The public shape {"error":{"code","message","hint"?}}. */
json_t *cay_json_error(const struct cay_error *err);

/* An owned NULL-terminated array from a JSON array of strings. */
char **cay_json_strv(const json_t *array);

static inline void cay_cleanup_json(json_t **j)
{
	json_decref(*j);
}
#define auto_json __attribute__((cleanup(cay_cleanup_json)))
