/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of this user and of our programs; see place.h. */
#include "cli/place.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/path.h"

/* A folder of the user: $xdg/cay, else $HOME/below/cay. The specification says that relative paths
 * in the variable are to be ignored. */
static char *home_dir(const char *xdg, const char *below)
{
	const char *base = getenv(xdg), *home = getenv("HOME");

	if (base && base[0] == '/')
		return cay_format("%s/cay", base);
	if (home && home[0] == '/')
		return cay_format("%s/%s/cay", home, below);
	return NULL;
}

char *cay_place_state_dir(void)
{
	return geteuid() == 0 ? cay_strdup("/var/lib/cay")
			      : home_dir("XDG_STATE_HOME", ".local/state");
}

/* Ours, and nobody else can put anything there? */
static bool is_private_dir(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	       !(st.st_mode & 022);
}

static bool make_private_dir(const char *path)
{
	auto_close int root = -1, dir = -1;

	if (is_private_dir(path))
		return access(path, W_OK) == 0;
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	dir = cay_path_mkdirs(root, path, 0700, CAY_PATH_IN_ROOT);
	return dir >= 0 && is_private_dir(path) && access(path, W_OK) == 0;
}

int cay_place_make_cache_dir(char **ret, struct cay_error *err)
{
	auto_free char *home = geteuid() == 0 ? cay_strdup("/var/cache/cay")
					      : home_dir("XDG_CACHE_HOME", ".cache");
	auto_free char *tmp = cay_format("/var/tmp/cay-%u", (unsigned)geteuid());

	if (home && make_private_dir(home)) {
		*ret = TAKE_PTR(home);
		return 0;
	}
	if (make_private_dir(tmp)) {
		*ret = TAKE_PTR(tmp);
		return 0;
	}
	cay_fail(err, CAY_E_SETUP, 0, "no folder for the cache: neither %s nor %s can be used",
		 home ? home : "$HOME", tmp);
	return cay_fail_hint(err, "set XDG_CACHE_HOME to a folder that is yours alone");
}

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
