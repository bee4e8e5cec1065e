/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's HTTP API: tables of routes over the manager. One file for each kind of route; a
 * handler checks its input, asks the manager or forwards to the sandbox's agent, and answers.
 */
#pragma once

#include "api/access.h"
#include "manager/manager.h"
#include "net/http.h"

/* cay_http_user() of every request. */
struct cay_api {
	struct cay_access access;
	struct cay_manager *manager;
	struct cay_http_server *server;
	uint64_t started_ns;
};

enum {
	/* The key of the sandbox named in the path is enough. */
	CAY_API_SESSION = CAY_HTTP_USER,
};

extern const struct cay_http_route cay_api_meta_routes[];    /* healthz, metrics, runtimes */
extern const struct cay_http_route cay_api_sandbox_routes[]; /* create, list, get, delete */
extern const struct cay_http_route cay_api_forward_routes[]; /* what the agent answers */
extern const struct cay_http_route *const cay_api_tables[];  /* all of them; NULL-terminated */

/* The HTTP server over api's routes, in front of an opened manager. Fills api->server. */
int cay_api_create(struct event_base *base, struct cay_api *api,
		   struct cay_error *err) CAY_NODISCARD;

/* The sandbox that parameter {id} names; answers the error itself and returns NULL. */
struct cay_sandbox *cay_api_sandbox(struct cay_http_req *req);
