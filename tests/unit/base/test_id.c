/* SPDX-License-Identifier: Apache-2.0 */
#include "base/id.h"

#include <ctype.h>

#include "base/text.h"
#include "tap.h"

static void makes_names(void)
{
	struct cay_error err = {};
	char a[CAY_ID_LEN + 1], b[CAY_ID_LEN + 1];

	for (int i = 0; i < 1000; i++) {
		cay_id_random(a, CAY_ID_LEN);
		cay_id_random(b, CAY_ID_LEN);
		CHECK(cay_text_name(a, "id", &err) == 0);
		CHECK(isalpha((unsigned char)a[0]));
		CHECK(strcmp(a, b) != 0);
	}
}

TAP_MAIN({"makes_names", makes_names})
