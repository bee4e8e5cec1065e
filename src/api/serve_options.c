/* SPDX-License-Identifier: Apache-2.0 */
/* The option table of the server and its reader. */
#include "api/serve_options.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

enum {
	VALUES_MAX = 16, /* of an option that may be repeated */
	SANDBOXES_DEFAULT = 1000,
	SANDBOXES_MAX = 100000,
};

static const char default_listen[] = "127.0.0.1:7070";

static int add(char ***list, const char *what, const char *value, struct cay_error *err)
{
	if (*list && cay_strv_len((const char *const *)*list) >= VALUES_MAX)
		return cay_fail(err, CAY_E_INVALID, 0, "%s is given more than %d times", what,
				VALUES_MAX);
	*list = cay_strv_append(*list, value);
	return 0;
}

static int set_allow_host(struct cay_serve_options *o, const char *value, struct cay_error *err)
{
	if (!*value || strpbrk(value, ":/ "))
		return cay_fail(err, CAY_E_INVALID, 0,
				"--allow-host must be a host name without a port, got '%.60s'",
				value);
	return add(&o->allow_hosts, "--allow-host", value, err);
}

static int set_listen(struct cay_serve_options *o, const char *value, struct cay_error *err)
{
	char host[64];
	uint16_t port;

	if (cay_text_starts_with(value, "unix:")) {
		if (!value[5])
			return cay_fail(err, CAY_E_INVALID, 0, "--listen unix: needs a path");
	} else if (cay_serve_parse_address(value, host, &port, err) < 0) {
		return -1;
	}
	return add(&o->listen, "--listen", value, err);
}

static int set_log_format(struct cay_serve_options *o, const char *value, struct cay_error *err)
{
	o->log_json = !strcmp(value, "json");
	if (!o->log_json && strcmp(value, "text") != 0)
		return cay_fail(err, CAY_E_INVALID, 0,
				"--log-format must be text or json, got '%.40s'", value);
	return 0;
}

static int set_log_level(struct cay_serve_options *o, const char *value, struct cay_error *err)
{
	static const char *const levels[] = {"error", "warning", "info", "debug"};

	for (size_t i = 0; i < CAY_LEN(levels); i++) {
		if (!strcmp(value, levels[i])) {
			o->log_level = (enum cay_log_level)i;
			return 0;
		}
	}
	return cay_fail(err, CAY_E_INVALID, 0,
			"--log-level must be error, warning, info or debug, got '%.40s'", value);
}

static int set_max_sandboxes(struct cay_serve_options *o, const char *value, struct cay_error *err)
{
	int64_t n;

	if (cay_text_int(value, "--max-sandboxes", 1, SANDBOXES_MAX, &n, err) < 0)
		return -1;
	o->max_sandboxes = (unsigned)n;
	return 0;
}

static int set_state(struct cay_serve_options *o, const char *value, struct cay_error *err)
{
	if (!*value)
		return cay_fail(err, CAY_E_INVALID, 0, "--state needs a folder");
	free(o->state);
	o->state = cay_strdup(value);
	return 0;
}

static int set_help(struct cay_serve_options *o, const char *value, struct cay_error *err)
{
	o->help = true;
	return 0;
}

static const struct option_row {
	const char *name, *value; /* value NULL: a flag */
	int (*set)(struct cay_serve_options *o, const char *value, struct cay_error *err);
	const char *help;
} rows[] = {
	{"--allow-host", "NAME", set_allow_host, "accept this Host header too (may be repeated)"},
	{"--help", NULL, set_help, "show this help"},
	{"--listen", "WHERE", set_listen,
	 "ADDR:PORT or unix:PATH (may be repeated; default 127.0.0.1:7070; port 0: any free one)"},
	{"--log-format", "FORMAT", set_log_format, "text (default) or json"},
	{"--log-level", "LEVEL", set_log_level, "error, warning, info (default) or debug"},
	{"--max-sandboxes", "N", set_max_sandboxes, "most sandboxes alive at once (default 1000)"},
	{"--state", "DIR", set_state,
	 "state folder (default /var/lib/cay for root, else $XDG_STATE_HOME/cay or "
	 "~/.local/state/cay)"},
};

static const struct option_row *find_row(const char *arg, size_t n)
{
	for (size_t i = 0; i < CAY_LEN(rows); i++)
		if (strlen(rows[i].name) == n && !strncmp(arg, rows[i].name, n))
			return &rows[i];
	return NULL;
}

static int unknown(const char *arg, struct cay_error *err)
{
	const char *names[CAY_LEN(rows) + 1];
	const char *near;

	for (size_t i = 0; i < CAY_LEN(rows); i++)
		names[i] = rows[i].name;
	names[CAY_LEN(rows)] = NULL;
	near = cay_text_nearest(arg, names);
	cay_fail(err, CAY_E_INVALID, 0, "unknown option '%.60s'", arg);
	if (near)
		return cay_fail_hint(err, "did you mean %s?", near);
	return cay_fail_hint(err, "cay serve --help lists the options");
}

static int parse(char *const *argv, struct cay_serve_options *o, struct cay_error *err)
{
	for (; *argv; argv++) {
		size_t n = strcspn(*argv, "=");
		const struct option_row *row = find_row(*argv, n);
		const char *value = (*argv)[n] ? *argv + n + 1 : NULL;

		if (!row)
			return unknown(*argv, err);
		if (value && !row->value)
			return cay_fail(err, CAY_E_INVALID, 0, "%s takes no value", row->name);
		if (!value && row->value)
			value = *++argv;
		if (!value && row->value)
			return cay_fail(err, CAY_E_INVALID, 0, "%s needs a value (%s)", row->name,
					row->value);
		if (row->set(o, value, err) < 0)
			return -1;
	}
	if (!o->listen)
		o->listen = cay_strv_append(NULL, default_listen);
	return 0;
}

int cay_serve_options_parse(char *const *argv, struct cay_serve_options *ret, struct cay_error *err)
{
	struct cay_serve_options o = {
		.max_sandboxes = SANDBOXES_DEFAULT,
		.log_level = CAY_LOG_INFO,
	};

	if (parse(argv, &o, err) < 0) {
		cay_serve_options_fini(&o);
		return -1;
	}
	*ret = o;
	return 0;
}

void cay_serve_options_fini(struct cay_serve_options *o)
{
	cay_strv_free(o->listen);
	cay_strv_free(o->allow_hosts);
	free(o->state);
}

void cay_serve_options_help(struct cay_buf *out)
{
	cay_buf_puts(out, "Usage: cay serve [OPTION]...\n\n"
			  "Serves the HTTP API in the foreground.\n\n");
	for (size_t i = 0; i < CAY_LEN(rows); i++) {
		auto_free char *left =
			cay_format("%s %s", rows[i].name, rows[i].value ? rows[i].value : "");

		cay_buf_printf(out, "  %-22s %s\n", left, rows[i].help);
	}
	cay_buf_puts(out,
		     "\nEnvironment: CAY_API_KEY is the key that clients must send; without it "
		     "one is made\nand kept in the file api-key of the state folder.\n");
}

int cay_serve_parse_address(const char *listen, char ret_host[64], uint16_t *ret_port,
			    struct cay_error *err)
{
	unsigned char address[sizeof(struct in6_addr)];
	const char *colon = strrchr(listen, ':');
	size_t n = colon ? (size_t)(colon - listen) : 0;
	int64_t port = 0;

	if (n < 1 || n >= 64) {
		cay_fail(err, CAY_E_INVALID, 0,
			 "--listen must be ADDR:PORT or unix:PATH, got "
			 "'%.60s'",
			 listen);
		return cay_fail_hint(err, "for example %s", default_listen);
	}
	if (cay_text_int(colon + 1, "the port of --listen", 0, 65535, &port, err) < 0)
		return -1;
	if (listen[0] == '[' && listen[n - 1] == ']')
		snprintf(ret_host, 64, "%.*s", (int)n - 2, listen + 1);
	else
		snprintf(ret_host, 64, "%.*s", (int)n, listen);
	if (!strcmp(ret_host, "localhost"))
		snprintf(ret_host, 64, "127.0.0.1");
	*ret_port = (uint16_t)port;
	if (inet_pton(AF_INET, ret_host, address) == 1 ||
	    inet_pton(AF_INET6, ret_host, address) == 1)
		return 0;
	return cay_fail(err, CAY_E_INVALID, 0, "--listen needs an IP address, got '%.60s'",
			ret_host);
}
