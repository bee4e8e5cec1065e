/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streaming multipart/form-data reader (RFC 7578): feed bytes as they come, get parts as they come;
 * memory stays flat however large a part is. Limits: boundary 70 characters, part head 8 KiB, 100
 * parts.
 */
#pragma once

#include "base/error.h"

struct cay_multipart;

struct cay_multipart_part {
	const char *name;     /* of the form field; never NULL */
	const char *filename; /* NULL where it is no file; as sent, checked for NUL and '/' by the
				 caller */
	const char *content_type; /* NULL if absent */
};

struct cay_multipart_ops {
	int (*on_part)(const struct cay_multipart_part *part, void *arg, struct cay_error *err);
	int (*on_data)(const void *data, size_t n, void *arg, struct cay_error *err);
	int (*on_part_end)(void *arg, struct cay_error *err);
};

/* content_type: the request's header, from which the boundary is read. */
int cay_multipart_create(const char *content_type, const struct cay_multipart_ops *ops, void *arg,
			 struct cay_multipart **ret, struct cay_error *err) CAY_NODISCARD;
int cay_multipart_feed(struct cay_multipart *m, const void *data, size_t n,
		       struct cay_error *err) CAY_NODISCARD;
/* The body has ended: INVALID unless the closing boundary has been seen. */
int cay_multipart_finish(struct cay_multipart *m, struct cay_error *err) CAY_NODISCARD;
void cay_multipart_destroy(struct cay_multipart *m);
