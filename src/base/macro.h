/* SPDX-License-Identifier: Apache-2.0 */
/* Language helpers that every file may use: scope cleanup, ownership hand-over, array sizes. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CAY_LEN(array) (sizeof(array) / sizeof((array)[0]))
#define CAY_MIN(a, b)  ((a) < (b) ? (a) : (b))
#define CAY_MAX(a, b)  ((a) > (b) ? (a) : (b))

#define CAY_PRINTF(fmt_index, args_index) __attribute__((format(printf, fmt_index, args_index)))
#define CAY_NODISCARD                     __attribute__((warn_unused_result))
#define CAY_UNUSED                        __attribute__((unused))

/* The object that contains `member` at `ptr`. */
#define CAY_CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void cay_cleanup_free(void *p)
{
	free(*(void **)p);
}

/* Keeps errno: a failing function may close on its way out and still report why it failed. */
static inline void cay_cleanup_close(const int *fd)
{
	if (*fd >= 0) {
		int saved = errno;

		close(*fd);
		errno = saved;
	}
}

static inline void cay_cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

/* Scope ownership: released when the variable goes out of scope. */
#define auto_free   __attribute__((cleanup(cay_cleanup_free)))
#define auto_close  __attribute__((cleanup(cay_cleanup_close)))
#define auto_fclose __attribute__((cleanup(cay_cleanup_fclose)))

/* Ownership leaves this scope, visibly. */
#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int taken_ = (fd);                                                                 \
		(fd) = -1;                                                                         \
		taken_;                                                                            \
	})
#define TAKE_PTR(ptr)                                                                              \
	({                                                                                         \
		__auto_type taken_ = (ptr);                                                        \
		(ptr) = NULL;                                                                      \
		taken_;                                                                            \
	})
