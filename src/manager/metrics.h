/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of the daemon and their text for Prometheus (exposition format 0.0.4). Plain numbers:
 * whoever sees an event adds to its member. */
#pragma once

#include "provider/provider.h"

struct cay_buf;

enum { CAY_METRICS_STATUS_MAX = 600 };

struct cay_metrics {
#define CAY_COUNTER(member, name, kind, help) uint64_t member;
#include "manager/metrics.def"
#undef CAY_COUNTER
	uint64_t ends[CAY_REASON_COUNT_];          /* sandboxes that ended, by reason */
	uint64_t statuses[CAY_METRICS_STATUS_MAX]; /* answers, by HTTP status */
};

/* One line of a gauge or counter with its HELP and TYPE. */
void cay_metrics_put(struct cay_buf *out, const char *name, const char *type, const char *help,
		     double value);

void cay_metrics_text(const struct cay_metrics *m, struct cay_buf *out);
