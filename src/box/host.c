/* SPDX-License-Identifier: Apache-2.0 */
/* The facts about the host that a plan needs. Cheap: it runs for every sandbox. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fd.h"
#include "box/plan.h"

/* What of the host's root shows in a sandbox; everything else does not. */
static const char *const names[CAY_HOST_DIRS] = {"usr", "etc",   "opt",   "bin",    "sbin",
						 "lib", "lib32", "lib64", "libx32", "nix"};

static bool is_empty_dir(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	bool empty = true;

	if (!dir)
		return true;
	while (empty && (e = readdir(dir)))
		empty = !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..");
	closedir(dir);
	return empty;
}

static enum cay_host_kind kind_of(const char *path, char link[64])
{
	struct stat st;
	ssize_t n;

	if (lstat(path, &st) < 0)
		return CAY_HOST_ABSENT;
	if (S_ISDIR(st.st_mode))
		return CAY_HOST_DIR;
	n = S_ISLNK(st.st_mode) ? readlink(path, link, 63) : -1;
	if (n <= 0 || n == 63)
		return CAY_HOST_ABSENT;
	link[n] = '\0';
	return CAY_HOST_LINK;
}

void cay_host_read(bool want_resolv_conf, struct cay_host *ret)
{
	enum { RESOLV_MAX = 65536 };
	struct cay_error err;
	struct cay_buf text;
	char path[32];

	for (size_t i = 0; i < CAY_HOST_DIRS; i++) {
		ret->dirs[i].name = names[i];
		snprintf(path, sizeof(path), "/%s", names[i]);
		ret->dirs[i].kind = kind_of(path, ret->dirs[i].link);
		/* An overlay costs; /opt is often empty. */
		if (!strcmp(names[i], "opt") && ret->dirs[i].kind == CAY_HOST_DIR &&
		    is_empty_dir(path))
			ret->dirs[i].kind = CAY_HOST_EMPTY_DIR;
		/* Files of ours go there: it has to be a folder. */
		if (!strcmp(names[i], "etc") && ret->dirs[i].kind != CAY_HOST_DIR)
			ret->dirs[i].kind = CAY_HOST_EMPTY_DIR;
	}
	ret->resolv_conf = NULL;
	if (!want_resolv_conf)
		return;
	cay_buf_init(&text, RESOLV_MAX);
	if (cay_fd_read_file("/etc/resolv.conf", &text, &err) == 0)
		ret->resolv_conf = cay_buf_take(&text);
	cay_buf_fini(&text);
}

void cay_host_fini(struct cay_host *host)
{
	free(host->resolv_conf);
	host->resolv_conf = NULL;
}
