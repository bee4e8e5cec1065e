/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system call filter (seccomp(2)). Its rules are the table seccomp_rules.def: an allow-list,
 * where what is not named answers ENOSYS, so that programs fall back as on an older kernel. The
 * program is made at build time by tools/gen_seccomp.c as a balanced binary tree: the kernel runs a
 * filter once per system call number when it is installed (to fill its cache of constant answers),
 * so depth, not length, is what the installation costs.
 */
#pragma once

#include <linux/filter.h>

#include "base/error.h"

/* The filter of this build's architecture; static. */
const struct sock_filter *cay_seccomp_program(size_t *ret_n);

/* Installs it for the caller and all its future children, for good. Needs no_new_privs. */
int cay_seccomp_install(struct cay_error *err) CAY_NODISCARD;
