/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OpenHands dialect: the action execution server that OpenHands V0 clients speak with, at the
 * root: /alive, /server_info, /execute_action with run, read and write. An action becomes an
 * observation; the texts, keys and quirks that clients depend on are kept.
 *
 * Actions run one at a time, in the order in which they came; other routes are not held up. An
 * action whose client has gone before its turn is dropped; one that runs goes on, and the shell with
 * it, as with the original.
 */
#pragma once

#include "net/http.h"

struct cay_openhands;
struct cay_service;

extern const struct cay_http_route cay_openhands_routes[];

struct cay_openhands *cay_openhands_create(struct cay_service *service);
void cay_openhands_destroy(struct cay_openhands *o); /* ends its shell; NULL is fine */

/* {"detail": ...} with the status that the original gives. */
void cay_openhands_answer_error(struct cay_http_req *req, const struct cay_error *err);
