/* SPDX-License-Identifier: Apache-2.0 */
#include "net/openapi.h"

#include "base/json.h"
#include "tap.h"

static void handle(struct cay_http_req *req)
{
}

static const struct cay_http_route first[] = {
	{"GET", "/x/{id}", handle, CAY_HTTP_OPEN, 0, "show"},
	{"PUT", "/x/{id}", handle, CAY_HTTP_JSON, 0, "change"},
	{},
};
static const struct cay_http_route second[] = {
	{"*", "/x/{id}/{rest*}", handle, CAY_HTTP_STREAM, 0, "all"},
	{},
};
static const struct cay_http_route *const tables[] = {first, second, NULL};

static const char *text_at(json_t *j, const char *a, const char *b, const char *c)
{
	j = json_object_get(j, a);
	j = b ? json_object_get(j, b) : j;
	return json_string_value(c ? json_object_get(j, c) : j);
}

static void describes_every_row(void)
{
	auto_json json_t *doc = cay_openapi(tables, "t", "1");
	json_t *paths = json_object_get(doc, "paths");
	json_t *x = json_object_get(paths, "/x/{id}");
	json_t *any = json_object_get(paths, "/x/{id}/{rest}");
	json_t *parameters = json_object_get(json_object_get(any, "post"), "parameters");

	CHECK_STR(text_at(doc, "openapi", NULL, NULL), "3.1.0");
	CHECK_STR(text_at(doc, "info", "title", NULL), "t");
	CHECK_INT(json_object_size(paths), 2);
	CHECK_STR(text_at(x, "get", "summary", NULL), "show");
	CHECK_STR(text_at(x, "put", "summary", NULL), "change");
	CHECK_STR(text_at(x, "put", "operationId", NULL), "put_x_id");
	CHECK(json_object_get(json_object_get(x, "get"), "security"));
	CHECK(!json_object_get(json_object_get(x, "put"), "security"));
	CHECK(json_object_get(json_object_get(x, "put"), "requestBody"));
	CHECK(!json_object_get(json_object_get(x, "get"), "requestBody"));
	CHECK_INT(json_array_size(parameters), 2);
	CHECK_STR(text_at(json_array_get(parameters, 1), "name", NULL, NULL), "rest");
	CHECK(json_object_get(any, "delete"));
}

TAP_MAIN({"describes_every_row", describes_every_row})
