/* SPDX-License-Identifier: Apache-2.0 */
/* From JSON to what the manager is asked for. The tables below document the body. */
#include "api/create_input.h"

#include <ctype.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/path.h"
#include "base/text.h"
#include "box/box.h"

struct body {
	const char *runtime, *name;
	json_t *env, *resources, *network, *workspace, *labels;
	double timeout_s;
};

static const struct cay_json_field body_fields[] = {
	CAY_JSON_FIELD(struct body, runtime, CAY_JSON_STRING, .max = 64),
	CAY_JSON_FIELD(struct body, name, CAY_JSON_STRING, .max = 255),
	CAY_JSON_FIELD(struct body, env, CAY_JSON_MAP, .max = CAY_CREATE_ENV_MAX),
	CAY_JSON_FIELD(struct body, resources, CAY_JSON_OBJECT),
	CAY_JSON_FIELD(struct body, network, CAY_JSON_OBJECT),
	CAY_JSON_FIELD(struct body, workspace, CAY_JSON_OBJECT),
	CAY_JSON_FIELD(struct body, timeout_s, CAY_JSON_NUMBER, .min = 0.001,
		       .max = CAY_CREATE_TIMEOUT_MAX_S),
	CAY_JSON_FIELD(struct body, labels, CAY_JSON_MAP, .max = CAY_CREATE_LABELS_MAX),
};

struct resources {
	double cpus;
	int64_t memory_mb, pids;
};

static const struct cay_json_field resources_fields[] = {
	CAY_JSON_FIELD(struct resources, cpus, CAY_JSON_NUMBER, .min = 0.01,
		       .max = CAY_BOX_CPUS_MAX),
	CAY_JSON_FIELD(struct resources, memory_mb, CAY_JSON_INT, .min = CAY_BOX_MEMORY_MIN_MB,
		       .max = CAY_BOX_MEMORY_MAX_MB),
	CAY_JSON_FIELD(struct resources, pids, CAY_JSON_INT, .min = CAY_BOX_PIDS_MIN,
		       .max = CAY_BOX_PIDS_MAX),
};

struct network {
	const char *mode;
};

static const struct cay_json_field network_fields[] = {
	CAY_JSON_FIELD(struct network, mode, CAY_JSON_STRING, .required = true, .max = 64),
};

struct workspace {
	const char *path, *mode;
};

static const struct cay_json_field workspace_fields[] = {
	CAY_JSON_FIELD(struct workspace, path, CAY_JSON_STRING, .required = true),
	CAY_JSON_FIELD(struct workspace, mode, CAY_JSON_STRING, .max = 64),
};

/* Parts of the API's design that this version cannot do: said, rather than ignored or called
 * unknown. */
static const struct {
	const char *object, *field, *sentence;
} unsupported[] = {
	{NULL, "hostname", "the host name inside a sandbox is its id"},
	{NULL, "image", "images are not supported; a sandbox shows the host's programs"},
	{NULL, "on_timeout", "a sandbox whose timeout_s is over is destroyed"},
	{NULL, "template", "templates are not supported"},
	{"network", "allow", "network rules are not supported; use mode 'none' or 'host'"},
	{"network", "deny", "network rules are not supported; use mode 'none' or 'host'"},
	{"resources", "disk_mb", "disk quotas are not supported"},
};

static int check_unsupported(const json_t *obj, const char *object, struct cay_error *err)
{
	for (size_t i = 0; i < CAY_LEN(unsupported); i++) {
		const json_t *v = json_object_get(obj, unsupported[i].field);
		bool here = object && unsupported[i].object ? !strcmp(object, unsupported[i].object)
							    : object == unsupported[i].object;

		if (here && v && !json_is_null(v)) {
			cay_fail(err, CAY_E_UNSUPPORTED, 0, "field '%s%s%s' is not supported: %s",
				 object ? object : "", object ? "." : "", unsupported[i].field,
				 unsupported[i].sentence);
			return cay_fail_hint(err, "leave it out");
		}
	}
	return 0;
}

static int decode_resources(const json_t *j, struct cay_machine_spec *m, struct cay_error *err)
{
	struct resources in = {};

	if (!j)
		return 0;
	if (check_unsupported(j, "resources", err) < 0 ||
	    cay_json_decode(j, resources_fields, CAY_LEN(resources_fields), &in, "resources.", 0,
			    err) < 0)
		return -1;
	m->cpus = in.cpus;
	m->memory_bytes = (uint64_t)in.memory_mb << 20;
	m->pids = (uint64_t)in.pids;
	return 0;
}

static int decode_network(const json_t *j, struct cay_machine_spec *m, struct cay_error *err)
{
	struct network in = {};

	if (!j)
		return 0;
	if (check_unsupported(j, "network", err) < 0 ||
	    cay_json_decode(j, network_fields, CAY_LEN(network_fields), &in, "network.", 0, err) <
		    0)
		return -1;
	if (!strcmp(in.mode, "none")) {
		m->net = CAY_MACHINE_NET_NONE;
	} else if (!strcmp(in.mode, "host")) {
		m->net = CAY_MACHINE_NET_HOST;
	} else if (!strcmp(in.mode, "filtered")) {
		return cay_fail(err, CAY_E_UNSUPPORTED, 0,
				"network mode 'filtered' is not supported; use 'none' or 'host'");
	} else {
		return cay_fail(err, CAY_E_INVALID, 0,
				"field 'network.mode' must be 'none' or 'host', got '%.40s'",
				in.mode);
	}
	return 0;
}

static int check_folder(const char *path, struct cay_error *err)
{
	struct stat st;

	if (cay_path_check_absolute(path, strlen(path), "workspace.path", err) < 0)
		return -1;
	if (stat(path, &st) < 0) {
		cay_fail(err, CAY_E_INVALID, errno, "workspace '%.200s'", path);
		return cay_fail_hint(err, "workspace.path is a folder of the server's host; make "
					  "it first");
	}
	if (!S_ISDIR(st.st_mode))
		return cay_fail(err, CAY_E_INVALID, 0, "workspace '%.200s' is not a folder", path);
	return 0;
}

static int decode_workspace(const json_t *j, struct cay_machine_spec *m, struct cay_error *err)
{
	struct workspace in = {.mode = "rw"};

	if (!j)
		return 0;
	if (cay_json_decode(j, workspace_fields, CAY_LEN(workspace_fields), &in, "workspace.", 0,
			    err) < 0)
		return -1;
	if (!strcmp(in.mode, "cow"))
		return cay_fail(err, CAY_E_UNSUPPORTED, 0,
				"workspace mode 'cow' is not supported; use 'rw' or 'ro'");
	if (strcmp(in.mode, "rw") != 0 && strcmp(in.mode, "ro") != 0)
		return cay_fail(err, CAY_E_INVALID, 0,
				"field 'workspace.mode' must be 'rw' or 'ro', got '%.40s'",
				in.mode);
	if (check_folder(in.path, err) < 0)
		return -1;
	m->workspace = in.path;
	m->workspace_read_only = !strcmp(in.mode, "ro");
	return 0;
}

static int check_env(json_t *env, struct cay_error *err)
{
	const char *name;
	json_t *value;

	json_object_foreach (env, name, value) {
		const char *p = name;

		for (; isalnum((unsigned char)*p) || *p == '_'; p++)
			;
		if (*p || p == name || isdigit((unsigned char)*name)) {
			cay_fail(err, CAY_E_INVALID, 0, "field 'env' has the bad name '%.60s'",
				 name);
			return cay_fail_hint(err, "names are letters, digits and '_', and do not "
						  "begin with a digit");
		}
	}
	return 0;
}

static bool is_label_key(const char *key)
{
	size_t n = strlen(key);

	return n >= 1 && n <= CAY_CREATE_LABEL_KEY_MAX &&
	       strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/") ==
		       n;
}

static int check_labels(json_t *labels, struct cay_error *err)
{
	const char *key;
	json_t *value;

	json_object_foreach (labels, key, value) {
		if (!is_label_key(key)) {
			cay_fail(err, CAY_E_INVALID, 0, "field 'labels' has the bad key '%.60s'",
				 key);
			return cay_fail_hint(err,
					     "keys are 1 to %d letters, digits, '_', '.', '-' "
					     "and '/'",
					     CAY_CREATE_LABEL_KEY_MAX);
		}
		if (json_string_length(value) > CAY_CREATE_LABEL_VALUE_MAX)
			return cay_fail(err, CAY_E_INVALID, 0, "label '%s' is longer than %d bytes",
					key, CAY_CREATE_LABEL_VALUE_MAX);
	}
	return 0;
}

int cay_create_input_decode(const json_t *body, struct cay_sandbox_spec *ret, struct cay_error *err)
{
	struct body in = {};
	struct cay_sandbox_spec spec = {};

	if (body && check_unsupported(body, NULL, err) < 0)
		return -1;
	if (body && cay_json_decode(body, body_fields, CAY_LEN(body_fields), &in, "", 0, err) < 0)
		return -1;
	if (in.name && cay_text_name(in.name, "field 'name'", err) < 0)
		return -1;
	if (check_env(in.env, err) < 0 || check_labels(in.labels, err) < 0)
		return -1;
	if (decode_resources(in.resources, &spec.machine, err) < 0 ||
	    decode_network(in.network, &spec.machine, err) < 0 ||
	    decode_workspace(in.workspace, &spec.machine, err) < 0)
		return -1;
	spec.runtime = in.runtime;
	spec.name = in.name;
	spec.labels = in.labels;
	spec.machine.env = in.env;
	spec.timeout_ms = (uint64_t)(in.timeout_s * 1000);
	*ret = spec;
	return 0;
}

int cay_create_input_check_key(const char *key, struct cay_error *err)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < n; i++)
		if (key[i] < ' ' || key[i] > '~')
			return cay_fail(err, CAY_E_INVALID, 0,
					"header Idempotency-Key must be printable ASCII");
	if (n < 1 || n > CAY_CREATE_KEY_MAX)
		return cay_fail(err, CAY_E_INVALID, 0,
				"header Idempotency-Key has %zu characters; 1 to %d are allowed", n,
				CAY_CREATE_KEY_MAX);
	return 0;
}
