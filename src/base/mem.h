/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation that cannot fail, for sizes that we choose ourselves: running out aborts with a
 * message. A size that comes from outside is bounded by a declared limit before it reaches these
 * functions.
 */
#pragma once

#include "base/macro.h"

void *cay_alloc(size_t size) __attribute__((malloc, returns_nonnull)); /* zeroed */
void *cay_realloc_array(void *p, size_t count, size_t size) __attribute__((returns_nonnull));
char *cay_strdup(const char *s) __attribute__((malloc, returns_nonnull));
char *cay_strndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
char *cay_format(const char *fmt, ...) CAY_PRINTF(1, 2) __attribute__((malloc, returns_nonnull));

/* A NULL-terminated array of owned strings (argv, environment). */
char **cay_strv_append(char **v, const char *s); /* copies s; returns the new array */
char **cay_strv_copy(const char *const *v);
size_t cay_strv_len(const char *const *v);
void cay_strv_free(char **v);

/* Sets NAME=value in an environment array, replacing an older value. Returns the new array. */
char **cay_env_set(char **env, const char *name, const char *value);
const char *cay_env_get(const char *const *env, const char *name);

static inline void cay_cleanup_strv(char ***v)
{
	cay_strv_free(*v);
}
#define auto_strv __attribute__((cleanup(cay_cleanup_strv)))
