/* SPDX-License-Identifier: Apache-2.0 */
/* The actions "read" and "write": files as lines of text, as Python opens them. */
#pragma once

#include "agent/api/openhands_event.h"

struct cay_service;

/* The observation, or NULL where the original answers 500: then *detail holds its text. `cwd` is
 * where relative paths begin. */
json_t *cay_oh_read(const struct cay_service *s, const char *cwd, const struct cay_oh_action *a,
		    struct cay_buf *detail);
json_t *cay_oh_write(const struct cay_service *s, const char *cwd, const struct cay_oh_action *a,
		     struct cay_buf *detail);

/* The same as read for impl_source "oh_aci": a file with numbered lines, or a folder two levels
 * deep; errors are in the content. */
json_t *cay_oh_view(const struct cay_service *s, const struct cay_oh_action *a);

enum { CAY_OH_FILE_MAX = 32 << 20 }; /* bytes read into memory */

/* A regular file's bytes. -1 with errno; EISDIR, EFBIG and ENODEV (neither file nor folder) too. */
int cay_oh_load(const struct cay_service *s, const char *path, struct cay_buf *out);

/* In place: "\r\n" and "\r" become "\n", as in Python's text mode. */
void cay_oh_unify_newlines(struct cay_buf *b);
