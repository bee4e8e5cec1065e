/* SPDX-License-Identifier: Apache-2.0 */
/* The body of POST /v1/sandboxes, strictly checked: types, ranges, names, the workspace folder. */
#pragma once

#include "manager/manager.h"

enum {
	CAY_CREATE_TIMEOUT_MAX_S = 30 * 24 * 3600,
	CAY_CREATE_ENV_MAX = 500,
	CAY_CREATE_LABELS_MAX = 64,
	CAY_CREATE_LABEL_KEY_MAX = 63,
	CAY_CREATE_LABEL_VALUE_MAX = 255,
	CAY_CREATE_KEY_MAX = 255, /* Idempotency-Key */
};

/* Fills ret from body (NULL: all defaults); its pointers are borrowed from body. INVALID with the
 * field's name, or UNSUPPORTED for what the design has and this version has not. */
int cay_create_input_decode(const json_t *body, struct cay_sandbox_spec *ret,
			    struct cay_error *err) CAY_NODISCARD;

int cay_create_input_check_key(const char *idempotency_key, struct cay_error *err) CAY_NODISCARD;
