/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the server and its key, and calling it; see client.h. */
#include "cli/client.h"

#include <event2/event.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/place.h"
#include "net/url.h"

enum { KEY_MAX = 4096 };

static bool is_local(const char *url)
{
	struct cay_url u;
	struct cay_error err;

	if (cay_url_parse_server(url, &u, &err) < 0)
		return false;
	return u.is_unix || !strcmp(u.host, "localhost") || !strcmp(u.host, "::1") ||
	       cay_text_starts_with(u.host, "127.");
}

/* The key's file may be absent or not ours to read: the server then says that a key is missing. */
static char *read_key(const char *state)
{
	auto_free char *dir = state ? cay_strdup(state) : cay_place_state_dir();
	auto_free char *path = dir ? cay_format("%s/api-key", dir) : NULL;
	auto_buf struct cay_buf text;
	struct cay_error err;

	cay_buf_init(&text, KEY_MAX);
	if (!path || cay_fd_read_file(path, &text, &err) < 0)
		return NULL;
	return cay_strndup(text.data, strcspn(text.data, "\r\n"));
}

static void set_key(struct cay_client *c, const char *state)
{
	const char *given = getenv("CAY_API_KEY");
	auto_free char *key = NULL;

	if (given && *given)
		key = cay_strdup(given);
	else if (is_local(c->url))
		key = read_key(state);
	if (key && *key)
		cay_endpoint_set(c->endpoint, "X-API-Key", key);
}

int cay_client_open(const struct cay_common *common, struct cay_client *ret, struct cay_error *err)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct cay_client c = {.url = common->server};

	sigaction(SIGPIPE, &ignore, NULL);
	c.base = event_base_new();
	if (!c.base)
		return cay_fail(err, CAY_E_SYSTEM, errno, "cannot make an event loop");
	if (cay_endpoint_create(c.base, c.url, &c.endpoint, err) < 0) {
		cay_client_close(&c);
		return cay_fail_in(err, "--server %.60s", common->server);
	}
	set_key(&c, common->state);
	*ret = c;
	return 0;
}

void cay_client_close(struct cay_client *c)
{
	cay_endpoint_destroy(c->endpoint);
	if (c->base)
		event_base_free(c->base);
	*c = (struct cay_client){};
}

char *cay_client_target(const char *sandbox, const char *fmt, ...)
{
	auto_buf struct cay_buf name;
	auto_free char *rest = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&rest, fmt, ap) < 0)
		abort();
	va_end(ap);
	cay_buf_init(&name, 4096);
	cay_url_encode(sandbox, false, &name);
	return cay_format("/v1/sandboxes/%s%s", name.data, rest);
}

int cay_client_advise(const struct cay_client *c, struct cay_error *err)
{
	if (err->hint[0])
		return -1;
	if (err->code == CAY_E_UNAUTHORIZED)
		return cay_fail_hint(err, "set CAY_API_KEY to the server's key, or --state to the "
					  "folder that holds its file api-key");
	if (err->code == CAY_E_UNAVAILABLE && err->sys) {
		int sys = err->sys;

		cay_fail(err, CAY_E_UNAVAILABLE, sys, "cannot reach %s", c->url);
		return cay_fail_hint(err, "start it with: cay serve (another server: --server URL "
					  "or CAY_URL)");
	}
	return -1;
}

int cay_client_json(struct cay_client *c, const char *method, const char *target, json_t *body,
		    json_t **ret, struct cay_error *err)
{
	json_t *answer = NULL;

	if (cay_endpoint_json(c->endpoint, method, target, body, CAY_CLIENT_TIMEOUT_MS, &answer,
			      err) < 0)
		return cay_client_advise(c, err);
	if (ret)
		*ret = answer;
	else
		json_decref(answer);
	return 0;
}

int cay_client_fail(const struct cay_client *c, int status, const void *body, size_t n,
		    struct cay_error *err)
{
	const char *code = NULL, *message = NULL, *hint = NULL;
	auto_json json_t *shape = NULL;
	struct cay_error bad;

	if (n && cay_json_parse(body, n, &shape, &bad) == 0)
		json_unpack(shape, "{s:{s?s, s?s, s?s}}", "error", "code", &code, "message",
			    &message, "hint", &hint);
	if (!message)
		return cay_fail(err, CAY_E_UNAVAILABLE, 0, "the server answered with status %d",
				status);
	cay_fail(err, cay_error_from_text(code ? code : ""), 0, "%s", message);
	if (err->code == CAY_OK)
		err->code = CAY_E_INTERNAL;
	if (hint)
		cay_fail_hint(err, "%s", hint);
	return cay_client_advise(c, err);
}
