/* SPDX-License-Identifier: Apache-2.0 */
/* The body of POST /v1/sandboxes: whatever is accepted keeps the bounds that the engine relies on. */
#include <string.h>

#include "api/create_input.h"
#include "base/json.h"
#include "base/text.h"
#include "box/box.h"
#include "fuzz.h"

static void check(const struct cay_sandbox_spec *spec)
{
	const struct cay_machine_spec *m = &spec->machine;
	struct cay_error err;

	MUST(!spec->name || cay_text_name(spec->name, "name", &err) == 0);
	MUST(spec->timeout_ms <= CAY_CREATE_TIMEOUT_MAX_S * 1000ULL);
	MUST(!m->memory_bytes || m->memory_bytes >= (uint64_t)CAY_BOX_MEMORY_MIN_MB << 20);
	MUST(m->memory_bytes <= (uint64_t)CAY_BOX_MEMORY_MAX_MB << 20);
	MUST(m->pids <= CAY_BOX_PIDS_MAX);
	MUST(m->cpus >= 0 && m->cpus <= CAY_BOX_CPUS_MAX);
	MUST(!m->workspace || m->workspace[0] == '/');
}

/* What reaches the client is UTF-8, whatever was quoted and cut. */
static void check_error(const struct cay_error *err)
{
	auto_json json_t *shape = cay_json_error(err);
	auto_free char *text = cay_json_text(shape);

	MUST(err->msg[0] && strcmp(text, "null") != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_json json_t *body = NULL;
	struct cay_sandbox_spec spec;
	struct cay_error err;

	if (cay_json_parse((const char *)data, size, &body, &err) < 0)
		return 0;
	if (cay_create_input_decode(body, &spec, &err) == 0)
		check(&spec);
	else
		check_error(&err);
	return 0;
}
