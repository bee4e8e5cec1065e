/* SPDX-License-Identifier: Apache-2.0 */
/* Text that claims to be bash: the ranges are in order, inside the text, and without white space at
 * their ends. */
#include <string.h>

#include "agent/bash_split.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *text = (const char *)data;
	struct cay_bash_split s;
	size_t end = 0;

	cay_bash_split(text, n, &s);
	MUST(s.result == CAY_BASH_COMPLETE ? s.n_ended == s.n : s.n == 1);
	for (size_t i = 0; i < s.n; i++) {
		MUST(s.commands[i].start >= end && s.commands[i].end <= n);
		MUST(s.commands[i].start <= s.commands[i].end);
		end = s.commands[i].end;
		if (end > s.commands[i].start)
			MUST(!strchr(" \t\r\n", text[end - 1]) || !text[end - 1]);
	}
	cay_bash_split_fini(&s);
	return 0;
}
