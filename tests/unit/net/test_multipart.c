/* SPDX-License-Identifier: Apache-2.0 */
#include "net/multipart.h"

#include <string.h>

#include "base/buf.h"

#include "tap.h"

/* What is read, as a line of text: [name|filename|type]data; in order. */
static struct cay_buf seen;

static int on_part(const struct cay_multipart_part *part, void *arg, struct cay_error *err)
{
	cay_buf_printf(&seen, "[%s|%s|%s]", part->name, part->filename ? part->filename : "-",
		       part->content_type ? part->content_type : "-");
	return 0;
}

static int on_data(const void *data, size_t n, void *arg, struct cay_error *err)
{
	if (memmem(data, n, "REFUSE", 6))
		return cay_fail(err, CAY_E_DENIED, 0, "refused");
	cay_buf_append(&seen, data, n);
	return 0;
}

static int on_part_end(void *arg, struct cay_error *err)
{
	cay_buf_puts(&seen, ";");
	return 0;
}

static const struct cay_multipart_ops ops = {on_part, on_data, on_part_end};

/* Feeds n bytes in pieces of `step`; the text that came of it, or the error's code. */
static const char *read_n(const char *type, const char *body, size_t n, size_t step)
{
	struct cay_multipart *m;
	struct cay_error err;
	int rc = 0;

	cay_buf_clear(&seen);
	if (cay_multipart_create(type, &ops, NULL, &m, &err) < 0)
		return cay_error_text(err.code);
	for (size_t i = 0; i < n && rc == 0; i += step)
		rc = cay_multipart_feed(m, body + i, CAY_MIN(step, n - i), &err);
	if (rc == 0)
		rc = cay_multipart_finish(m, &err);
	cay_multipart_destroy(m);
	return rc < 0 ? cay_error_text(err.code) : seen.data;
}

#define TYPE              "multipart/form-data; boundary=XX"
#define FORM_DATA         "Content-Disposition: form-data; "
#define DISPOSITION(rest) FORM_DATA rest "\r\n"

/* The same in every way to split the body. */
static void check_all(const char *type, const char *body, const char *want)
{
	cay_buf_init(&seen, 1 << 20);
	for (size_t step = 1; step <= strlen(body); step++) {
		const char *got = read_n(type, body, strlen(body), step);

		if (strcmp(got, want) != 0) {
			printf("# in steps of %zu\n", step);
			CHECK_STR(got, want);
			break;
		}
	}
	cay_buf_fini(&seen);
}

static void reads_parts(void)
{
	check_all(TYPE,
		  "--XX\r\n" FORM_DATA "name=\"a\"\r\n\r\nvalue\r\n"
		  "--XX  \t\r\n" FORM_DATA "name=\"file\"; filename=\"x \\\"y\\\".txt\"\r\n"
		  "content-type:  text/plain\r\nX-Other: 1\r\n\r\nline\r\nline\r\n\r\n"
		  "--XX\r\n" FORM_DATA "NAME=b\r\n\r\n\r\n--XX--\r\nepilogue --XX\r\n",
		  "[a|-|-]value;[file|x \"y\".txt|text/plain]line\r\nline\r\n;[b|-|-];");
	check_all("Multipart/Form-Data; charset=utf-8; Boundary=\"a b:c\"",
		  "preamble\r\n--a b:c\r\n" FORM_DATA "name=n\r\n\r\nv\r\n--a b:c--", "[n|-|-]v;");
	check_all(TYPE, "--XX--", "");
	check_all(TYPE, "nothing\r\n--XX--", "");
}

static void takes_what_only_looks_like_a_boundary(void)
{
	check_all(TYPE,
		  "--XX\r\n" DISPOSITION("name=a") "\r\n\r\r\n\r\n-\r\n--\r\n--X\r\n--Y\r--XX--"
						   "XX\r\n\r\n--X\r\n--XX--",
		  "[a|-|-]\r\r\n\r\n-\r\n--\r\n--X\r\n--Y\r--XX--XX\r\n\r\n--X;");
}

static void keeps_names_as_sent(void)
{
	check_all(TYPE,
		  "--XX\r\n" FORM_DATA "name=\"\"; filename=\"C:\\dir\\f.txt\"\r\n\r\n1\r\n"
		  "--XX\r\n" FORM_DATA "name=\"a;b=c\"; filename=../x\r\n\r\n2\r\n--XX--",
		  "[|C:\\dir\\f.txt|-]1;[a;b=c|../x|-]2;");
}

static void refuses(void)
{
	static const char *const types[] = {
		"multipart/form-data",
		"multipart/form-data; boundary=",
		"multipart/form-data; boundary=\"\"",
		"multipart/form-data; boundary=\"unclosed",
		"multipart/form-data; boundary=\"a \"",
		"multipart/form-data; boundary=\"a\\\"b\"",
		"multipart/form-data; boundary",
		"multipart/form-data2; boundary=XX",
		"multipart/mixed; boundary=XX",
		"text/plain",
		"",
		("multipart/form-data; boundary="
		 "01234567890123456789012345678901234567890123456789012345678901234567890"),
	};
	static const char *const bodies[] = {
		"",
		"--XX",
		"--XX\r\n",
		"--XX-",
		"--XXY\r\n" DISPOSITION("name=a") "\r\n1\r\n--XX--",
		"--XX\n" DISPOSITION("name=a") "\r\n1\r\n--XX--",
		"--XX\r\n\r\n1\r\n--XX--",
		"--XX\r\nContent-Type: text/plain\r\n\r\n1\r\n--XX--",
		"--XX\r\n" DISPOSITION("filename=a") "\r\n1\r\n--XX--",
		"--XX\r\n" DISPOSITION("name=\"a") "\r\n1\r\n--XX--",
		"--XX\r\nContent-Disposition: attachment; name=a\r\n\r\n1\r\n--XX--",
		"--XX\r\n" DISPOSITION("name=a\r\n b") "\r\n1\r\n--XX--",
		"--XX\r\n" DISPOSITION("name=\"a\x01\"") "\r\n1\r\n--XX--",
		"--XX\r\nno colon\r\n" DISPOSITION("name=a") "\r\n1\r\n--XX--",
		"--XX\r\n" DISPOSITION("name=a") "\r\nno end",
		"--XX\r\n" DISPOSITION("name=a") "\r\nno end\r\n--XX",
	};

	cay_buf_init(&seen, 1 << 20);
	for (size_t i = 0; i < CAY_LEN(types); i++)
		CHECK_STR(read_n(types[i], "--XX--", 6, 6), "invalid_argument");
	cay_buf_fini(&seen);
	for (size_t i = 0; i < CAY_LEN(bodies); i++) {
		check_all(TYPE, bodies[i], "invalid_argument");
		if (!*bodies[i]) {
			cay_buf_init(&seen, 10);
			CHECK_STR(read_n(TYPE, "", 0, 1), "invalid_argument");
			cay_buf_fini(&seen);
		}
	}
}

static void has_limits(void)
{
	struct cay_buf b;

	cay_buf_init(&seen, 1 << 20);
	cay_buf_init(&b, 1 << 20);
	for (int i = 0; i < 100; i++)
		cay_buf_puts(&b, "--XX\r\n" DISPOSITION("name=a") "\r\n1\r\n");
	cay_buf_puts(&b, "--XX--");
	CHECK(strlen(read_n(TYPE, b.data, b.len, 1000)) == 100 * 9);
	b.len -= 6;
	cay_buf_puts(&b, "--XX\r\n" DISPOSITION("name=a") "\r\n1\r\n--XX--");
	CHECK_STR(read_n(TYPE, b.data, b.len, 1000), "too_large");
	cay_buf_clear(&b);
	cay_buf_puts(&b, "--XX\r\n" DISPOSITION("name=a") "X: ");
	for (int i = 0; i < 8200; i++)
		cay_buf_putc(&b, 'x');
	CHECK_STR(read_n(TYPE, b.data, b.len, 1000), "too_large");
	cay_buf_fini(&b);
	cay_buf_fini(&seen);
}

static void hands_on_refusals(void)
{
	static const char body[] = "--XX\r\n" DISPOSITION("name=a") "\r\nREFUSE\r\n--XX--";

	cay_buf_init(&seen, 1000);
	CHECK_STR(read_n(TYPE, body, sizeof(body) - 1, 1000), "permission_denied");
	cay_buf_fini(&seen);
}

TAP_MAIN({"reads_parts", reads_parts},
	 {"takes_what_only_looks_like_a_boundary", takes_what_only_looks_like_a_boundary},
	 {"keeps_names_as_sent", keeps_names_as_sent}, {"refuses", refuses},
	 {"has_limits", has_limits}, {"hands_on_refusals", hands_on_refusals})
