/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include "tap.h"

static void sets_environment_entries(void)
{
	char **env = NULL;

	env = cay_env_set(env, "A", "1");
	env = cay_env_set(env, "AB", "2");
	env = cay_env_set(env, "A", "3");
	CHECK_INT(cay_strv_len((const char *const *)env), 2);
	CHECK_STR(cay_env_get((const char *const *)env, "A"), "3");
	CHECK_STR(cay_env_get((const char *const *)env, "AB"), "2");
	CHECK(cay_env_get((const char *const *)env, "B") == NULL);
	cay_strv_free(env);
}

TAP_MAIN({"sets_environment_entries", sets_environment_entries})
