/* SPDX-License-Identifier: Apache-2.0 */
/* Starting and forgetting a process in a sandbox. How it is connected to us: stream.c, attach.c. */
#include "cli/remote.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/terminal.h"

json_t *cay_remote_body(const struct cay_remote_spec *spec)
{
	json_t *body = json_object(), *argv = json_array(), *env = json_object();

	for (char *const *a = spec->argv; *a; a++)
		json_array_append_new(argv, cay_json_bytes(*a, strlen(*a)));
	json_object_set_new(body, "command", argv);
	for (char *const *e = spec->env; e && *e; e++) {
		size_t n = strcspn(*e, "=");
		auto_free char *name = cay_strndup(*e, n);
		const char *value = *e + n + 1;

		json_object_set_new(env, name, cay_json_bytes(value, strlen(value)));
	}
	json_object_set_new(body, "env", env);
	if (spec->cwd)
		json_object_set_new(body, "cwd", json_string(spec->cwd));
	if (spec->timeout_ms)
		json_object_set_new(body, "timeout_s", json_real((double)spec->timeout_ms / 1e3));
	return body;
}

int cay_remote_start(struct cay_client *c, const char *sandbox, const struct cay_remote_spec *spec,
		     struct cay_remote *ret, struct cay_error *err)
{
	auto_free char *target = cay_client_target(sandbox, "/processes");
	json_t *body = cay_remote_body(spec);
	auto_json json_t *answer = NULL;
	unsigned rows, cols;
	json_int_t pid;

	json_object_set_new(body, "lossless", json_true());
	if (spec->tty) {
		cay_terminal_get_size(&rows, &cols);
		json_object_set_new(body, "pty",
				    json_pack("{s:i, s:i}", "rows", (int)rows, "cols", (int)cols));
	} else if (spec->stdin_open) {
		json_object_set_new(body, "stdin", json_true());
	}
	if (cay_client_json(c, "POST", target, body, &answer, err) < 0)
		return -1;
	pid = json_integer_value(json_object_get(answer, "pid"));
	if (pid <= 0)
		return cay_fail(err, CAY_E_INTERNAL, 0, "the server's answer names no process");
	*ret = (struct cay_remote){.client = c, .sandbox = sandbox, .stdin_open = spec->stdin_open};
	ret->target = cay_format("%s/%lld", target, (long long)pid);
	return 0;
}

void cay_remote_forget(struct cay_remote *p)
{
	struct cay_error ignored;

	if (p->target && cay_client_json(p->client, "DELETE", p->target, NULL, NULL, &ignored) < 0)
		ignored.code = CAY_OK; /* the sandbox may be gone, and the process with it */
	free(p->target);
	p->target = NULL;
}
