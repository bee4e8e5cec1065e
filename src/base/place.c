/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of this user; see place.h. */
#include "base/place.h"

#include <fcntl.h>
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
