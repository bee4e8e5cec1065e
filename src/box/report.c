/* SPDX-License-Identifier: Apache-2.0 */
/* The isolation report: from what the kernel has answered, and what could not be had and why. */
#include <jansson.h>
#include <linux/seccomp.h>

#include "box/spawn.h"

static void add_limit(const struct cay_spawn *s, json_t *limits, json_t *lost,
		      enum cay_cgroup_controller c, json_t *value, const char *fallback)
{
	const char *name = cay_cgroup_controller_name(c);
	char by[16];
	json_t *limit = json_object();

	json_object_set_new(limits, c == CAY_CGROUP_CPU ? "cpus" : name, limit);
	json_object_set_new(limit, "value", value);
	if (s->cgroup.version[c]) {
		snprintf(by, sizeof(by), "cgroup-v%d", s->cgroup.version[c]);
		json_object_set_new(limit, "enforced_by", json_string(by));
		return;
	}
	json_object_set_new(limit, "enforced_by", fallback ? json_string(fallback) : json_null());
	if (!s->cgroup_reason[c][0])
		return;
	json_object_set_new(limit, "reason", json_string(s->cgroup_reason[c]));
	/* The number of processes is counted for a whole user namespace: as good as a cgroup. */
	if (c == CAY_CGROUP_PIDS)
		return;
	json_array_append_new(lost, json_sprintf("%s limit for all processes together: %s", name,
						 s->cgroup_reason[c]));
}

static json_t *report_limits(const struct cay_spawn *s, json_t *lost)
{
	const struct cay_box_spec *spec = s->spec;
	json_t *limits = json_object();

	if (spec->memory_bytes)
		add_limit(s, limits, lost, CAY_CGROUP_MEMORY,
			  json_integer((json_int_t)spec->memory_bytes), "rlimit");
	add_limit(s, limits, lost, CAY_CGROUP_PIDS,
		  json_integer((json_int_t)s->apply.limits.processes), "rlimit");
	if (spec->cpus > 0)
		add_limit(s, limits, lost, CAY_CGROUP_CPU, json_real(spec->cpus), NULL);
	return limits;
}

static json_t *report_namespaces(const struct cay_spawn *s)
{
	static uint64_t ours[CAY_NS_COUNT];
	json_t *list = json_array();

	if (!ours[0])
		cay_ns_read_own(ours);
	for (size_t i = 0; i < CAY_NS_COUNT; i++)
		if (s->facts.ns[i] && s->facts.ns[i] != ours[i])
			json_array_append_new(list, json_string(cay_ns_name(i)));
	return list;
}

static const char *const landlock_names[] = {
	[CAY_LANDLOCK_NONE] = "none",
	[CAY_LANDLOCK_FILES] = "files",
	[CAY_LANDLOCK_SCOPED] = "scoped",
};

json_t *cay_spawn_report(const struct cay_spawn *s)
{
	const struct cay_facts *f = &s->facts;
	const struct cay_caps *c = &f->caps;
	bool has_caps = c->effective | c->permitted | c->inheritable | c->bounding | c->ambient;
	json_t *report = json_object(), *lost = json_array();

	json_object_set_new(report, "level", json_string("full"));
	json_object_set_new(report, "namespaces", report_namespaces(s));
	json_object_set_new(report, "network",
			    json_string(s->spec->net == CAY_BOX_NET_HOST ? "host" : "none"));
	json_object_set_new(report, "root", json_string(s->spec->rootfs ? "rootfs" : "host"));
	json_object_set_new(report, "uid", json_integer(f->uid));
	json_object_set_new(report, "gid", json_integer(f->gid));
	json_object_set_new(report, "host_uid", json_integer(s->apply.ids.outside_uid));
	json_object_set_new(report, "capabilities", json_string(has_caps ? "some" : "none"));
	json_object_set_new(report, "no_new_privs", json_boolean(f->no_new_privs == 1));
	json_object_set_new(
		report, "seccomp",
		json_string(f->seccomp_mode == SECCOMP_MODE_FILTER ? "filter" : "none"));
	json_object_set_new(report, "landlock", json_string(landlock_names[f->landlock]));
	if (f->landlock == CAY_LANDLOCK_NONE)
		json_array_append_new(lost, json_string("Landlock (files outside of the root): the "
							"kernel is older than 5.19 or has none"));
	if (f->landlock != CAY_LANDLOCK_SCOPED && s->spec->net == CAY_BOX_NET_HOST)
		json_array_append_new(lost, json_string("Landlock scopes (abstract sockets of the "
							"host): the kernel is older than 6.12"));
	if (!s->spec->rootfs)
		json_object_set_new(report, "skeleton",
				    json_boolean(s->apply.skeleton.path != NULL));
	if (!s->spec->rootfs && !s->apply.skeleton.path)
		json_array_append_new(
			lost,
			json_sprintf("writing into the host's folders (in a private layer): %s",
				     s->skeleton_reason));
	json_object_set_new(report, "limits", report_limits(s, lost));
	json_object_set_new(report, "lost", lost);
	return report;
}
