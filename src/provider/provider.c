/* SPDX-License-Identifier: Apache-2.0 */
/* The table of providers and the wrappers that check what a provider can do before asking it. */
#include "provider/provider.h"

#include <string.h>

const struct cay_provider_ops *const cay_providers[] = {
#define CAY_PROVIDER(name) &cay_provider_##name##_ops,
#include "provider/providers.def"
#undef CAY_PROVIDER
	NULL,
};

const char *const cay_provider_cap_names[4] = {
	"workspace",
	"limits",
	"network_none",
	"network_host",
};

static const char *const reasons[CAY_REASON_COUNT_] = {[CAY_REASON_NONE] = "",
#define X(name, text) [CAY_REASON_##name] = (text),
						       CAY_REASONS(X)
#undef X
};

const char *cay_reason_text(enum cay_reason reason)
{
	return reasons[reason];
}

const struct cay_provider_ops *cay_provider_find(const char *name)
{
	for (const struct cay_provider_ops *const *p = cay_providers; *p; p++)
		if (!strcmp((*p)->name, name))
			return *p;
	return NULL;
}

static int unsupported(const struct cay_provider *p, const char *what, struct cay_error *err)
{
	return cay_fail(err, CAY_E_UNSUPPORTED, 0, "runtime '%s' does not support %s", p->ops->name,
			what);
}

int cay_provider_validate(struct cay_provider *p, struct cay_error *err)
{
	if (!p->ops->validate)
		return unsupported(p, "validation", err);
	return p->ops->validate(p, err);
}

int cay_provider_health(struct cay_provider *p, uint64_t *ret_latency_ns, struct cay_error *err)
{
	if (!p->ops->health)
		return unsupported(p, "health checks", err);
	return p->ops->health(p, ret_latency_ns, err);
}

/* What a spec needs from a provider. */
static int check_caps(const struct cay_provider *p, const struct cay_machine_spec *spec,
		      struct cay_error *err)
{
	const struct {
		bool wanted;
		unsigned cap;
		const char *what;
	} needs[] = {
		{spec->workspace, CAY_PROVIDER_WORKSPACE, "a workspace folder of this host"},
		{spec->memory_bytes || spec->pids || spec->cpus > 0, CAY_PROVIDER_LIMITS,
		 "resource limits"},
		{spec->net == CAY_MACHINE_NET_NONE, CAY_PROVIDER_NO_NETWORK, "network mode 'none'"},
		{spec->net == CAY_MACHINE_NET_HOST, CAY_PROVIDER_HOST_NETWORK,
		 "network mode 'host'"},
	};

	for (size_t i = 0; i < CAY_LEN(needs); i++)
		if (needs[i].wanted && !(p->ops->caps & needs[i].cap))
			return unsupported(p, needs[i].what, err);
	return 0;
}

struct cay_machine *cay_provider_create(struct cay_provider *p, const struct cay_machine_spec *spec,
					const struct cay_machine_events *events, void *arg,
					struct cay_error *err)
{
	if (!p->ops->create) {
		unsupported(p, "creating sandboxes", err);
		return NULL;
	}
	if (check_caps(p, spec, err) < 0)
		return NULL;
	return p->ops->create(p, spec, events, arg, err);
}
