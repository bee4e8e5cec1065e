/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line's end of the server's API: finds the server and the key, makes calls and waits
 * for them. One event loop per process, which runs only inside these calls.
 *
 * The key is CAY_API_KEY, else what the file api-key in the state folder says. The file's key
 * belongs to the server of this machine: it is sent to a loopback address or a unix socket, never
 * elsewhere.
 */
#pragma once

#include <jansson.h>

#include "base/error.h"
#include "cli/command.h"
#include "net/client.h"

struct cay_client {
	struct event_base *base;
	struct cay_endpoint *endpoint;
	const char *url; /* borrowed from the options */
};

enum { CAY_CLIENT_TIMEOUT_MS = 60000 };

/* Opens no connection yet. Writing to a closed connection is an error from here on, not SIGPIPE. */
int cay_client_open(const struct cay_common *common, struct cay_client *ret,
		    struct cay_error *err) CAY_NODISCARD;
void cay_client_close(struct cay_client *c); /* fine on a zeroed one */

/* "/v1/sandboxes/ID" and what follows. The caller frees it. */
char *cay_client_target(const char *sandbox, const char *fmt, ...) CAY_PRINTF(2, 3);

/* cay_endpoint_json(), with advice for people added to its errors. ret may be NULL. */
int cay_client_json(struct cay_client *c, const char *method, const char *target, json_t *body,
		    json_t **ret, struct cay_error *err) CAY_NODISCARD;

/* What went wrong, from an answer of 400 and above: the error shape in its body, or the status. */
int cay_client_fail(const struct cay_client *c, int status, const void *body, size_t n,
		    struct cay_error *err);

/* Adds the advice that goes with an error of a call. Returns -1. */
int cay_client_advise(const struct cay_client *c, struct cay_error *err);

#define auto_client __attribute__((cleanup(cay_client_close)))
