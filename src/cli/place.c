/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of our programs; see place.h. */
#include "cli/place.h"

#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/path.h"

/* The folder of this executable, without a final slash. */
static char *own_dir(void)
{
	char path[CAY_PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	if (n <= 0)
		return NULL;
	path[n] = '\0';
	slash = strrchr(path, '/');
	return slash ? cay_strndup(path, (size_t)(slash - path)) : NULL;
}

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static char *find_in_path(const char *name)
{
	const char *p = getenv("PATH");

	while (p && *p) {
		size_t n = strcspn(p, ":");
		char *path = n ? cay_format("%.*s/%s", (int)n, p, name) : NULL;

		if (path && path[0] == '/' && is_program(path))
			return path;
		free(path);
		p += n + (p[n] == ':');
	}
	return NULL;
}

int cay_place_find_program(const char *name, char **ret, struct cay_error *err)
{
	static const char *const folders[] = {"", "/../libexec/cay", "/../libexec"};
	auto_free char *dir = own_dir();
	char *path;

	for (size_t i = 0; dir && i < CAY_LEN(folders); i++) {
		path = cay_format("%s%s/%s", dir, folders[i], name);
		if (is_program(path)) {
			*ret = path;
			return 0;
		}
		free(path);
	}
	path = find_in_path(name);
	if (path) {
		*ret = path;
		return 0;
	}
	cay_fail(err, CAY_E_UNAVAILABLE, 0, "the program %s is not installed", name);
	return cay_fail_hint(err, "it belongs beside cay, in %s, or in PATH", dir ? dir : "");
}
