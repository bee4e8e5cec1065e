/* SPDX-License-Identifier: Apache-2.0 */
/* A whole exchange of JSON, waiting for the answer; for the command line. */
#include <event2/event.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "net/client.h"

enum { ANSWER_MAX = 64 << 20 };

struct exchange {
	struct cay_buf answer;
	struct cay_error err;
	int status;
	bool done;
};

static void on_head(struct cay_call *call, int status, void *arg)
{
	struct exchange *x = arg;

	x->status = status;
}

static void on_data(struct cay_call *call, const void *data, size_t n, void *arg)
{
	struct exchange *x = arg;

	cay_buf_append(&x->answer, data, n);
}

static void on_done(struct cay_call *call, const struct cay_error *err, void *arg)
{
	struct exchange *x = arg;

	x->err = *err;
	x->done = true;
}

static enum cay_error_code code_of_status(int status)
{
	for (int code = CAY_OK + 1; code < CAY_E_COUNT_; code++)
		if (cay_error_http_status((enum cay_error_code)code) == status)
			return (enum cay_error_code)code;
	return status < 500 ? CAY_E_INVALID : CAY_E_UNAVAILABLE;
}

/* What the server said is wrong, in its own words. */
static int read_error(const struct exchange *x, const json_t *value, struct cay_error *err)
{
	const json_t *e = json_object_get(value, "error");
	const char *text = json_string_value(json_object_get(e, "code"));
	const char *message = json_string_value(json_object_get(e, "message"));
	const char *hint = json_string_value(json_object_get(e, "hint"));
	enum cay_error_code code = text ? cay_error_from_text(text) : CAY_OK;

	if (!message)
		return cay_fail(err, code_of_status(x->status), 0, "the server answered %d",
				x->status);
	cay_fail(err, code ? code : code_of_status(x->status), 0, "%s", message);
	return hint ? cay_fail_hint(err, "%s", hint) : -1;
}

static int read_answer(const struct exchange *x, json_t **ret, struct cay_error *err)
{
	auto_json json_t *value = NULL;
	struct cay_error parse_err;

	if (x->err.code) {
		*err = x->err;
		return -1;
	}
	if (x->answer.overflow)
		return cay_fail(err, CAY_E_LIMIT, 0, "the answer is larger than %d bytes",
				ANSWER_MAX);
	if (x->answer.len &&
	    cay_json_parse(x->answer.data, x->answer.len, &value, &parse_err) < 0 &&
	    x->status < 400)
		return cay_fail(err, CAY_E_UNAVAILABLE, 0, "the server did not answer with JSON");
	if (x->status >= 400)
		return read_error(x, value, err);
	if (ret)
		*ret = TAKE_PTR(value);
	return 0;
}

int cay_endpoint_json(struct cay_endpoint *e, const char *method, const char *target, json_t *body,
		      unsigned timeout_ms, json_t **ret, struct cay_error *err)
{
	static const struct cay_header headers[] = {{"Content-Type", "application/json"}, {}};
	auto_free char *text = body ? cay_json_text(body) : NULL;
	struct exchange x = {};
	int rc;

	json_decref(body);
	cay_buf_init(&x.answer, ANSWER_MAX);
	cay_call_start(e, &(struct cay_call_options){.method = method,
						     .target = target,
						     .headers = text ? headers : NULL,
						     .body = text,
						     .body_n = text ? strlen(text) : 0,
						     .timeout_ms = timeout_ms,
						     .on_head = on_head,
						     .on_data = on_data,
						     .on_done = on_done,
						     .arg = &x});
	while (!x.done)
		event_base_loop(cay_endpoint_base(e), EVLOOP_ONCE);
	rc = read_answer(&x, ret, err);
	cay_buf_fini(&x.answer);
	return rc;
}
