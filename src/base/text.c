/* SPDX-License-Identifier: Apache-2.0 */
/* Strict reading of text: numbers, sizes, durations, names, UTF-8. */
#include "base/text.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

#include "base/buf.h"

/* What of a bad value is shown in a message. */
enum { SHOWN_MAX = 60 };

static int bad(struct cay_error *err, const char *what, const char *s, const char *wanted)
{
	char shown[4 * SHOWN_MAX + 8];
	struct cay_buf b;

	cay_buf_init(&b, sizeof(shown) - 1);
	cay_text_quote(&b, s, strlen(s), SHOWN_MAX);
	snprintf(shown, sizeof(shown), "%s", b.data);
	cay_buf_fini(&b);
	return cay_fail(err, CAY_E_INVALID, 0, "%s must be %s, got '%s'", what, wanted, shown);
}

int cay_text_int(const char *s, const char *what, int64_t min, int64_t max, int64_t *ret,
		 struct cay_error *err)
{
	char wanted[96];
	char *end;
	long long v;

	snprintf(wanted, sizeof(wanted), "a whole number from %lld to %lld", (long long)min,
		 (long long)max);
	if (!isdigit((unsigned char)s[0]) && !(s[0] == '-' && isdigit((unsigned char)s[1])))
		return bad(err, what, s, wanted);
	errno = 0;
	v = strtoll(s, &end, 10);
	if (errno || *end || v < min || v > max)
		return bad(err, what, s, wanted);
	*ret = v;
	return 0;
}

/* Digits with at most one point; returns the length read, 0 if it is no number. */
static size_t scan_number(const char *s, double *ret)
{
	size_t n = 0, digits = 0;
	double v = 0, scale = 1;
	bool point = false;

	for (; isdigit((unsigned char)s[n]) || (s[n] == '.' && !point); n++) {
		if (s[n] == '.') {
			point = true;
			continue;
		}
		digits++;
		v = v * 10 + (s[n] - '0');
		if (point)
			scale *= 10;
		if (digits > 18)
			return 0;
	}
	if (!digits)
		return 0;
	*ret = v / scale;
	return n;
}

int cay_text_number(const char *s, const char *what, double min, double max, double *ret,
		    struct cay_error *err)
{
	char wanted[96];
	double v = 0;
	size_t n = scan_number(s, &v);

	snprintf(wanted, sizeof(wanted), "a number from %g to %g", min, max);
	if (!n || s[n] || v < min || v > max)
		return bad(err, what, s, wanted);
	*ret = v;
	return 0;
}

struct unit {
	const char *name;
	double factor;
};

/* Number followed by a unit of the table (or none: factor `plain`), scaled and bounded. */
static int scan_scaled(const char *s, const struct unit *units, size_t n_units, double plain,
		       uint64_t max, uint64_t *ret)
{
	double v = 0, factor = plain;
	size_t n = scan_number(s, &v);
	bool found = !s[n];

	if (!n)
		return -1;
	for (size_t i = 0; i < n_units && !found; i++) {
		if (!strcasecmp(s + n, units[i].name)) {
			factor = units[i].factor;
			found = true;
		}
	}
	v *= factor;
	if (!found || v < 0 || v > (double)max)
		return -1;
	*ret = (uint64_t)v;
	return 0;
}

int cay_text_size(const char *s, const char *what, uint64_t max_bytes, uint64_t *ret_bytes,
		  struct cay_error *err)
{
	static const struct unit units[] = {
		{"b", 1},       {"k", 0x1p10},   {"kb", 0x1p10},  {"kib", 0x1p10}, {"m", 0x1p20},
		{"mb", 0x1p20}, {"mib", 0x1p20}, {"g", 0x1p30},   {"gb", 0x1p30},  {"gib", 0x1p30},
		{"t", 0x1p40},  {"tb", 0x1p40},  {"tib", 0x1p40},
	};

	if (scan_scaled(s, units, CAY_LEN(units), 1, max_bytes, ret_bytes) < 0)
		return bad(err, what, s, "a size such as 512m or 2g");
	return 0;
}

int cay_text_duration(const char *s, const char *what, uint64_t max_ms, uint64_t *ret_ms,
		      struct cay_error *err)
{
	static const struct unit units[] = {
		{"ms", 1}, {"s", 1000}, {"m", 60e3}, {"min", 60e3}, {"h", 3600e3}, {"d", 86400e3},
	};

	if (scan_scaled(s, units, CAY_LEN(units), 1000, max_ms, ret_ms) < 0)
		return bad(err, what, s, "a duration such as 30s, 500ms or 5m");
	return 0;
}

int cay_text_name(const char *s, const char *what, struct cay_error *err)
{
	static const char wanted[] =
		"1 to 63 of a-z, 0-9, '_', '.', '-', beginning with a letter or digit";
	size_t n = strlen(s);

	if (!n || n > 63 || strstr(s, "..") ||
	    strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_.-") != n || strchr("_.-", s[0]))
		return bad(err, what, s, wanted);
	return 0;
}

/* Length of the valid UTF-8 sequence at p (RFC 3629: no surrogates, no overlong forms), or 0. */
static size_t utf8_len(const unsigned char *p, size_t n)
{
	unsigned min, c = p[0];
	size_t len;

	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf)
		len = 2, min = 0x80, c &= 0x1f;
	else if (c >= 0xe0 && c <= 0xef)
		len = 3, min = 0x800, c &= 0x0f;
	else if (c >= 0xf0 && c <= 0xf4)
		len = 4, min = 0x10000, c &= 0x07;
	else
		return 0;
	if (n < len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	return c >= min && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff) ? len : 0;
}

bool cay_text_is_utf8(const void *data, size_t n)
{
	const unsigned char *p = data;
	size_t len;

	for (; n > 0; p += len, n -= len) {
		len = utf8_len(p, n);
		if (!len)
			return false;
	}
	return true;
}

bool cay_text_starts_with(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

void cay_text_quote(struct cay_buf *out, const void *s, size_t n, size_t max)
{
	const unsigned char *p = s;
	size_t shown = 0, len;

	while (n > 0) {
		if (shown >= max) {
			cay_buf_puts(out, "...");
			return;
		}
		len = utf8_len(p, n);
		/* C1 controls (U+0080 to U+009F) are two bytes and act on terminals too. */
		if (!len || p[0] < 0x20 || p[0] == 0x7f || (p[0] == 0xc2 && p[1] < 0xa0)) {
			len = 1;
			cay_buf_printf(out, "\\x%02x", p[0]);
		} else {
			cay_buf_append(out, p, len);
		}
		p += len;
		n -= len;
		shown += len;
	}
}

bool cay_text_equal_secret(const char *given, const char *secret)
{
	size_t n = strlen(given), m = strlen(secret);
	unsigned char diff = n != m;

	for (size_t i = 0; i < n; i++)
		diff |= (unsigned char)(given[i] ^ secret[m ? i % m : 0]);
	return !diff && n > 0;
}

/* Levenshtein distance over one row; names longer than the row count as far away. */
static size_t distance(const char *a, const char *b)
{
	enum { MAX = 40 };
	size_t row[MAX + 1], n = strlen(b), prev, keep;

	if (n > MAX || strlen(a) > MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		prev = row[0];
		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			keep = row[j];
			row[j] = CAY_MIN(CAY_MIN(row[j], row[j - 1]) + 1,
					 prev + (a[i - 1] != b[j - 1]));
			prev = keep;
		}
	}
	return row[n];
}

const char *cay_text_nearest(const char *s, const char *const *names)
{
	const char *best = NULL;
	size_t limit = strlen(s) / 3 + 1, d;

	for (; *names; names++) {
		d = distance(s, *names);
		if (d <= limit && (!best || d < distance(s, best)))
			best = *names;
	}
	return best;
}
