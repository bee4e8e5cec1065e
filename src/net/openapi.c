/* SPDX-License-Identifier: Apache-2.0 */
/* Route tables as OpenAPI. */
#include "net/openapi.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"

enum { TEXT_MAX = 4096 };

/* What a "*" row is shown as; HEAD and OPTIONS say nothing new. */
static const char *const any_method[] = {"get", "put", "post", "delete", "patch", NULL};

/* "/v1/x/{rest*}" is written "/v1/x/{rest}". */
static void put_path(const char *pattern, struct cay_buf *out)
{
	for (; *pattern; pattern++)
		if (*pattern != '*')
			cay_buf_putc(out, *pattern);
}

static json_t *path_parameters(const char *pattern)
{
	json_t *list = json_array();
	const char *open = pattern;
	size_t n;

	while ((open = strchr(open, '{'))) {
		n = strcspn(++open, "*}");
		json_array_append_new(list,
				      json_pack("{s:s%, s:s, s:b, s:{s:s}}", "name", open, n, "in",
						"path", "required", 1, "schema", "type", "string"));
	}
	return list;
}

/* get_v1_sandboxes_id: unique, because method and path are. */
static json_t *operation_id(const char *method, const char *pattern)
{
	auto_buf struct cay_buf id;

	cay_buf_init(&id, TEXT_MAX);
	cay_buf_puts(&id, method);
	for (const char *p = pattern; *p; p++) {
		if (isalnum((unsigned char)*p))
			cay_buf_putc(&id, *p);
		else if (id.data[id.len - 1] != '_')
			cay_buf_putc(&id, '_');
	}
	if (id.data[id.len - 1] == '_')
		id.len--;
	return json_stringn(id.data, id.len);
}

static json_t *operation(const struct cay_http_route *r, const char *method)
{
	json_t *op =
		json_pack("{s:o, s:s, s:o, s:{s:{s:s}, s:{s:s}}}", "operationId",
			  operation_id(method, r->pattern), "summary", r->summary, "parameters",
			  path_parameters(r->pattern), "responses", "2XX", "description", "done",
			  "default", "$ref", "#/components/responses/Error");

	if (r->flags & (CAY_HTTP_JSON | CAY_HTTP_JSON_OPT))
		json_object_set_new(op, "requestBody",
				    json_pack("{s:b, s:{s:{s:{s:s}}}}", "required",
					      (r->flags & CAY_HTTP_JSON) != 0, "content",
					      "application/json", "schema", "type", "object"));
	if (r->flags & CAY_HTTP_OPEN)
		json_object_set_new(op, "security", json_array());
	return op;
}

static void add_route(json_t *paths, const struct cay_http_route *r)
{
	auto_buf struct cay_buf path, method;
	json_t *item;

	cay_buf_init(&path, TEXT_MAX);
	cay_buf_init(&method, TEXT_MAX);
	put_path(r->pattern, &path);
	item = json_object_get(paths, path.data);
	if (!item) {
		item = json_object();
		json_object_set_new(paths, path.data, item);
	}
	if (!strcmp(r->method, "*")) {
		for (const char *const *m = any_method; *m; m++)
			json_object_set_new(item, *m, operation(r, *m));
		return;
	}
	for (const char *p = r->method; *p; p++)
		cay_buf_putc(&method, (char)tolower((unsigned char)*p));
	json_object_set_new(item, method.data, operation(r, method.data));
}

/* The one error shape, as base/json.h makes it. */
static json_t *components(void)
{
	json_t *string = json_pack("{s:s}", "type", "string");
	json_t *members = json_pack("{s:O, s:O, s:o, s:{s:s}}", "code", string, "message", string,
				    "hint", string, "details", "type", "object");
	json_t *inner = json_pack("{s:s, s:[s,s], s:o}", "type", "object", "required", "code",
				  "message", "properties", members);
	json_t *shape = json_pack("{s:s, s:[s], s:{s:o}}", "type", "object", "required", "error",
				  "properties", "error", inner);

	return json_pack("{s:{s:o}, s:{s:{s:s, s:{s:{s:{s:s}}}}}}", "schemas", "Error", shape,
			 "responses", "Error", "description", "what went wrong, and what to do",
			 "content", "application/json", "schema", "$ref",
			 "#/components/schemas/Error");
}

json_t *cay_openapi(const struct cay_http_route *const *tables, const char *title,
		    const char *version)
{
	json_t *paths = json_object();

	for (; *tables; tables++)
		for (const struct cay_http_route *r = *tables; r->method; r++)
			add_route(paths, r);
	return json_pack("{s:s, s:{s:s, s:s}, s:o, s:o}", "openapi", "3.1.0", "info", "title",
			 title, "version", version, "paths", paths, "components", components());
}
