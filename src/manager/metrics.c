/* SPDX-License-Identifier: Apache-2.0 */
/* Counters as text. */
#include "manager/metrics.h"

#include <string.h>

#include "base/buf.h"

static void put_head(struct cay_buf *out, const char *name, const char *type, const char *help)
{
	cay_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void cay_metrics_put(struct cay_buf *out, const char *name, const char *type, const char *help,
		     double value)
{
	put_head(out, name, type, help);
	cay_buf_printf(out, "%s %.17g\n", name, value);
}

static void put_counter(struct cay_buf *out, const char *name, const char *kind, const char *help,
			uint64_t value)
{
	bool seconds = !strcmp(kind, "seconds");

	put_head(out, name, "counter", help);
	if (seconds)
		cay_buf_printf(out, "%s %.9f\n", name, (double)value / 1e9);
	else
		cay_buf_printf(out, "%s %llu\n", name, (unsigned long long)value);
}

void cay_metrics_text(const struct cay_metrics *m, struct cay_buf *out)
{
#define CAY_COUNTER(member, name, kind, help) put_counter(out, name, kind, help, m->member);
#include "manager/metrics.def"
#undef CAY_COUNTER
	put_head(out, "cay_sandbox_ends_total", "counter", "sandboxes that ended, by reason");
	for (int i = CAY_REASON_NONE + 1; i < CAY_REASON_COUNT_; i++)
		cay_buf_printf(out, "cay_sandbox_ends_total{reason=\"%s\"} %llu\n",
			       cay_reason_text((enum cay_reason)i), (unsigned long long)m->ends[i]);
	put_head(out, "cay_http_requests_total", "counter", "answers by HTTP status");
	for (int i = 0; i < CAY_METRICS_STATUS_MAX; i++)
		if (m->statuses[i])
			cay_buf_printf(out, "cay_http_requests_total{status=\"%d\"} %llu\n", i,
				       (unsigned long long)m->statuses[i]);
}
