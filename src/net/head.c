/* SPDX-License-Identifier: Apache-2.0 */
/* Message heads: strict line checks, then http_parser. Knows no sockets. */
#include "net/head.h"

#include <http_parser.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"

enum {
	FIELDS_FIRST = 16,
	TEXT_FIRST = 1024,
};

void cay_head_init(struct cay_head *h, bool is_response, const struct cay_head_limits *limits)
{
	*h = (struct cay_head){
		.is_response = is_response, .method = "", .max_fields = limits->field_count};
	cay_buf_init(&h->text, limits->bytes);
}

void cay_head_fini(struct cay_head *h)
{
	cay_buf_fini(&h->text);
	free(h->fields);
	h->fields = NULL;
	h->n_fields = h->cap_fields = 0;
}

/* tchar of RFC 9110, 5.6.2. */
static bool is_token_char(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

bool cay_head_is_token(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (!is_token_char((unsigned char)*s))
			return false;
	return true;
}

static bool is_value_char(unsigned char c)
{
	return (c >= 0x20 && c != 0x7f) || c == '\t';
}

bool cay_head_is_value(const char *s)
{
	for (; *s; s++)
		if (!is_value_char((unsigned char)*s))
			return false;
	return true;
}

const char *cay_head_reason(int status)
{
	const char *reason = http_status_str((enum http_status)status);

	return strcmp(reason, "<unknown>") == 0 ? "Status" : reason;
}

/* ---- line by line ---- */

static int check_start_line(const struct cay_head *h, const char *s, size_t n,
			    struct cay_error *err)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (h->is_response ? !is_value_char(c) : c < 0x20 || c >= 0x7f)
			return cay_fail(err, CAY_E_INVALID, 0, "bad character in the %s line",
					h->is_response ? "status" : "request");
	}
	return 0;
}

static int check_field_line(const char *s, size_t n, struct cay_error *err)
{
	size_t i = 0;

	if (s[0] == ' ' || s[0] == '\t')
		return cay_fail(err, CAY_E_INVALID, 0,
				"a header folded over two lines is not allowed");
	while (i < n && is_token_char((unsigned char)s[i]))
		i++;
	if (!i || i == n || s[i] != ':')
		return cay_fail(err, CAY_E_INVALID, 0,
				"bad character in a header's name, or no colon after it");
	for (; i < n; i++)
		if (!is_value_char((unsigned char)s[i]))
			return cay_fail(err, CAY_E_INVALID, 0,
					"control character in the value of a header");
	return 0;
}

/* The line that begins at h->line and ends with the LF that is the text's last byte. */
static int end_line(struct cay_head *h, struct cay_error *err)
{
	const char *s = h->text.data + h->line;
	size_t n = h->text.len - h->line;

	if (n < 2 || s[n - 2] != '\r')
		return cay_fail(err, CAY_E_INVALID, 0, "a line must end with CR LF, not with LF");
	n -= 2;
	if (!n && !h->line) {
		cay_buf_clear(&h->text); /* RFC 9112, 2.2: empty lines before a request */
		return 0;
	}
	if (!n)
		h->complete = true;
	else if ((h->line ? check_field_line(s, n, err) : check_start_line(h, s, n, err)) < 0)
		return -1;
	h->line = h->text.len;
	return 0;
}

static int too_large(const struct cay_head *h, struct cay_error *err)
{
	if (!h->line && !h->is_response)
		return cay_fail(err, CAY_E_LIMIT, 0, "the request line is too long");
	return cay_fail(err, CAY_E_LIMIT, 0, "the headers are larger than %zu bytes together",
			h->text.max);
}

/* ---- the whole, by http_parser ---- */

struct parse {
	struct cay_head *h;
	size_t target_n;
	bool too_many;
	uint32_t *lengths; /* of names and values, in pairs like the fields */
};

static uint32_t offset_of(const struct parse *p, const char *at)
{
	return (uint32_t)(at - p->h->text.data);
}

static int on_url(http_parser *parser, const char *at, size_t n)
{
	struct parse *p = parser->data;

	p->h->target = offset_of(p, at);
	p->target_n = n;
	return 0;
}

static int on_field(http_parser *parser, const char *at, size_t n)
{
	struct parse *p = parser->data;
	struct cay_head *h = p->h;

	if (h->n_fields == h->max_fields) {
		p->too_many = true;
		return -1;
	}
	if (h->n_fields == h->cap_fields) {
		h->cap_fields = h->cap_fields ? h->cap_fields * 2 : FIELDS_FIRST;
		h->fields = cay_realloc_array(h->fields, h->cap_fields, sizeof(*h->fields));
		p->lengths = cay_realloc_array(p->lengths, h->cap_fields, 2 * sizeof(uint32_t));
	}
	p->lengths[2 * h->n_fields] = (uint32_t)n;
	p->lengths[2 * h->n_fields + 1] = 0;
	h->fields[h->n_fields++].name = offset_of(p, at);
	return 0;
}

static int on_value(http_parser *parser, const char *at, size_t n)
{
	struct parse *p = parser->data;

	while (n && (at[n - 1] == ' ' || at[n - 1] == '\t'))
		n--;
	p->h->fields[p->h->n_fields - 1].value = offset_of(p, at);
	p->lengths[2 * p->h->n_fields - 1] = (uint32_t)n;
	return 0;
}

static int on_head(http_parser *parser)
{
	struct parse *p = parser->data;

	/* What http_should_keep_alive says of an answer depends on its framing, which is ours. */
	p->h->keep_alive = parser->http_minor ? !(parser->flags & F_CONNECTION_CLOSE)
					      : !!(parser->flags & F_CONNECTION_KEEP_ALIVE);
	return 1; /* no body follows in what is parsed here */
}

/* Puts the NULs in. The value of an empty field is the end of its name: http_parser points at the
 * next line for it. */
static void cut(struct parse *p)
{
	struct cay_head *h = p->h;
	char *text = h->text.data;

	for (size_t i = 0; i < h->n_fields; i++) {
		struct cay_head_field *f = &h->fields[i];
		uint32_t name_n = p->lengths[2 * i], value_n = p->lengths[2 * i + 1];

		text[f->name + name_n] = '\0';
		if (value_n)
			text[f->value + value_n] = '\0';
		else
			f->value = f->name + name_n;
	}
	if (!h->is_response)
		text[h->target + p->target_n] = '\0';
}

/* The request line is exactly "METHOD SP target SP HTTP/1.x": http_parser takes more blanks, and
 * takes HTTP/0.9 without a version. */
static int check_request_line(const struct parse *p, const http_parser *parser, size_t line_n,
			      struct cay_error *err)
{
	size_t method_n = strlen(http_method_str((enum http_method)parser->method));

	if (parser->http_major == 1 && parser->http_minor <= 1 &&
	    line_n == method_n + 1 + p->target_n + strlen(" HTTP/1.1\r\n") &&
	    p->h->target == method_n + 1)
		return 0;
	cay_fail(err, CAY_E_INVALID, 0, "the request line is malformed or not of HTTP/1.1");
	return cay_fail_hint(err, "it reads: METHOD /path HTTP/1.1");
}

static int parse_failed(const struct parse *p, const http_parser *parser, struct cay_error *err)
{
	if (p->too_many)
		return cay_fail(err, CAY_E_LIMIT, 0, "more than %zu headers", p->h->max_fields);
	if (HTTP_PARSER_ERRNO(parser) == HPE_HEADER_OVERFLOW)
		return cay_fail(err, CAY_E_LIMIT, 0, "the headers are too large");
	return cay_fail(err, CAY_E_INVALID, 0, "malformed HTTP: %s",
			http_errno_description(HTTP_PARSER_ERRNO(parser)));
}

static int parse_text(struct cay_head *h, struct cay_error *err)
{
	static const http_parser_settings settings = {.on_url = on_url,
						      .on_header_field = on_field,
						      .on_header_value = on_value,
						      .on_headers_complete = on_head};
	struct parse p = {.h = h};
	const char *line_end = memchr(h->text.data, '\n', h->text.len);
	http_parser parser = {};
	int rc = 0;

	http_parser_init(&parser, h->is_response ? HTTP_RESPONSE : HTTP_REQUEST);
	parser.data = &p;
	http_parser_execute(&parser, &settings, h->text.data, h->text.len);
	h->status = parser.status_code;
	h->minor = parser.http_minor;
	if (HTTP_PARSER_ERRNO(&parser) != HPE_OK)
		rc = parse_failed(&p, &parser, err);
	else if (!h->is_response)
		rc = check_request_line(&p, &parser, (size_t)(line_end + 1 - h->text.data), err);
	else if (parser.http_major != 1 || parser.http_minor > 1 || h->status < 100)
		rc = cay_fail(err, CAY_E_INVALID, 0, "the answer is not HTTP/1.1");
	if (!rc) {
		if (!h->is_response)
			h->method = http_method_str((enum http_method)parser.method);
		cut(&p);
	} else {
		h->n_fields = 0;
	}
	free(p.lengths);
	return rc;
}

int cay_head_feed(struct cay_head *h, const char *data, size_t n,
		  const struct cay_head_limits *limits, size_t *ret_used, struct cay_error *err)
{
	size_t used = 0, k;

	if (!h->text.cap)
		cay_buf_reserve(&h->text, CAY_MIN((size_t)TEXT_FIRST, h->text.max));
	while (used < n && !h->complete) {
		const char *lf = memchr(data + used, '\n', n - used);

		k = lf ? (size_t)(lf + 1 - (data + used)) : n - used;
		if (!h->line && h->text.len + k > limits->start_bytes)
			return too_large(h, err);
		if (cay_buf_append(&h->text, data + used, k) < 0)
			return too_large(h, err);
		used += k;
		if (lf && end_line(h, err) < 0)
			return -1;
	}
	*ret_used = used;
	return h->complete ? parse_text(h, err) : 0;
}

/* ---- fields ---- */

static const char *name_of(const struct cay_head *h, size_t i)
{
	return h->text.data + h->fields[i].name;
}

static const char *value_of(const struct cay_head *h, size_t i)
{
	return h->text.data + h->fields[i].value;
}

const char *cay_head_get(const struct cay_head *h, const char *name)
{
	for (size_t i = 0; i < h->n_fields; i++)
		if (!strcasecmp(name_of(h, i), name))
			return value_of(h, i);
	return NULL;
}

size_t cay_head_count(const struct cay_head *h, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n_fields; i++)
		n += !strcasecmp(name_of(h, i), name);
	return n;
}

bool cay_head_next(const struct cay_head *h, size_t *at, const char **name, const char **value)
{
	if (*at >= h->n_fields)
		return false;
	*name = name_of(h, *at);
	*value = value_of(h, *at);
	(*at)++;
	return true;
}

static bool list_has(const char *list, const char *token)
{
	size_t want = strlen(token), n;

	for (;; list += n) {
		list += strspn(list, " \t,");
		if (!*list)
			return false;
		n = strcspn(list, ",");
		while (n > want && (list[n - 1] == ' ' || list[n - 1] == '\t'))
			n--;
		if (n == want && !strncasecmp(list, token, n))
			return true;
		n = strcspn(list, ",");
	}
}

bool cay_head_has_token(const struct cay_head *h, const char *name, const char *token)
{
	for (size_t i = 0; i < h->n_fields; i++)
		if (!strcasecmp(name_of(h, i), name) && list_has(value_of(h, i), token))
			return true;
	return false;
}

bool cay_head_is_hop(const struct cay_head *h, const char *name)
{
	static const char *const hops[] = {
		"connection",
		"keep-alive",
		"proxy-authenticate",
		"proxy-authorization",
		"proxy-connection",
		"te",
		"trailer",
		"transfer-encoding",
		"upgrade",
	};

	for (size_t i = 0; i < CAY_LEN(hops); i++)
		if (!strcasecmp(name, hops[i]))
			return true;
	return cay_head_has_token(h, "connection", name);
}

/* ---- framing ---- */

static int read_length(const struct cay_head *h, uint64_t *ret, struct cay_error *err)
{
	const char *text = cay_head_get(h, "content-length");
	int64_t n;

	if (cay_head_count(h, "content-length") > 1)
		return cay_fail(err, CAY_E_INVALID, 0, "Content-Length is given more than once");
	if (text[strspn(text, "0123456789")])
		return cay_fail(err, CAY_E_INVALID, 0, "Content-Length is not a number");
	if (cay_text_int(text, "Content-Length", 0, INT64_MAX, &n, err) < 0)
		return -1;
	*ret = (uint64_t)n;
	return 0;
}

static int read_framing(const struct cay_head *h, enum cay_framing otherwise, enum cay_framing *ret,
			uint64_t *ret_length, struct cay_error *err)
{
	const char *coding = cay_head_get(h, "transfer-encoding");
	bool has_length = cay_head_get(h, "content-length") != NULL;

	*ret_length = 0;
	if (coding && has_length)
		return cay_fail(err, CAY_E_INVALID, 0,
				"Content-Length and Transfer-Encoding exclude each other");
	if (coding && (cay_head_count(h, "transfer-encoding") > 1 ||
		       strcasecmp(coding, "chunked") != 0 || !h->minor))
		return cay_fail(err, CAY_E_INVALID, 0,
				"the only Transfer-Encoding taken is 'chunked', in HTTP/1.1");
	if (coding)
		*ret = CAY_FRAMING_CHUNKED;
	else if (!has_length)
		*ret = otherwise;
	else if (read_length(h, ret_length, err) < 0)
		return -1;
	else
		*ret = *ret_length ? CAY_FRAMING_LENGTH : CAY_FRAMING_NONE;
	return 0;
}

int cay_head_request_framing(const struct cay_head *h, enum cay_framing *ret, uint64_t *ret_length,
			     struct cay_error *err)
{
	return read_framing(h, CAY_FRAMING_NONE, ret, ret_length, err);
}

int cay_head_response_framing(const struct cay_head *h, bool to_head, enum cay_framing *ret,
			      uint64_t *ret_length, struct cay_error *err)
{
	if (read_framing(h, CAY_FRAMING_CLOSE, ret, ret_length, err) < 0)
		return -1;
	if (to_head || h->status < 200 || h->status == 204 || h->status == 304)
		*ret = CAY_FRAMING_NONE;
	return 0;
}
