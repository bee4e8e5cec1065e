/* SPDX-License-Identifier: Apache-2.0 */
/* Messages between the daemon and the launcher, to and from JSON. */
#include "box/launcher_wire.h"

#include <string.h>

#include "base/fd.h"
#include "base/json.h"

int cay_launcher_send(int sock, json_t *message, const int *fds, size_t n_fds)
{
	auto_json json_t *owned = message;
	auto_free char *text = cay_json_text(owned);
	size_t n = strlen(text);

	if (n >= CAY_LAUNCHER_TEXT_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	return cay_fd_send(sock, text, n, fds, n_fds);
}

int cay_launcher_receive(int sock, json_t **ret_message, int *fds, size_t *n_fds)
{
	auto_free char *text = malloc(CAY_LAUNCHER_TEXT_MAX);
	struct cay_error err;
	size_t n = 0;

	*n_fds = 0;
	if (!text || cay_fd_recv(sock, text, CAY_LAUNCHER_TEXT_MAX, &n, fds, n_fds) < 0)
		return -1;
	if (n == 0)
		return 0;
	if (cay_json_parse(text, n, ret_message, &err) == 0)
		return 1;
	for (size_t i = 0; i < *n_fds; i++)
		close(fds[i]);
	*n_fds = 0;
	errno = EBADMSG;
	return -1;
}

static void set_string(json_t *object, const char *name, const char *value)
{
	if (value)
		json_object_set_new(object, name, json_string(value));
}

json_t *cay_launcher_pack_spec(uint64_t tag, const struct cay_box_spec *spec, bool has_log)
{
	json_t *m = json_object();

	set_string(m, "op", "create");
	json_object_set_new(m, "tag", json_integer((json_int_t)tag));
	set_string(m, "name", spec->name);
	set_string(m, "cache_dir", spec->cache_dir);
	set_string(m, "rootfs", spec->rootfs);
	set_string(m, "workspace", spec->workspace);
	json_object_set_new(m, "workspace_read_only", json_boolean(spec->workspace_read_only));
	json_object_set_new(m, "net", json_integer(spec->net));
	json_object_set_new(m, "memory_bytes", json_integer((json_int_t)spec->memory_bytes));
	json_object_set_new(m, "pids", json_integer((json_int_t)spec->pids));
	json_object_set_new(m, "cpus", json_real(spec->cpus));
	json_object_set_new(m, "has_log", json_boolean(has_log));
	return m;
}

struct spec_fields {
	const char *name, *cache_dir, *rootfs, *workspace;
	bool workspace_read_only;
	int64_t net, memory_bytes, pids;
	double cpus;
};

int cay_launcher_unpack_spec(const json_t *message, struct cay_box_spec *ret, struct cay_error *err)
{
	static const struct cay_json_field fields[] = {
		CAY_JSON_FIELD(struct spec_fields, name, CAY_JSON_STRING, .required = true),
		CAY_JSON_FIELD(struct spec_fields, cache_dir, CAY_JSON_STRING, .required = true),
		CAY_JSON_FIELD(struct spec_fields, rootfs, CAY_JSON_STRING),
		CAY_JSON_FIELD(struct spec_fields, workspace, CAY_JSON_STRING),
		CAY_JSON_FIELD(struct spec_fields, workspace_read_only, CAY_JSON_BOOL),
		CAY_JSON_FIELD(struct spec_fields, net, CAY_JSON_INT),
		CAY_JSON_FIELD(struct spec_fields, memory_bytes, CAY_JSON_INT),
		CAY_JSON_FIELD(struct spec_fields, pids, CAY_JSON_INT),
		CAY_JSON_FIELD(struct spec_fields, cpus, CAY_JSON_NUMBER),
	};
	struct spec_fields f = {};

	if (cay_json_decode(message, fields, CAY_LEN(fields), &f, "", CAY_JSON_LENIENT, err) < 0)
		return -1;
	*ret = (struct cay_box_spec){
		.name = f.name,
		.cache_dir = f.cache_dir,
		.rootfs = f.rootfs,
		.workspace = f.workspace,
		.workspace_read_only = f.workspace_read_only,
		.net = (enum cay_box_net)f.net,
		.memory_bytes = (uint64_t)f.memory_bytes,
		.pids = (uint64_t)f.pids,
		.cpus = f.cpus,
	};
	return 0;
}

json_t *cay_launcher_pack_error(const struct cay_error *error)
{
	json_t *e = json_object();

	json_object_set_new(e, "code", json_integer(error->code));
	json_object_set_new(e, "sys", json_integer(error->sys));
	json_object_set_new(e, "msg", cay_json_bytes(error->msg, strlen(error->msg)));
	json_object_set_new(e, "hint", cay_json_bytes(error->hint, strlen(error->hint)));
	return e;
}

void cay_launcher_unpack_error(const json_t *packed, struct cay_error *ret)
{
	const char *msg = json_string_value(json_object_get(packed, "msg"));
	const char *hint = json_string_value(json_object_get(packed, "hint"));

	*ret = (struct cay_error){
		.code = (enum cay_error_code)json_integer_value(json_object_get(packed, "code")),
		.sys = (int)json_integer_value(json_object_get(packed, "sys")),
	};
	snprintf(ret->msg, sizeof(ret->msg), "%s", msg ? msg : "the launcher failed");
	snprintf(ret->hint, sizeof(ret->hint), "%s", hint ? hint : "");
}
