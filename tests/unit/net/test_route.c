/* SPDX-License-Identifier: Apache-2.0 */
#include "net/route.h"

#include <string.h>

#include "base/buf.h"

#include "tap.h"

static const struct cay_http_route first[] = {
	{.method = "GET", .pattern = "/", .summary = "root"},
	{.method = "GET", .pattern = "/x/{id}", .summary = "x one"},
	{.method = "PUT", .pattern = "/x/{id}", .summary = "x put"},
	{.method = "GET", .pattern = "/x/list", .summary = "x list"},
	{.method = "*", .pattern = "/x/{id}/agent/{rest*}", .summary = "agent"},
	{},
};
static const struct cay_http_route second[] = {
	{.method = "GET", .pattern = "/x/{id}/{what}", .summary = "what"},
	{.method = "GET", .pattern = "/x/a/{what}", .summary = "a what"},
	{.method = "POST", .pattern = "/x/{id}/exec", .summary = "exec"},
	{},
};
static const struct cay_http_route *const tables[] = {first, second, NULL};

static struct cay_routes *compiled(void)
{
	struct cay_routes *r;
	struct cay_error err;

	return cay_routes_create(tables, &r, &err) < 0 ? NULL : r;
}

static const char *find(const struct cay_routes *r, const char *method, const char *path)
{
	static char out[200];
	struct cay_route_match m;
	size_t n;

	if (!cay_routes_find(r, method, path, &m))
		return "404";
	if (!m.route)
		return "405";
	n = (size_t)snprintf(out, sizeof(out), "%s", m.route->summary);
	for (size_t i = 0; i < m.n_params; i++)
		n += (size_t)snprintf(out + n, sizeof(out) - n, " %.*s=%.*s",
				      (int)m.params[i].name_n, m.params[i].name, (int)m.params[i].n,
				      path + m.params[i].at);
	return out;
}

static void finds(void)
{
	struct cay_routes *r = compiled();

	CHECK_STR(find(r, "GET", "/"), "root");
	CHECK_STR(find(r, "GET", "/x/12"), "x one id=12");
	CHECK_STR(find(r, "HEAD", "/x/12"), "x one id=12");
	CHECK_STR(find(r, "GET", "/x/list"), "x list");
	CHECK_STR(find(r, "PUT", "/x/list"), "x put id=list");
	CHECK_STR(find(r, "GET", "/x/b/env"), "what id=b what=env");
	CHECK_STR(find(r, "GET", "/x/a/env"), "a what what=env");
	CHECK_STR(find(r, "GET", "/x/b/exec"), "what id=b what=exec");
	CHECK_STR(find(r, "POST", "/x/b/exec"), "exec id=b");
	CHECK_STR(find(r, "DELETE", "/x/1/agent/p/q"), "agent id=1 rest=p/q");
	CHECK_STR(find(r, "GET", "/x/1/agent/"), "agent id=1 rest=");
	CHECK_STR(find(r, "DELETE", "/x/1/agent"), "agent id=1 rest=");
	cay_routes_destroy(r);
}

static void misses(void)
{
	struct cay_routes *r = compiled();

	CHECK_STR(find(r, "GET", "/y"), "404");
	CHECK_STR(find(r, "GET", "/x"), "404");
	CHECK_STR(find(r, "GET", "/x/"), "404");
	CHECK_STR(find(r, "GET", "/x/1/"), "404");
	CHECK_STR(find(r, "GET", "/x/1/agents/x"), "404");
	CHECK_STR(find(r, "GET", "/x/1/2/3"), "404");
	CHECK_STR(find(r, "GET", "//"), "404");
	CHECK_STR(find(r, "POST", "/"), "405");
	CHECK_STR(find(r, "DELETE", "/x/list"), "405");
	cay_routes_destroy(r);
}

static void names_the_methods(void)
{
	struct cay_routes *r = compiled();
	struct cay_buf b;

	cay_buf_init(&b, 100);
	cay_routes_allow(r, "/x/list", &b);
	CHECK_STR(b.data, "GET, HEAD, PUT");
	cay_buf_fini(&b);
	cay_routes_destroy(r);
}

static int create_one(const struct cay_http_route *rows)
{
	const struct cay_http_route *const one[] = {rows, NULL};
	struct cay_error err;
	struct cay_routes *r;

	if (cay_routes_create(one, &r, &err) < 0)
		return -1;
	cay_routes_destroy(r);
	return 0;
}

static void refuses_bad_tables(void)
{
	CHECK_INT(create_one((struct cay_http_route[]){{"GET", "/a/{x}"}, {"GET", "/a/{y}"}, {}}),
		  -1);
	CHECK_INT(create_one((struct cay_http_route[]){{"GET", "/a/x{y}"}, {}}), -1);
	CHECK_INT(create_one((struct cay_http_route[]){{"GET", "/a/{y}z"}, {}}), -1);
	CHECK_INT(create_one((struct cay_http_route[]){{"GET", "/a/{y*}/b"}, {}}), -1);
	CHECK_INT(create_one((struct cay_http_route[]){{"GET", "/a/{}"}, {}}), -1);
	CHECK_INT(create_one((struct cay_http_route[]){{"GET", "/a/{*}"}, {}}), -1);
	CHECK_INT(create_one((struct cay_http_route[]){{"GET", "a"}, {}}), -1);
	CHECK_INT(create_one((struct cay_http_route[]){{"GET", "/a/{y}/b/{z*}"}, {}}), 0);
	CHECK_INT(create_one((struct cay_http_route[]){{}}), 0);
}

TAP_MAIN({"finds", finds}, {"misses", misses}, {"names_the_methods", names_the_methods},
	 {"refuses_bad_tables", refuses_bad_tables})
