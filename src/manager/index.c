/* SPDX-License-Identifier: Apache-2.0 */
/* String index on tsearch(3). */
#include "manager/index.h"

#include <search.h>
#include <string.h>

#include "base/mem.h"

struct index_entry {
	const char *key;
	void *value;
};

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct index_entry *)a)->key, ((const struct index_entry *)b)->key);
}

void *cay_index_find(const struct cay_index *index, const char *key)
{
	struct index_entry wanted = {.key = key};
	struct index_entry *const *node = tfind(&wanted, &index->root, compare);

	return node ? (*node)->value : NULL;
}

void cay_index_add(struct cay_index *index, const char *key, void *value)
{
	struct index_entry *e = cay_alloc(sizeof(*e));

	*e = (struct index_entry){.key = key, .value = value};
	tsearch(e, &index->root, compare);
}

void cay_index_remove(struct cay_index *index, const char *key)
{
	struct index_entry wanted = {.key = key};
	struct index_entry *const *node = tfind(&wanted, &index->root, compare);
	struct index_entry *e = node ? *node : NULL;

	if (!e)
		return;
	tdelete(e, &index->root, compare);
	free(e);
}
