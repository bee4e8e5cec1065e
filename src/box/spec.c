/* SPDX-License-Identifier: Apache-2.0 */
/* Checks what was asked for, before anything is made. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "base/text.h"
#include "box/box.h"

static int check_folder(const char *path, const char *what, struct cay_error *err)
{
	struct stat st;

	if (!*path)
		return cay_fail(err, CAY_E_INVALID, 0, "%s is empty", what);
	if (strlen(path) >= CAY_PATH_MAX)
		return cay_fail(err, CAY_E_INVALID, 0, "%s is longer than %d bytes", what,
				CAY_PATH_MAX - 1);
	if (stat(path, &st) < 0) {
		if (errno == ENOENT) {
			cay_fail(err, CAY_E_NOT_FOUND, 0, "%s '%s' does not exist", what, path);
			return cay_fail_hint(err, "make it first (mkdir -p), or leave it out");
		}
		return cay_fail(err, cay_error_from_errno(errno), errno, "%s '%s'", what, path);
	}
	if (!S_ISDIR(st.st_mode))
		return cay_fail(err, CAY_E_INVALID, 0, "%s '%s' is not a folder", what, path);
	if (faccessat(AT_FDCWD, path, R_OK | X_OK, AT_EACCESS) < 0)
		return cay_fail(err, cay_error_from_errno(errno), errno, "%s '%s'", what, path);
	return 0;
}

static int check_bound(uint64_t value, uint64_t min, uint64_t max, const char *what,
		       const char *unit, struct cay_error *err)
{
	if (!value || (value >= min && value <= max))
		return 0;
	return cay_fail(err, CAY_E_INVALID, 0, "%s must be between %llu and %llu%s, got %llu", what,
			(unsigned long long)min, (unsigned long long)max, unit,
			(unsigned long long)value);
}

int cay_box_spec_check(const struct cay_box_spec *spec, struct cay_error *err)
{
	const uint64_t mib = 1 << 20;

	if (!spec->name || !spec->cache_dir)
		return cay_fail(err, CAY_E_INVALID, 0, "a sandbox needs a name and a cache folder");
	if (cay_text_name(spec->name, "name", err) < 0)
		return -1;
	if (spec->net != CAY_BOX_NET_NONE && spec->net != CAY_BOX_NET_HOST)
		return cay_fail(err, CAY_E_INVALID, 0, "unknown network mode %d", (int)spec->net);
	if (spec->memory_bytes &&
	    check_bound(spec->memory_bytes / mib + (spec->memory_bytes % mib != 0),
			CAY_BOX_MEMORY_MIN_MB, CAY_BOX_MEMORY_MAX_MB, "memory", " MiB", err) < 0)
		return -1;
	if (check_bound(spec->pids, CAY_BOX_PIDS_MIN, CAY_BOX_PIDS_MAX, "pids", "", err) < 0)
		return -1;
	/* Written so that NaN fails as well. */
	if (!(spec->cpus >= 0 && spec->cpus <= CAY_BOX_CPUS_MAX) ||
	    (spec->cpus > 0 && spec->cpus < 0.01))
		return cay_fail(err, CAY_E_INVALID, 0, "cpus must be between 0.01 and %d, got %g",
				CAY_BOX_CPUS_MAX, spec->cpus);
	if (spec->rootfs && check_folder(spec->rootfs, "rootfs", err) < 0)
		return -1;
	if (spec->workspace && check_folder(spec->workspace, "workspace", err) < 0)
		return -1;
	return 0;
}
