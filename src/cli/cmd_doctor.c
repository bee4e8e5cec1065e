/* SPDX-License-Identifier: Apache-2.0 */
/* cay doctor: what this machine can do for a sandbox, tried out, and how to get the rest. */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "box/box.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/place.h"

enum { ROWS_MAX = 64 };

static const char *status_of(const struct cay_box_probe *row)
{
	return row->ok ? "ok" : row->required ? "missing" : "lost";
}

static void print_json(const struct cay_box_probe *rows, size_t n, const char *level)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_pack("{s:s, s:b, s:b, s:s, s:s}", "feature",
						      rows[i].feature, "ok", rows[i].ok, "required",
						      rows[i].required, "detail", rows[i].detail,
						      "fix", rows[i].fix));
	cay_output_json(json_pack("{s:s, s:s, s:o}", "version", CAY_VERSION, "level", level,
				  "features", list));
}

static void print_table(const struct cay_box_probe *rows, size_t n, const char *level)
{
	static const char *const heads[] = {"FEATURE", "STATE", "DETAIL", NULL};
	struct cay_table *t = cay_table_create(heads);

	for (size_t i = 0; i < n; i++) {
		cay_table_add(t, rows[i].feature, CAY_STYLE_PLAIN);
		cay_table_add(t, status_of(&rows[i]),
			      rows[i].ok         ? CAY_STYLE_GOOD
			      : rows[i].required ? CAY_STYLE_BAD
						 : CAY_STYLE_WARN);
		cay_table_add(t, rows[i].detail, CAY_STYLE_PLAIN);
	}
	cay_table_print(t);
	cay_table_destroy(t);
	for (size_t i = 0; i < n; i++)
		if (!rows[i].ok && rows[i].fix[0])
			printf("\n%s%s:%s %s\n", cay_output_style(stdout, CAY_STYLE_BOLD),
			       rows[i].feature, cay_output_style_end(stdout), rows[i].fix);
	printf("\nIsolation level: %s\n", level);
}

static int run(void *arg, char **operands CAY_UNUSED, struct cay_error *err)
{
	const struct cay_common *common = arg;
	struct cay_box_probe *rows = cay_alloc(ROWS_MAX * sizeof(*rows));
	auto_free char *cache_dir = NULL;
	bool full = true;
	size_t n;

	if (cay_place_make_cache_dir(&cache_dir, err) < 0) {
		free(rows);
		return -1;
	}
	n = cay_box_probe(cache_dir, rows, ROWS_MAX);
	for (size_t i = 0; i < n; i++)
		full = full && (rows[i].ok || !rows[i].required);
	(common->json ? print_json : print_table)(rows, n, full ? "full" : "unavailable");
	free(rows);
	return full ? 0 : cay_error_exit_status(CAY_E_UNSUPPORTED);
}

static const struct cay_example examples[] = {
	{"cay doctor", "as a table, with the command that lifts each restriction"},
	{"cay doctor --json | jq -r .level", "for a script"},
	{},
};

const struct cay_command cay_cmd_doctor = {
	.name = "doctor",
	.summary = "try what this machine can do, and say how to get the rest",
	.operands = "",
	.description = "Each feature is tried, not guessed from version numbers. \"missing\" means "
		       "that there is no sandbox without it; \"lost\" says what sandboxes go "
		       "without. The exit status is 0 if sandboxes of level full can be made.",
	.examples = examples,
	.size = sizeof(struct cay_common),
	.run = run,
};
