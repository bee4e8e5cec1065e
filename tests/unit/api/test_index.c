/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/index.h"

#include "base/mem.h"
#include "tap.h"

static void finds_what_was_added(void)
{
	struct cay_index index = {};
	char *keys[500];

	for (int i = 0; i < 500; i++) {
		keys[i] = cay_format("key%d", i * 7919 % 500);
		cay_index_add(&index, keys[i], &keys[i]);
	}
	for (int i = 0; i < 500; i++)
		CHECK(cay_index_find(&index, keys[i]) == &keys[i]);
	CHECK(!cay_index_find(&index, "key500"));
	for (int i = 0; i < 500; i += 2)
		cay_index_remove(&index, keys[i]);
	cay_index_remove(&index, "absent");
	for (int i = 0; i < 500; i++)
		CHECK(cay_index_find(&index, keys[i]) == (i % 2 ? &keys[i] : NULL));
	for (int i = 1; i < 500; i += 2)
		cay_index_remove(&index, keys[i]);
	CHECK(!index.root);
	for (int i = 0; i < 500; i++)
		free(keys[i]);
}

TAP_MAIN({"finds_what_was_added", finds_what_was_added})
