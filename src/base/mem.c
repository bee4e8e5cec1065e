/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation that aborts when memory is out, and string arrays on top of it. */
#include "base/mem.h"

#include <stdarg.h>
#include <string.h>

static _Noreturn void out_of_memory(size_t size)
{
	fprintf(stderr, "cay: out of memory (%zu bytes)\n", size);
	abort();
}

void *cay_alloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (!p)
		out_of_memory(size);
	return p;
}

void *cay_realloc_array(void *p, size_t count, size_t size)
{
	void *q = reallocarray(p, count ? count : 1, size ? size : 1);

	if (!q)
		out_of_memory(count);
	return q;
}

char *cay_strdup(const char *s)
{
	return cay_strndup(s, strlen(s));
}

char *cay_strndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy = cay_alloc(len + 1);

	memcpy(copy, s, len);
	return copy;
}

char *cay_format(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		out_of_memory(0);
	return s;
}

size_t cay_strv_len(const char *const *v)
{
	size_t n = 0;

	while (v && v[n])
		n++;
	return n;
}

char **cay_strv_append(char **v, const char *s)
{
	size_t n = cay_strv_len((const char *const *)v);

	v = cay_realloc_array(v, n + 2, sizeof(*v));
	v[n] = cay_strdup(s);
	v[n + 1] = NULL;
	return v;
}

char **cay_strv_copy(const char *const *v)
{
	size_t n = cay_strv_len(v);
	char **copy = cay_alloc((n + 1) * sizeof(*copy));

	for (size_t i = 0; i < n; i++)
		copy[i] = cay_strdup(v[i]);
	return copy;
}

void cay_strv_free(char **v)
{
	if (!v)
		return;
	for (size_t i = 0; v[i]; i++)
		free(v[i]);
	free(v);
}

static char **find_env(char **env, const char *name)
{
	size_t n = strlen(name);

	for (; env && *env; env++)
		if (!strncmp(*env, name, n) && (*env)[n] == '=')
			return env;
	return NULL;
}

char **cay_env_set(char **env, const char *name, const char *value)
{
	char *entry = cay_format("%s=%s", name, value);
	char **slot = find_env(env, name);

	if (!slot) {
		env = cay_strv_append(env, entry);
		free(entry);
		return env;
	}
	free(*slot);
	*slot = entry;
	return env;
}

const char *cay_env_get(const char *const *env, const char *name)
{
	/* find_env only reads; the cast lets one search serve both. */
	char **slot = find_env((char **)(uintptr_t)env, name);

	return slot ? *slot + strlen(name) + 1 : NULL;
}
