/* SPDX-License-Identifier: Apache-2.0 */
/* Answering with a file, or a range of it (RFC 9110, 14), by sendfile. */
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/text.h"
#include "net/http_impl.h"

enum { HEAD_MAX = 1 << 20 };

enum range {
	RANGE_NONE, /* the whole file: none asked for, or one that may be ignored */
	RANGE_ONE,
	RANGE_OUTSIDE,
};

static bool read_number(const char *s, size_t n, uint64_t *ret)
{
	struct cay_error ignored;
	char text[20] = "";
	int64_t v;

	if (!n || n >= sizeof(text))
		return false;
	memcpy(text, s, n);
	if (text[strspn(text, "0123456789")] ||
	    cay_text_int(text, "range", 0, INT64_MAX, &v, &ignored) < 0)
		return false;
	*ret = (uint64_t)v;
	return true;
}

/* "bytes=a-b", "bytes=a-", "bytes=-n". What is malformed, or more than one range, is ignored, as
 * 14.2 permits: the client gets everything. */
static enum range read_range(const char *value, uint64_t size, uint64_t *ret_at, uint64_t *ret_n)
{
	const char *spec, *dash;
	uint64_t first = 0, last = UINT64_MAX;
	bool has_first, has_last;

	if (!value || strncasecmp(value, "bytes=", 6) != 0)
		return RANGE_NONE;
	spec = value + 6;
	dash = strchr(spec, '-');
	if (!dash)
		return RANGE_NONE;
	has_first = read_number(spec, (size_t)(dash - spec), &first);
	has_last = read_number(dash + 1, strlen(dash + 1), &last);
	if ((!has_first && dash != spec) || (!has_last && dash[1]) || (!has_first && !has_last))
		return RANGE_NONE;
	if (!has_first) {
		last = CAY_MIN(last, size);
		*ret_at = size - last;
		*ret_n = last;
		return last ? RANGE_ONE : RANGE_OUTSIDE;
	}
	if (last < first)
		return RANGE_NONE;
	if (first >= size)
		return RANGE_OUTSIDE;
	*ret_at = first;
	*ret_n = CAY_MIN(last, size - 1) - first + 1;
	return RANGE_ONE;
}

static enum range range_of(const struct cay_http_req *req, uint64_t size, uint64_t *ret_at,
			   uint64_t *ret_n)
{
	const char *method = cay_http_method(req);

	/* If-Range names a version of the file; we give none out, so it does not match. */
	if ((strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) ||
	    cay_http_header(req, "if-range"))
		return RANGE_NONE;
	return read_range(cay_http_header(req, "range"), size, ret_at, ret_n);
}

static void set_content_range(struct cay_http_req *req, uint64_t at, uint64_t n, uint64_t size)
{
	char text[80];

	if (n)
		snprintf(text, sizeof(text), "bytes %llu-%llu/%llu", (unsigned long long)at,
			 (unsigned long long)(at + n - 1), (unsigned long long)size);
	else
		snprintf(text, sizeof(text), "bytes */%llu", (unsigned long long)size);
	cay_http_set(req, "Content-Range", text);
}

void cay_http_reply_file(struct cay_http_req *req, const char *content_type, int fd, uint64_t size)
{
	struct cay_io *io = &req->conn->io;
	enum range range = RANGE_NONE;
	uint64_t at = 0, n = size;
	auto_close int file = fd;
	struct cay_buf head;
	struct stat st;

	if (fstat(file, &st) == 0 && S_ISREG(st.st_mode)) {
		cay_http_set(req, "Accept-Ranges", "bytes");
		range = range_of(req, size, &at, &n);
	}
	if (range == RANGE_OUTSIDE) {
		set_content_range(req, 0, 0, size);
		cay_http_reply_empty(req, 416);
		return;
	}
	if (range == RANGE_ONE)
		set_content_range(req, at, n, size);
	cay_buf_init(&head, HEAD_MAX);
	cay_reply_head(req, range == RANGE_ONE ? 206 : 200, content_type, (int64_t)n, &head);
	cay_io_queue(io, head.data, head.len);
	cay_buf_fini(&head);
	if (n && !req->no_body)
		cay_io_send_file(io, TAKE_FD(file), at, n);
	cay_conn_answered(req);
}
