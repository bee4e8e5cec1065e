/* SPDX-License-Identifier: Apache-2.0 */
/* Request targets, percent-encoding, servers' URLs, and paths as text. */
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/path.h"
#include "net/url.h"

#include "fuzz.h"

static bool has_dots(const char *path)
{
	return strstr(path, "/../") || strstr(path, "/./") || !strcmp(path, "/.") ||
	       (strlen(path) >= 3 && !strcmp(path + strlen(path) - 3, "/.."));
}

static void check_target(const char *target)
{
	struct cay_buf path, slashed;
	const char *query;
	struct cay_error err;
	size_t slash;
	int rc;

	cay_buf_init(&path, 4096);
	cay_buf_init(&slashed, 4096);
	rc = cay_url_split_target(target, &path, &query, &err);
	if (rc == 0) {
		MUST(path.data[0] == '/' && strlen(path.data) == path.len && !has_dots(path.data));
		MUST(query >= target && query <= target + strlen(target));
	}
	if (cay_url_split_slashed(target, &slashed, &query, &slash, &err) == 0) {
		MUST((rc == 0) == (slash == SIZE_MAX));
		MUST(rc < 0 || !strcmp(path.data, slashed.data));
		MUST(slash == SIZE_MAX || !strncasecmp(slashed.data + slash, "%2f", 3));
	} else {
		MUST(rc < 0);
	}
	cay_buf_fini(&path);
	cay_buf_fini(&slashed);
}

/* What is encoded decodes to itself. */
static void check_encoding(const char *text)
{
	struct cay_buf encoded, decoded;
	struct cay_error err;

	cay_buf_init(&encoded, 3 * strlen(text));
	cay_buf_init(&decoded, strlen(text));
	cay_url_encode(text, true, &encoded);
	MUST(!encoded.overflow);
	MUST(cay_url_decode(encoded.data, encoded.len, false, &decoded, &err) == 0);
	MUST(!strcmp(decoded.data, text));
	cay_buf_fini(&encoded);
	cay_buf_fini(&decoded);
}

static void check_path(const char *text, size_t n)
{
	char out[CAY_PATH_MAX], again[CAY_PATH_MAX];
	struct cay_error err;

	if (cay_path_check_absolute(text, n, "path", &err) == 0)
		MUST(text[0] == '/' && n < CAY_PATH_MAX);
	if (cay_path_normalize(text, out, &err) < 0)
		return;
	MUST(out[0] == '/' && !has_dots(out) && !strstr(out, "//"));
	MUST(cay_path_normalize(out, again, &err) == 0 && !strcmp(out, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = malloc(n + 1);
	struct cay_error err;
	struct cay_url url;

	MUST(text);
	memcpy(text, data, n);
	text[n] = '\0';
	check_target(text);
	check_encoding(text);
	check_path(text, n);
	if (cay_url_parse_server(text, &url, &err) == 0)
		MUST(url.is_unix ? url.path[0] == '/' : url.host[0] && url.port);
	free(text);
	return 0;
}
