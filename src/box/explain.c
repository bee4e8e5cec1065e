/* SPDX-License-Identifier: Apache-2.0 */
/* The plan for people and programs. */
#include <jansson.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "box/plan.h"

static int make_plan(const struct cay_box_spec *spec, struct cay_plan *ret, struct cay_host *host,
		     struct cay_error *err)
{
	if (cay_box_spec_check(spec, err) < 0)
		return -1;
	cay_host_read(spec->net == CAY_BOX_NET_HOST, host);
	return cay_plan_build(spec, host, true, ret, err);
}

/* Contents of files are long and many-lined; the plan says that there is one, not what. */
static const char *shown_source(const struct cay_step *step)
{
	return step->kind == CAY_STEP_FILE ? NULL : step->source;
}

static void print_step(const struct cay_step *step, struct cay_buf *out)
{
	const char *source = shown_source(step);
	size_t start = out->len;

	cay_buf_printf(out, "%-18s", cay_step_name(step->kind));
	if (step->target)
		cay_text_quote(out, step->target, strlen(step->target), 200);
	if (source && (!step->target || strcmp(source, step->target) != 0)) {
		cay_buf_puts(out, step->target ? " <- " : "");
		cay_text_quote(out, source, strlen(source), 200);
	}
	do
		cay_buf_putc(out, ' ');
	while (out->len - start < 52 && !out->overflow);
	cay_buf_printf(out, "# %s\n", step->reason);
}

int cay_box_explain(const struct cay_box_spec *spec, struct cay_buf *out, struct cay_error *err)
{
	struct cay_host host = {};
	struct cay_plan plan;

	if (make_plan(spec, &plan, &host, err) < 0)
		return -1;
	for (size_t i = 0; i < plan.n; i++)
		print_step(&plan.steps[i], out);
	cay_host_fini(&host);
	if (out->overflow)
		return cay_fail(err, CAY_E_LIMIT, 0, "the plan does not fit into %zu bytes",
				out->max);
	return 0;
}

int cay_box_explain_json(const struct cay_box_spec *spec, json_t **ret, struct cay_error *err)
{
	struct cay_host host = {};
	struct cay_plan plan;
	json_t *list;

	if (make_plan(spec, &plan, &host, err) < 0)
		return -1;
	list = json_array();
	for (size_t i = 0; i < plan.n; i++) {
		const struct cay_step *step = &plan.steps[i];
		const char *source = shown_source(step);
		json_t *object = json_object();

		json_object_set_new(object, "step", json_string(cay_step_name(step->kind)));
		if (source)
			json_object_set_new(object, "source", json_string(source));
		if (step->target)
			json_object_set_new(object, "target", json_string(step->target));
		json_object_set_new(object, "reason", json_string(step->reason));
		json_array_append_new(list, object);
	}
	cay_host_fini(&host);
	*ret = json_pack("{s:o}", "steps", list);
	return 0;
}
