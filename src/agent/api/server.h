/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's HTTP server: the dialects' tables of routes over one set of services, one check of
 * the key, and each dialect's own shape of errors.
 */
#pragma once

#include "net/http.h"

struct cay_openhands;
struct cay_process_table;
struct cay_service;

/* cay_http_user() in the dialects. */
struct cay_agent_server {
	struct cay_service *service;
	struct cay_http_server *http; /* for cay_http_listen_*, cay_http_server_drain */
	struct cay_process_table *processes;
	struct cay_openhands *openhands;
	uint64_t started_ns;
};

int cay_agent_server_create(struct cay_service *service, struct cay_agent_server **ret,
			    struct cay_error *err) CAY_NODISCARD;
void cay_agent_server_destroy(struct cay_agent_server *s); /* ends all programs; NULL is fine */
