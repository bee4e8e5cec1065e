/* SPDX-License-Identifier: Apache-2.0 */
/* Options of `cay-server serve` (and so of `cay serve`): one table for parsing and help. */
#pragma once

#include "base/error.h"
#include "base/log.h"

struct cay_buf;

struct cay_serve_options {
	char **listen; /* "ADDR:PORT" or "unix:PATH"; NULL-terminated, at least one */
	char **allow_hosts;
	char *state; /* NULL: the default folder */
	unsigned max_sandboxes;
	enum cay_log_level log_level;
	bool log_json;
	bool help;
};

/* argv without the program's and the command's name. */
int cay_serve_options_parse(char *const *argv, struct cay_serve_options *ret,
			    struct cay_error *err) CAY_NODISCARD;
void cay_serve_options_fini(struct cay_serve_options *o);
void cay_serve_options_help(struct cay_buf *out);

/* "ADDR:PORT" with an IP address ("127.0.0.1:7070", "[::1]:0"; "localhost" is 127.0.0.1). */
int cay_serve_parse_address(const char *listen, char ret_host[64], uint16_t *ret_port,
			    struct cay_error *err) CAY_NODISCARD;
