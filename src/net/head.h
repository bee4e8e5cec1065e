/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of an HTTP/1.1 message (RFC 9112, 2 to 5): start line and header fields, of requests and
 * of answers.
 *
 * Bytes are fed as they come. Each line is checked strictly before the parser sees it, because what
 * two parsers read differently is how requests are smuggled: lines end with CR LF and nothing else,
 * no control characters, no folded lines, names are tokens followed at once by the colon. When the
 * last line is there, http_parser reads the whole at once and the fields are cut out in place, so a
 * head costs one buffer and one table.
 */
#pragma once

#include "base/buf.h"
#include "base/error.h"

struct cay_head_limits {
	size_t bytes;       /* all of it */
	size_t start_bytes; /* the start line */
	size_t field_count;
};

struct cay_head_field {
	uint32_t name, value; /* offsets in text */
};

struct cay_head {
	struct cay_buf text;
	size_t line; /* where the line being read begins */
	bool is_response, complete;

	/* From here on: set when complete. */
	struct cay_head_field *fields;
	size_t n_fields, cap_fields;
	uint32_t target;
	const char *method; /* a constant */
	int status, minor;  /* of HTTP/1.x */
	bool keep_alive;
	size_t max_fields;
};

/* How the body is delimited (RFC 9112, 6.3). */
enum cay_framing {
	CAY_FRAMING_NONE,
	CAY_FRAMING_LENGTH,
	CAY_FRAMING_CHUNKED,
	CAY_FRAMING_CLOSE, /* an answer that ends with the connection */
};

void cay_head_init(struct cay_head *h, bool is_response, const struct cay_head_limits *limits);
void cay_head_fini(struct cay_head *h);

/* Takes bytes up to the end of the head; *ret_used of n were taken, and h->complete says whether it
 * has ended. INVALID: malformed; LIMIT: too large. */
int cay_head_feed(struct cay_head *h, const char *data, size_t n,
		  const struct cay_head_limits *limits, size_t *ret_used,
		  struct cay_error *err) CAY_NODISCARD;

/* The first field of that name (any case), or NULL; the number of such fields. */
const char *cay_head_get(const struct cay_head *h, const char *name);
size_t cay_head_count(const struct cay_head *h, const char *name);

/* All fields in order: *at starts at 0; false at the end. */
bool cay_head_next(const struct cay_head *h, size_t *at, const char **name, const char **value);

/* Is `token` (any case) one of the comma-separated elements of the fields of that name? */
bool cay_head_has_token(const struct cay_head *h, const char *name, const char *token);

/* The framing of a request's body and its length. Refused: Transfer-Encoding together with
 * Content-Length, twice, other than "chunked", or in HTTP/1.0; a malformed or repeated
 * Content-Length. */
int cay_head_request_framing(const struct cay_head *h, enum cay_framing *ret, uint64_t *ret_length,
			     struct cay_error *err) CAY_NODISCARD;

/* The same for an answer to a request that was HEAD or not. */
int cay_head_response_framing(const struct cay_head *h, bool to_head, enum cay_framing *ret,
			      uint64_t *ret_length, struct cay_error *err) CAY_NODISCARD;

/* Fields that concern one connection only and are not handed on (RFC 9110, 7.6.1), also those that
 * the message's own Connection field names. */
bool cay_head_is_hop(const struct cay_head *h, const char *name);

bool cay_head_is_token(const char *s);   /* may be a field's name */
bool cay_head_is_value(const char *s);   /* may be a field's value: no control characters */
const char *cay_head_reason(int status); /* "Not Found" */
