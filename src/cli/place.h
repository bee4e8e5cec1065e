/* SPDX-License-Identifier: Apache-2.0 */
/* Where our other programs are, beside this user's folders (base/place.h). */
#pragma once

#include "base/place.h"

/* One of our programs ("cay-server"): beside this executable, in ../libexec/cay, or in PATH. Owned
 * text. */
int cay_place_find_program(const char *name, char **ret, struct cay_error *err) CAY_NODISCARD;
