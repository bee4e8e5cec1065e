/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/metrics.h"

#include "base/buf.h"
#include "tap.h"

static void writes_prometheus_text(void)
{
	struct cay_metrics m = {.creates = 3, .create_ns = 1500000000};
	struct cay_buf out;

	m.ends[CAY_REASON_OOM] = 2;
	m.statuses[404] = 7;
	cay_buf_init(&out, 1 << 16);
	cay_metrics_text(&m, &out);
	CHECK(strstr(out.data, "# TYPE cay_sandbox_creates_total counter\n"
			       "cay_sandbox_creates_total 3\n"));
	CHECK(strstr(out.data, "\ncay_sandbox_create_seconds_sum 1.500000000\n"));
	CHECK(strstr(out.data, "\ncay_sandbox_ends_total{reason=\"oom\"} 2\n"));
	CHECK(strstr(out.data, "\ncay_http_requests_total{status=\"404\"} 7\n"));
	CHECK(!strstr(out.data, "status=\"200\""));
	CHECK(!out.overflow);
	cay_buf_fini(&out);
}

TAP_MAIN({"writes_prometheus_text", writes_prometheus_text})
