/* SPDX-License-Identifier: Apache-2.0 */
/* The route tables: compiled, sorted, matched. Knows no connections. */
#include "net/route.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

struct row {
	const struct cay_http_route *route;
	size_t literal_n; /* the pattern up to its first parameter */
};

struct cay_routes {
	struct row *rows;
	size_t n;
};

/* ---- compiling ---- */

/* How specific one segment of a pattern is: less is more specific. */
static int segment_rank(const char *segment)
{
	if (*segment != '{')
		return 0;
	return strcspn(segment, "*") < strcspn(segment, "}") ? 2 : 1;
}

static int compare_patterns(const char *a, const char *b)
{
	while (*a && *b) {
		size_t an = strcspn(++a, "/"), bn = strcspn(++b, "/");
		int rank_a = segment_rank(a), rank_b = segment_rank(b);
		int order = 0;

		if (rank_a != rank_b)
			return rank_a - rank_b;
		if (!rank_a)
			order = strncmp(a, b, CAY_MAX(an, bn));
		if (order)
			return order;
		a += an;
		b += bn;
	}
	return (*a != 0) - (*b != 0);
}

/* "*" comes after the methods by name. */
static int compare_rows(const void *a, const void *b)
{
	const struct cay_http_route *x = ((const struct row *)a)->route;
	const struct cay_http_route *y = ((const struct row *)b)->route;
	int order = compare_patterns(x->pattern, y->pattern);

	return order ? order : strcmp(y->method, x->method);
}

static int check_pattern(const char *pattern, struct cay_error *err)
{
	size_t params = 0;

	for (const char *p = pattern; *p; p += strcspn(p + 1, "/") + 1) {
		size_t n = strcspn(p + 1, "/");
		const char *brace = memchr(p + 1, '{', n);

		if (*p != '/')
			break;
		if (!brace)
			continue;
		params++;
		if (brace != p + 1 || p[n] != '}' || n < 3 || params > CAY_ROUTE_PARAMS_MAX ||
		    (segment_rank(brace) == 2 && (p[n + 1] || p[n - 1] != '*' || n < 4)))
			return cay_fail(err, CAY_E_INVALID, 0,
					"route '%s': a parameter is a "
					"whole segment, and '{rest*}' the last",
					pattern);
	}
	if (pattern[0] != '/')
		return cay_fail(err, CAY_E_INVALID, 0, "route '%s' must begin with '/'", pattern);
	return 0;
}

static int check_twice(const struct cay_routes *r, struct cay_error *err)
{
	for (size_t i = 1; i < r->n; i++)
		if (!compare_rows(&r->rows[i - 1], &r->rows[i]))
			return cay_fail(err, CAY_E_INVALID, 0, "route '%s %s' is there twice",
					r->rows[i].route->method, r->rows[i].route->pattern);
	return 0;
}

int cay_routes_create(const struct cay_http_route *const *tables, struct cay_routes **ret,
		      struct cay_error *err)
{
	struct cay_routes *r = cay_alloc(sizeof(*r));

	for (size_t t = 0; tables[t]; t++) {
		for (const struct cay_http_route *route = tables[t]; route->method; route++) {
			if (check_pattern(route->pattern, err) < 0) {
				cay_routes_destroy(r);
				return -1;
			}
			r->rows = cay_realloc_array(r->rows, r->n + 1, sizeof(*r->rows));
			r->rows[r->n++] = (struct row){.route = route,
						       .literal_n = strcspn(route->pattern, "{")};
		}
	}
	if (r->n)
		qsort(r->rows, r->n, sizeof(*r->rows), compare_rows);
	if (check_twice(r, err) < 0) {
		cay_routes_destroy(r);
		return -1;
	}
	*ret = r;
	return 0;
}

void cay_routes_destroy(struct cay_routes *r)
{
	if (!r)
		return;
	free(r->rows);
	free(r);
}

/* ---- matching ---- */

static void add_param(struct cay_route_match *m, const char *segment, size_t segment_n, bool rest,
		      size_t at, size_t n)
{
	m->params[m->n_params].name = segment + 1;
	m->params[m->n_params].name_n = segment_n - (rest ? 3 : 2);
	m->params[m->n_params].at = at;
	m->params[m->n_params].n = n;
	m->n_params++;
	m->has_rest = rest;
}

static bool match_pattern(const char *pattern, const char *path, struct cay_route_match *m)
{
	size_t at = 0, pn, n;

	m->n_params = 0;
	m->has_rest = false;
	while (*pattern) {
		const char *segment = pattern + 1;

		pn = strcspn(segment, "/");
		if (segment_rank(segment) == 2) {
			at += path[at] == '/';
			add_param(m, segment, pn, true, at, strlen(path + at));
			return true;
		}
		if (path[at] != '/')
			return false;
		at++;
		n = strcspn(path + at, "/");
		if (*segment == '{') {
			if (!n)
				return false;
			add_param(m, segment, pn, false, at, n);
		} else if (n != pn || memcmp(segment, path + at, n) != 0) {
			return false;
		}
		pattern = segment + pn;
		at += n;
	}
	return !path[at];
}

/* "/x/{rest*}" also takes "/x", which its literal text "/x/" is longer than. */
static bool fits_literal(const struct row *row, const char *path, size_t path_n)
{
	const char *pattern = row->route->pattern;

	if (path_n >= row->literal_n)
		return !memcmp(pattern, path, row->literal_n);
	return path_n + 1 == row->literal_n && !memcmp(pattern, path, path_n) &&
	       segment_rank(pattern + row->literal_n) == 2;
}

static bool has_method(const struct cay_http_route *route, const char *method)
{
	return !strcmp(route->method, method) || !strcmp(route->method, "*") ||
	       (!strcmp(method, "HEAD") && !strcmp(route->method, "GET"));
}

bool cay_routes_find(const struct cay_routes *r, const char *method, const char *path,
		     struct cay_route_match *out)
{
	size_t path_n = strlen(path);
	bool found = false;

	out->route = NULL;
	for (size_t i = 0; i < r->n; i++) {
		if (!fits_literal(&r->rows[i], path, path_n) ||
		    !match_pattern(r->rows[i].route->pattern, path, out))
			continue;
		found = true;
		if (has_method(r->rows[i].route, method)) {
			out->route = r->rows[i].route;
			return true;
		}
	}
	out->n_params = 0;
	return found;
}

static void allow_one(struct cay_buf *out, const char *method)
{
	const char *at = strstr(out->data, method);

	if (at && (at == out->data || at[-1] == ' ') && strchr(",", at[strlen(method)]))
		return;
	cay_buf_printf(out, "%s%s", out->len ? ", " : "", method);
}

void cay_routes_allow(const struct cay_routes *r, const char *path, struct cay_buf *out)
{
	struct cay_route_match m;
	size_t path_n = strlen(path);

	for (size_t i = 0; i < r->n; i++) {
		const struct cay_http_route *route = r->rows[i].route;

		if (!fits_literal(&r->rows[i], path, path_n) ||
		    !match_pattern(route->pattern, path, &m))
			continue;
		allow_one(out, route->method);
		if (!strcmp(route->method, "GET"))
			allow_one(out, "HEAD");
	}
}
