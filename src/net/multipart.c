/* SPDX-License-Identifier: Apache-2.0 */
/* multipart/form-data, as a stream. Knows no HTTP beyond the one header. */
#include "net/multipart.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"

enum {
	BOUNDARY_MAX = 70, /* RFC 2046, 5.1.1 */
	HEAD_MAX = 8 << 10,
	PARTS_MAX = 100,
	PADDING_MAX = 1000, /* blanks behind a boundary */
};

/*
 *	PREAMBLE -> BOUNDARY -> PADDING -> LINE_FEED -> HEAD -> DATA -> BOUNDARY ...
 *	                   \-> DASH -> EPILOGUE
 */
enum state {
	PREAMBLE,
	BOUNDARY, /* behind the boundary's text */
	PADDING,
	LINE_FEED,
	DASH,
	HEAD,
	DATA,
	EPILOGUE,
};

struct cay_multipart {
	const struct cay_multipart_ops *ops;
	void *arg;
	enum state state;
	char delimiter[4 + BOUNDARY_MAX + 1]; /* CR LF "--" boundary; CR occurs in it only once */
	size_t delimiter_n;
	size_t matched; /* bytes of the delimiter that have just come */
	unsigned padding;
	struct cay_buf head;
	unsigned parts;
};

/* ---- parameters of a header's value ---- */

/* The value of a parameter at s, quoted or not, into out; returns where it ends, NULL if it is
 * malformed. Within quotes only \" and \\ are escapes: older browsers send whole Windows paths. */
static const char *read_value(const char *s, struct cay_buf *out)
{
	size_t n;

	if (*s != '"') {
		n = strcspn(s, "; \t\",");
		cay_buf_append(out, s, n);
		return n ? s + n : NULL;
	}
	for (s++; *s && *s != '"'; s++) {
		if (*s == '\\' && (s[1] == '"' || s[1] == '\\'))
			s++;
		cay_buf_putc(out, *s);
	}
	return *s ? s + 1 : NULL;
}

/* Finds "; name=value" in a header's value. 1: found and in out; 0: not there; -1: malformed. */
static int find_parameter(const char *s, const char *name, struct cay_buf *out)
{
	size_t name_n;
	bool wanted;

	s += strcspn(s, ";");
	while (*s) {
		if (*s++ != ';')
			return -1;
		s += strspn(s, " \t");
		if (!*s)
			return 0; /* a semicolon at the end */
		name_n = strcspn(s, "=; \t");
		if (s[name_n] != '=')
			return -1;
		wanted = name_n == strlen(name) && !strncasecmp(s, name, name_n);
		cay_buf_clear(out);
		s = read_value(s + name_n + 1, out);
		if (!s)
			return -1;
		if (wanted)
			return 1;
		s += strspn(s, " \t");
	}
	cay_buf_clear(out);
	return 0;
}

static bool is_boundary(const char *s, size_t n)
{
	if (!n || n > BOUNDARY_MAX || s[n - 1] == ' ')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
		      (s[i] >= '0' && s[i] <= '9') || (s[i] && strchr("'()+_,-./:=? ", s[i]))))
			return false;
	return true;
}

static int read_boundary(const char *content_type, struct cay_buf *out, struct cay_error *err)
{
	static const char type[] = "multipart/form-data";
	size_t n = sizeof(type) - 1;

	if (!content_type || strncasecmp(content_type, type, n) != 0 ||
	    (content_type[n] && !strchr("; \t", content_type[n])))
		return cay_fail(err, CAY_E_INVALID, 0, "the body must be multipart/form-data");
	if (find_parameter(content_type, "boundary", out) < 1 || out->overflow ||
	    !is_boundary(out->data, out->len))
		return cay_fail(err, CAY_E_INVALID, 0,
				"multipart/form-data needs a boundary of 1 to %d characters",
				BOUNDARY_MAX);
	return 0;
}

int cay_multipart_create(const char *content_type, const struct cay_multipart_ops *ops, void *arg,
			 struct cay_multipart **ret, struct cay_error *err)
{
	auto_buf struct cay_buf boundary;
	struct cay_multipart *m;

	cay_buf_init(&boundary, HEAD_MAX);
	if (read_boundary(content_type, &boundary, err) < 0)
		return -1;
	m = cay_alloc(sizeof(*m));
	m->ops = ops;
	m->arg = arg;
	m->delimiter_n =
		(size_t)snprintf(m->delimiter, sizeof(m->delimiter), "\r\n--%s", boundary.data);
	m->matched = 2; /* the first boundary needs no line before it */
	cay_buf_init(&m->head, HEAD_MAX);
	*ret = m;
	return 0;
}

void cay_multipart_destroy(struct cay_multipart *m)
{
	if (!m)
		return;
	cay_buf_fini(&m->head);
	free(m);
}

/* ---- a part's head ---- */

/* The value of a header in a head of NUL-separated lines, or NULL. */
static const char *find_header(const struct cay_buf *head, const char *name)
{
	size_t n = strlen(name);

	for (const char *s = head->data; s < head->data + head->len; s += strlen(s) + 1)
		if (!strncasecmp(s, name, n) && s[n] == ':')
			return s + n + 1 + strspn(s + n + 1, " \t");
	return NULL;
}

/* Lines become strings. -1 for control characters, folded lines and lines without a colon. */
static int cut_lines(struct cay_buf *head)
{
	char *s = head->data, *end = s + head->len;

	while (s < end) {
		char *lf = memchr(s, '\n', (size_t)(end - s));

		if (!lf || lf == s || lf[-1] != '\r')
			return -1;
		lf[-1] = lf[0] = '\0';
		for (char *c = s; c < lf - 1; c++)
			if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
				return -1;
		if (lf - 1 > s && (*s == ' ' || *s == '\t' || !strchr(s, ':')))
			return -1;
		s = lf + 1;
	}
	return 0;
}

static int announce(struct cay_multipart *m, const char *disposition, const char *content_type,
		    struct cay_error *err)
{
	auto_buf struct cay_buf name, filename;
	int has_name, has_filename;

	cay_buf_init(&name, HEAD_MAX);
	cay_buf_init(&filename, HEAD_MAX);
	has_name = find_parameter(disposition, "name", &name);
	has_filename = find_parameter(disposition, "filename", &filename);
	if (has_name < 1 || has_filename < 0)
		return cay_fail(err, CAY_E_INVALID, 0,
				"a part's Content-Disposition is malformed or has no name");
	return m->ops->on_part(
		&(struct cay_multipart_part){.name = name.data,
					     .filename = has_filename ? filename.data : NULL,
					     .content_type = content_type},
		m->arg, err);
}

static int end_head(struct cay_multipart *m, struct cay_error *err)
{
	const char *disposition;

	if (++m->parts > PARTS_MAX)
		return cay_fail(err, CAY_E_LIMIT, 0, "more than %d parts", PARTS_MAX);
	if (cut_lines(&m->head) < 0)
		return cay_fail(err, CAY_E_INVALID, 0, "malformed header of a part");
	disposition = find_header(&m->head, "content-disposition");
	if (!disposition || strncasecmp(disposition, "form-data", 9) != 0)
		return cay_fail(err, CAY_E_INVALID, 0,
				"a part needs Content-Disposition: form-data");
	if (announce(m, disposition, find_header(&m->head, "content-type"), err) < 0)
		return -1;
	cay_buf_fini(&m->head);
	m->state = DATA;
	m->matched = 0;
	return 0;
}

/* ---- the stream ---- */

/* Each takes what it can of n bytes: the number, or -1. */
typedef ssize_t take_fn(struct cay_multipart *m, const char *data, size_t n, struct cay_error *err);

static int give(struct cay_multipart *m, const char *data, size_t n, struct cay_error *err)
{
	if (!n || m->state != DATA)
		return 0;
	return m->ops->on_data(data, n, m->arg, err);
}

static int found_delimiter(struct cay_multipart *m, struct cay_error *err)
{
	int rc = m->state == DATA ? m->ops->on_part_end(m->arg, err) : 0;

	m->state = BOUNDARY;
	m->padding = 0;
	m->matched = 0;
	return rc;
}

/* What looked like a delimiter and was not is payload too: it is the delimiter's own beginning, so
 * it need not have been kept. */
static ssize_t go_on_matching(struct cay_multipart *m, char c, struct cay_error *err)
{
	size_t n = m->matched;

	if (c == m->delimiter[n]) {
		if (++m->matched == m->delimiter_n && found_delimiter(m, err) < 0)
			return -1;
		return 1;
	}
	m->matched = 0;
	return give(m, m->delimiter, n, err);
}

/* Payload up to a delimiter, which may lie across two calls. */
static ssize_t take_data(struct cay_multipart *m, const char *data, size_t n, struct cay_error *err)
{
	const char *at, *tail;
	size_t k = 0;

	if (m->matched)
		return go_on_matching(m, data[0], err);
	at = memmem(data, n, m->delimiter, m->delimiter_n);
	if (at) {
		if (give(m, data, (size_t)(at - data), err) < 0 || found_delimiter(m, err) < 0)
			return -1;
		return at - data + (ssize_t)m->delimiter_n;
	}
	tail = memrchr(data, '\r', n);
	if (tail && (size_t)(data + n - tail) < m->delimiter_n &&
	    !memcmp(tail, m->delimiter, (size_t)(data + n - tail)))
		k = (size_t)(data + n - tail);
	if (give(m, data, n - k, err) < 0)
		return -1;
	m->matched = k;
	return (ssize_t)n;
}

static ssize_t take_boundary(struct cay_multipart *m, const char *data, size_t n,
			     struct cay_error *err)
{
	enum state next = m->state;
	char c = data[0];

	if (m->state == DASH && c == '-')
		next = EPILOGUE;
	else if (m->state == LINE_FEED && c == '\n')
		next = HEAD;
	else if (m->state == BOUNDARY && c == '-')
		next = DASH;
	else if (m->state <= PADDING && c == '\r')
		next = LINE_FEED;
	else if (m->state <= PADDING && (c == ' ' || c == '\t') && m->padding++ < PADDING_MAX)
		next = PADDING;
	else
		return cay_fail(err, CAY_E_INVALID, 0, "malformed boundary between parts");
	m->state = next;
	return 1;
}

static ssize_t take_head(struct cay_multipart *m, const char *data, size_t n, struct cay_error *err)
{
	const char *lf = memchr(data, '\n', n);
	size_t k = lf ? (size_t)(lf + 1 - data) : n;
	const char *text;
	size_t len;

	if (cay_buf_append(&m->head, data, k) < 0)
		return cay_fail(err, CAY_E_LIMIT, 0,
				"the headers of a part are larger than %d bytes", HEAD_MAX);
	text = m->head.data;
	len = m->head.len;
	if (lf && (len == 2 || (len >= 4 && text[len - 3] == '\n')) && text[len - 2] == '\r') {
		m->head.len -= 2; /* the empty line */
		if (end_head(m, err) < 0)
			return -1;
	}
	return (ssize_t)k;
}

static ssize_t take_epilogue(struct cay_multipart *m, const char *data, size_t n,
			     struct cay_error *err)
{
	return (ssize_t)n;
}

int cay_multipart_feed(struct cay_multipart *m, const void *data, size_t n, struct cay_error *err)
{
	static take_fn *const takers[] = {
		[PREAMBLE] = take_data,      [BOUNDARY] = take_boundary, [PADDING] = take_boundary,
		[LINE_FEED] = take_boundary, [DASH] = take_boundary,     [HEAD] = take_head,
		[DATA] = take_data,          [EPILOGUE] = take_epilogue,
	};
	const char *p = data;
	ssize_t k;

	while (n) {
		k = takers[m->state](m, p, n, err);
		if (k < 0)
			return -1;
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

int cay_multipart_finish(struct cay_multipart *m, struct cay_error *err)
{
	if (m->state == EPILOGUE)
		return 0;
	return cay_fail(err, CAY_E_INVALID, 0, "the multipart body ends without its last boundary");
}
