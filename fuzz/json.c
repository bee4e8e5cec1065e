/* SPDX-License-Identifier: Apache-2.0 */
/* JSON from a client: parsed strictly, decoded by a table of every kind of field, written again. */
#include <string.h>

#include "base/json.h"

#include "fuzz.h"

struct all {
	const char *string;
	bool flag;
	int64_t integer;
	double number;
	json_t *object, *array, *strings, *map, *any;
};

static const struct cay_json_field fields[] = {
	CAY_JSON_FIELD(struct all, string, CAY_JSON_STRING, .max = 20),
	CAY_JSON_FIELD(struct all, flag, CAY_JSON_BOOL),
	CAY_JSON_FIELD(struct all, integer, CAY_JSON_INT, .min = -10, .max = 1e15),
	CAY_JSON_FIELD(struct all, number, CAY_JSON_NUMBER, .min = 0.5, .max = 2.5),
	CAY_JSON_FIELD(struct all, object, CAY_JSON_OBJECT, .max = 3),
	CAY_JSON_FIELD(struct all, array, CAY_JSON_ARRAY, .max = 3),
	CAY_JSON_FIELD(struct all, strings, CAY_JSON_STRINGS, .max = 3),
	CAY_JSON_FIELD(struct all, map, CAY_JSON_MAP, .max = 3),
	CAY_JSON_FIELD(struct all, any, CAY_JSON_ANY),
};

static void check(const struct all *v)
{
	MUST(!v->string || strlen(v->string) <= 20);
	MUST(v->integer >= -10 && v->integer <= 1000000000000000);
	MUST(v->number >= 0.5 && v->number <= 2.5);
	MUST(!v->object || (json_is_object(v->object) && json_object_size(v->object) <= 3));
	MUST(!v->array || (json_is_array(v->array) && json_array_size(v->array) <= 3));
	MUST(!v->map || json_is_object(v->map));
	if (v->strings)
		for (size_t i = 0; i < json_array_size(v->strings); i++)
			MUST(json_is_string(json_array_get(v->strings, i)));
}

static void check_text(const json_t *value)
{
	auto_free char *text = cay_json_text(value);
	auto_json json_t *again = NULL;
	struct cay_error err;

	MUST(cay_json_parse(text, strlen(text), &again, &err) == 0 && json_equal(value, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	auto_json json_t *value = NULL;
	auto_json json_t *bytes = cay_json_bytes(data, n);
	struct all v = {.number = 1};
	struct cay_error err = {};

	MUST(json_is_string(bytes));
	if (cay_json_parse((const char *)data, n, &value, &err) < 0) {
		MUST(err.code == CAY_E_INVALID && err.msg[0]);
		return 0;
	}
	check_text(value);
	if (cay_json_decode(value, fields, CAY_LEN(fields), &v, "", 0, &err) == 0) {
		check(&v);
	} else {
		auto_json json_t *shape = cay_json_error(&err);

		MUST(err.code == CAY_E_INVALID && json_is_object(shape));
	}
	if (cay_json_decode(value, fields, CAY_LEN(fields), &v, "x.", CAY_JSON_LENIENT, &err) == 0)
		check(&v);
	return 0;
}
