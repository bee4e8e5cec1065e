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

	/* Answers that are worth waiting for when the daemon stops, and who wants to know that none
	 * is left. */
	unsigned pending;
	void (*on_idle)(void *arg);
	void *on_idle_arg;
};

enum {
	/* The key of the sandbox named in the path is enough. */
	CAY_API_SESSION = CAY_HTTP_USER,
	/* A stream without an end of its own: stopping does not wait for it. */
	CAY_API_ENDLESS = CAY_HTTP_USER << 1,
};

extern const struct cay_http_route cay_api_meta_routes[];    /* healthz, metrics, runtimes */
extern const struct cay_http_route cay_api_sandbox_routes[]; /* create, list, get, delete */
extern const struct cay_http_route cay_api_forward_routes[]; /* what the agent answers */
extern const struct cay_http_route *const cay_api_tables[];  /* all of them; NULL-terminated */

/* The HTTP server over api's routes, in front of an opened manager. Fills api->server. */
int cay_api_create(struct event_base *base, struct cay_api *api,
		   struct cay_error *err) CAY_NODISCARD;

/* Accepts nothing new; calls on_idle(arg) from the loop or at once when no answer is pending. */
void cay_api_drain(struct cay_api *api, void (*on_idle)(void *arg), void *arg);

/* An answer that comes later is pending from begin to end. */
void cay_api_begin(struct cay_http_req *req);
void cay_api_end(struct cay_api *api);

/* The sandbox that parameter {id} names; answers the error itself and returns NULL. */
struct cay_sandbox *cay_api_sandbox(struct cay_http_req *req);
