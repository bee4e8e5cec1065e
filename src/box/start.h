/* SPDX-License-Identifier: Apache-2.0 */
/* cay_box_start and cay_box_destroy for a caller who makes many and has looked at the host's cgroups
 * once: the launcher. */
#pragma once

#include "box/box.h"
#include "kern/cgroup.h"

int cay_box_start_in(const struct cay_cgroup_host *cgroups, const struct cay_box_spec *spec,
		     const struct cay_box_agent *agent, struct cay_box *ret,
		     struct cay_error *err) CAY_NODISCARD;

int cay_box_destroy_in(const struct cay_cgroup_host *cgroups, struct cay_box *box, bool *ret_oom,
		       struct cay_error *err);
