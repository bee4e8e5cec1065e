/* SPDX-License-Identifier: Apache-2.0 */
/* A description of route tables as an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.0).
 */
#pragma once

#include "net/http.h"

/* Paths, methods, parameters of the path, whether a JSON body is needed, summaries, the error
 * shape; routes with CAY_HTTP_OPEN need no key. The caller owns the result, and adds what only the
 * program knows ("security", "components.securitySchemes"). */
json_t *cay_openapi(const struct cay_http_route *const *tables, const char *title,
		    const char *version);
