/* SPDX-License-Identifier: Apache-2.0 */
/* A map from strings to objects (a balanced tree, tsearch(3)). Keys are borrowed: they live in the
 * objects, and an object leaves the index before its key is freed. */
#pragma once

#include "base/macro.h"

struct cay_index {
	void *root;
};

void *cay_index_find(const struct cay_index *index, const char *key);      /* NULL if absent */
void cay_index_add(struct cay_index *index, const char *key, void *value); /* key is new */
void cay_index_remove(struct cay_index *index, const char *key);           /* absent is fine */
