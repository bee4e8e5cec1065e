/* SPDX-License-Identifier: Apache-2.0 */
/* Random identifiers and keys, from getrandom(2). Lower-case letters and digits without the ones
 * that are easily confused (0 o 1 l), so that an id can be read aloud, used in a path and as a host
 * name. */
#pragma once

#include "base/macro.h"

enum {
	CAY_ID_LEN = 12,  /* 59 bits: unique, not secret */
	CAY_KEY_LEN = 40, /* 198 bits: a secret */
};

void cay_id_random(char *out, size_t n); /* n characters and a NUL */
void cay_random_bytes(void *out, size_t n);
