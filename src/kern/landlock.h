/* SPDX-License-Identifier: Apache-2.0 */
/* Landlock (landlock(7)): here only its scopes, a second wall behind the namespaces. */
#pragma once

#include "base/error.h"

/* The kernel's Landlock ABI, 0 where there is none. */
int cay_landlock_abi(void);

/* From now on the caller and its children can neither signal processes outside of their domain nor
 * connect to abstract unix sockets made outside of it (which matters where the network namespace,
 * in which such names live, is the host's). ABI 6, Linux 6.12; *ret_scoped says whether the kernel
 * can. Needs no_new_privs. */
int cay_landlock_scope(bool *ret_scoped, struct cay_error *err) CAY_NODISCARD;
