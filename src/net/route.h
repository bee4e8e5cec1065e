/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the row of the route tables that fits a path and a method. Tables are compiled once: rows
 * are sorted so that the most specific pattern comes first (segment by segment, a literal before a
 * parameter before a remainder), and looked through in that order; a row is passed over by one
 * comparison with the literal text that its pattern begins with.
 */
#pragma once

#include "net/http.h"

enum { CAY_ROUTE_PARAMS_MAX = 8 };

struct cay_routes;

struct cay_route_match {
	const struct cay_http_route *route; /* NULL: none has this method */
	size_t n_params;
	struct {
		const char *name; /* n bytes, in the pattern */
		size_t name_n;
		size_t at, n; /* of the value in the path */
	} params[CAY_ROUTE_PARAMS_MAX];
	bool has_rest; /* the last parameter is "{rest*}" */
};

/* INVALID for a pattern that is malformed or there twice with one method. */
int cay_routes_create(const struct cay_http_route *const *tables, struct cay_routes **ret,
		      struct cay_error *err) CAY_NODISCARD;
void cay_routes_destroy(struct cay_routes *r);

/* True where some row has this path; then out->route is the one with the method, or NULL. */
bool cay_routes_find(const struct cay_routes *r, const char *method, const char *path,
		     struct cay_route_match *out);

/* The methods that a path has, as for the Allow header: "GET, HEAD, PUT". */
struct cay_buf;
void cay_routes_allow(const struct cay_routes *r, const char *path, struct cay_buf *out);
