/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folders of the host as seen by a sandbox that a privileged caller makes. Such a sandbox runs as an
 * id of its own that nothing on the host belongs to; the folder is shown through an id-mapped mount
 * (mount_setattr(2), MOUNT_ATTR_IDMAP), so that what belongs to the folder's owner on disk belongs
 * to the sandbox's user inside, and what is made inside belongs to the folder's owner on disk.
 */
#pragma once

#include <sys/stat.h>

#include "base/error.h"
#include "kern/ns.h"

/* A host id that no user has, picked at random from a range that no allocator uses. */
uid_t cay_idmap_pick(void);

/* A detached copy of the folder (with the mounts below it) whose owner `st` is seen as the outside
 * ids. CAY_E_UNSUPPORTED: a file system there cannot be mapped. Needs privilege. */
int cay_idmap_mount(const char *path, const struct stat *st, const struct cay_ns_ids *ids,
		    int *ret_mount_fd, struct cay_error *err) CAY_NODISCARD;
