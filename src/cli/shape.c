/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the options that shape a sandbox; see shape.h. */
#include "cli/shape.h"

#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"

/* The mode after the last colon, where there is a known one; a folder's name may hold colons. */
static int split_mode(const char *text, size_t *ret_n, bool *ret_read_only, struct cay_error *err)
{
	const char *colon = strrchr(text, ':');

	*ret_n = strlen(text);
	*ret_read_only = false;
	if (!colon || strchr(colon, '/'))
		return 0;
	if (!strcmp(colon, ":cow"))
		return cay_fail(err, CAY_E_UNSUPPORTED, 0,
				"--workspace: copy-on-write workspaces are not supported yet");
	if (strcmp(colon, ":ro") != 0 && strcmp(colon, ":rw") != 0)
		return 0;
	*ret_n = (size_t)(colon - text);
	*ret_read_only = !strcmp(colon, ":ro");
	return 0;
}

int cay_shape_parse_workspace(const char *text, char **ret_path, bool *ret_read_only,
			      struct cay_error *err)
{
	auto_free char *given = NULL, *path = NULL;
	bool read_only;
	struct stat st;
	size_t n;

	if (split_mode(text, &n, &read_only, err) < 0)
		return -1;
	given = cay_strndup(text, n);
	path = realpath(given, NULL);
	if (!path) {
		cay_fail(err, cay_error_from_errno(errno), errno, "--workspace: '%s'", given);
		return cay_fail_hint(err, "it must be an existing folder: DIR, or DIR:ro");
	}
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return cay_fail(err, CAY_E_INVALID, 0, "--workspace: '%s' is not a folder", given);
	*ret_path = TAKE_PTR(path);
	*ret_read_only = read_only;
	return 0;
}

int cay_shape_add_env(char ***env, char *const *settings, struct cay_error *err)
{
	for (; settings && *settings; settings++) {
		const char *s = *settings, *value;
		size_t n = strcspn(s, "=");
		auto_free char *name = cay_strndup(s, n);

		if (!n)
			return cay_fail(err, CAY_E_INVALID, 0,
					"--env: '%s' is neither NAME=VALUE nor NAME", s);
		value = s[n] ? s + n + 1 : getenv(name);
		if (value)
			*env = cay_env_set(*env, name, value);
	}
	return 0;
}
