/* SPDX-License-Identifier: Apache-2.0 */
/* The error value and its table. Knows nothing of HTTP or of exit beyond the numbers in the table.
 */
#include "base/error.h"

#include <stdarg.h>
#include <string.h>

static const struct {
	int http_status, exit_status;
	const char *text, *meaning;
} rows[CAY_E_COUNT_] = {
	[CAY_OK] = {200, 0, "ok", "no error"},
#define CAY_ERROR(name, http, exit, text, meaning) [CAY_E_##name] = {http, exit, text, meaning},
#include "base/errors.def"
#undef CAY_ERROR
};

static enum cay_error_code known(enum cay_error_code code)
{
	return (unsigned)code < CAY_E_COUNT_ ? code : CAY_E_INTERNAL;
}

/* snprintf may cut in the middle of a UTF-8 sequence; a client's JSON must not end in half of one.
 */
static void trim_utf8(char *s, size_t size)
{
	size_t n = strnlen(s, size);

	if (n + 1 < size)
		return;
	while (n > 0 && ((unsigned char)s[n - 1] & 0xc0) == 0x80)
		n--;
	if (n > 0 && ((unsigned char)s[n - 1] & 0x80))
		n--;
	s[n] = '\0';
}

int cay_fail(struct cay_error *err, enum cay_error_code code, int sys, const char *fmt, ...)
{
	va_list ap;
	int n;

	/* The arguments may point into err itself (a callee's message): format aside first. */
	char msg[CAY_ERROR_MSG_MAX];

	va_start(ap, fmt);
	n = vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	if (sys && n >= 0 && (size_t)n < sizeof(msg))
		snprintf(msg + n, sizeof(msg) - (size_t)n, ": %s", strerror(sys));
	trim_utf8(msg, sizeof(msg));
	err->code = known(code);
	err->sys = sys;
	err->hint[0] = '\0';
	memcpy(err->msg, msg, sizeof(msg));
	return -1;
}

int cay_fail_in(struct cay_error *err, const char *fmt, ...)
{
	char msg[CAY_ERROR_MSG_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(msg))
		snprintf(msg + n, sizeof(msg) - (size_t)n, ": %s", err->msg);
	trim_utf8(msg, sizeof(msg));
	memcpy(err->msg, msg, sizeof(msg));
	return -1;
}

int cay_fail_hint(struct cay_error *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
	va_end(ap);
	trim_utf8(err->hint, sizeof(err->hint));
	return -1;
}

enum cay_error_code cay_error_from_errno(int sys)
{
	switch (sys) {
	case ENOENT:
	case ESRCH:
		return CAY_E_NOT_FOUND;
	case EACCES:
	case EPERM:
	case EROFS:
		return CAY_E_DENIED;
	case EEXIST:
	case ENOTEMPTY:
		return CAY_E_CONFLICT;
	case EBUSY:
	case ETXTBSY:
		return CAY_E_BUSY;
	case EINVAL:
	case EISDIR:
	case ENOTDIR:
	case ENAMETOOLONG:
	case ELOOP:
	case EXDEV:
		return CAY_E_INVALID;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOSPC:
	case EDQUOT:
	case EAGAIN:
		return CAY_E_OVERLOADED;
	case EFBIG:
		return CAY_E_LIMIT;
	case ETIMEDOUT:
		return CAY_E_TIMEOUT;
	default:
		return CAY_E_SYSTEM;
	}
}

const char *cay_error_text(enum cay_error_code code)
{
	return rows[known(code)].text;
}

const char *cay_error_meaning(enum cay_error_code code)
{
	return rows[known(code)].meaning;
}

int cay_error_http_status(enum cay_error_code code)
{
	return rows[known(code)].http_status;
}

int cay_error_exit_status(enum cay_error_code code)
{
	return rows[known(code)].exit_status;
}

enum cay_error_code cay_error_from_text(const char *text)
{
	for (int i = CAY_OK + 1; i < CAY_E_COUNT_; i++)
		if (!strcmp(rows[i].text, text))
			return (enum cay_error_code)i;
	return CAY_OK;
}
