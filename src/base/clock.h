/* SPDX-License-Identifier: Apache-2.0 */
/* Time. Durations are measured on the monotonic clock, dates come from the real-time one. */
#pragma once

#include "base/macro.h"

uint64_t cay_clock_ns(void);     /* CLOCK_MONOTONIC */
uint64_t cay_clock_ms(void);     /* the same in milliseconds */
int64_t cay_clock_unix_ms(void); /* CLOCK_REALTIME since 1970 */

/* RFC 3339 in UTC with milliseconds: 2026-11-21T03:04:05.678Z. */
enum { CAY_CLOCK_TEXT_MAX = 32 };
const char *cay_clock_text(int64_t unix_ms, char out[CAY_CLOCK_TEXT_MAX]);
