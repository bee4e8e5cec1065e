/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of a program: one line an event on stderr, as text or as JSON. Only programs log (api/,
 * cli/, bin/, manager/); libraries return errors. Values from outside are quoted by the caller's
 * format being passed through cay_text_quote here: control characters never reach the terminal.
 * Secrets are never passed in.
 */
#pragma once

#include "base/macro.h"

enum cay_log_level {
	CAY_LOG_ERROR,
	CAY_LOG_WARN,
	CAY_LOG_INFO,
	CAY_LOG_DEBUG,
};

void cay_log_setup(enum cay_log_level level, bool as_json);

/* area: "manager", "http", ...; no newline at the end of fmt. */
void cay_log(enum cay_log_level level, const char *area, const char *fmt, ...) CAY_PRINTF(3, 4);
