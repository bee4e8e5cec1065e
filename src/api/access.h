/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may speak to the daemon: pure checks on header values, no requests, no sandboxes.
 *
 * Host: a page whose name is made to resolve to our address (DNS rebinding) sends that name; only
 * the loopback names, our own listening addresses and --allow-host are accepted. An IP address
 * cannot be rebound, so any is accepted when we listen on all of them.
 * Origin and Sec-Fetch-Site: a browser says where the script that speaks comes from; only our own
 * pages may (Fetch standard; W3C Fetch Metadata). Programs send neither.
 */
#pragma once

#include "base/error.h"

struct cay_access {
	const char *api_key;
	char **hosts;     /* names and addresses, without port and brackets; NULL-terminated */
	bool any_address; /* listening on a wildcard address */
};

/* host: value of the Host header, or NULL. MISDIRECTED if it is not ours. */
int cay_access_check_host(const struct cay_access *a, const char *host,
			  struct cay_error *err) CAY_NODISCARD;

/* origin and fetch_site may be NULL. DENIED if a foreign page speaks. */
int cay_access_check_origin(const char *host, const char *origin, const char *fetch_site,
			    struct cay_error *err) CAY_NODISCARD;

/* Is one of these header values (each may be NULL) the API key? */
bool cay_access_has_key(const struct cay_access *a, const char *x_api_key,
			const char *authorization);
