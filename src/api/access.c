/* SPDX-License-Identifier: Apache-2.0 */
/* Host, Origin and key checks. */
#include "api/access.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

enum { HOST_MAX = 256 };

/* The name in "name", "name:port", "[v6]" or "[v6]:port". */
static bool host_name(const char *host, char out[HOST_MAX])
{
	bool v6 = host[0] == '[';
	const char *start = host + v6, *end = start + strcspn(start, v6 ? "]" : ":");
	const char *port = end + (v6 && *end);

	if (end == start || end - start >= HOST_MAX || (v6 && *end != ']'))
		return false;
	/* What is accepted here is shown to clients as part of URLs. */
	if (*port && (*port != ':' || strspn(port + 1, "0123456789") != strlen(port + 1)))
		return false;
	memcpy(out, start, (size_t)(end - start));
	out[end - start] = '\0';
	return true;
}

static bool is_address(const char *name)
{
	unsigned char buf[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, buf) == 1 || inet_pton(AF_INET6, name, buf) == 1;
}

int cay_access_check_host(const struct cay_access *a, const char *host, struct cay_error *err)
{
	char name[HOST_MAX];

	if (host && host_name(host, name)) {
		for (char *const *h = a->hosts; h && *h; h++)
			if (!strcasecmp(name, *h))
				return 0;
		if (a->any_address && is_address(name))
			return 0;
	}
	cay_fail(err, CAY_E_MISDIRECTED, 0, "this server does not answer for host '%.100s'",
		 host ? host : "");
	return cay_fail_hint(err, "use the address on which it listens, or start it with "
				  "--allow-host NAME");
}

int cay_access_check_origin(const char *host, const char *origin, const char *fetch_site,
			    struct cay_error *err)
{
	const char *authority = origin ? strstr(origin, "://") : NULL;

	if (origin && (!authority || strcasecmp(authority + 3, host) != 0))
		return cay_fail(err, CAY_E_DENIED, 0,
				"pages of origin '%.100s' may not use this "
				"server",
				origin);
	if (fetch_site && strcmp(fetch_site, "same-origin") != 0 && strcmp(fetch_site, "none") != 0)
		return cay_fail(err, CAY_E_DENIED, 0,
				"pages of other sites may not use this "
				"server");
	return 0;
}

/* The token of "Bearer <token>", or NULL. */
static const char *bearer(const char *authorization)
{
	if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0)
		return NULL;
	authorization += 7;
	return authorization + strspn(authorization, " ");
}

bool cay_access_has_key(const struct cay_access *a, const char *x_api_key,
			const char *authorization)
{
	const char *token = bearer(authorization);

	return (x_api_key && cay_text_equal_secret(x_api_key, a->api_key)) ||
	       (token && cay_text_equal_secret(token, a->api_key));
}
