/* SPDX-License-Identifier: Apache-2.0 */
/* Time. */
#include "base/clock.h"

#include <time.h>

static uint64_t read_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t cay_clock_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

uint64_t cay_clock_ms(void)
{
	return cay_clock_ns() / 1000000;
}

int64_t cay_clock_unix_ms(void)
{
	return (int64_t)(read_ns(CLOCK_REALTIME) / 1000000);
}

const char *cay_clock_text(int64_t unix_ms, char out[CAY_CLOCK_TEXT_MAX])
{
	time_t s = (time_t)(unix_ms / 1000);
	struct tm tm;
	size_t n;

	gmtime_r(&s, &tm);
	n = strftime(out, CAY_CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, CAY_CLOCK_TEXT_MAX - n, ".%03dZ", (int)(unix_ms % 1000));
	return out;
}
