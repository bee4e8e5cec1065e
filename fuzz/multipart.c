/* SPDX-License-Identifier: Apache-2.0 */
/* multipart/form-data: the first line of the input is the Content-Type, the rest is the body; whole
 * and split it must read the same. */
#include <string.h>

#include "base/buf.h"
#include "net/multipart.h"

#include "fuzz.h"

enum { SEEN_MAX = 4 << 20 };

static int on_part(const struct cay_multipart_part *part, void *arg, struct cay_error *err)
{
	MUST(part->name);
	return cay_buf_printf(arg, "<%s|%s|%s>", part->name, part->filename ? part->filename : "",
			      part->content_type ? part->content_type : "");
}

static int on_data(const void *data, size_t n, void *arg, struct cay_error *err)
{
	MUST(n > 0);
	return cay_buf_append(arg, data, n);
}

static int on_part_end(void *arg, struct cay_error *err)
{
	return cay_buf_puts(arg, "</>");
}

static const struct cay_multipart_ops ops = {on_part, on_data, on_part_end};

static int read_body(const char *type, const uint8_t *data, size_t n, bool split,
		     struct cay_buf *seen)
{
	struct pieces p = {.state = (uint32_t)n};
	struct cay_multipart *m;
	struct cay_error err;
	size_t k;
	int rc = 0;

	if (cay_multipart_create(type, &ops, seen, &m, &err) < 0)
		return -2;
	for (size_t i = 0; rc == 0 && i < n; i += k) {
		k = split ? piece(&p, n - i) : n - i;
		rc = cay_multipart_feed(m, data + i, k, &err);
	}
	if (rc == 0)
		rc = cay_multipart_finish(m, &err);
	cay_multipart_destroy(m);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const uint8_t *lf = memchr(data, '\n', n);
	size_t type_n = lf ? (size_t)(lf - data) : 0;
	struct cay_buf whole, split;
	char type[300] = "";
	int rc;

	if (!lf || type_n >= sizeof(type))
		return 0;
	memcpy(type, data, type_n);
	data += type_n + 1;
	n -= type_n + 1;
	cay_buf_init(&whole, SEEN_MAX);
	cay_buf_init(&split, SEEN_MAX);
	rc = read_body(type, data, n, false, &whole);
	MUST(read_body(type, data, n, true, &split) == rc);
	MUST(rc < 0 || (whole.len == split.len && !memcmp(whole.data, split.data, whole.len)));
	cay_buf_fini(&whole);
	cay_buf_fini(&split);
	return 0;
}
