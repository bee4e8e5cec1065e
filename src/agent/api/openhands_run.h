/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The action "run": a session of one shell, and what the original makes of it. A command that has
 * not ended when its time is over goes on; the next action looks at it again (an empty command),
 * types into it (is_input), or is told that it still runs.
 */
#pragma once

#include "agent/api/openhands_event.h"

struct cay_oh_session;
struct cay_service;

/* No shell is started yet. cwd NULL: the working folder. */
struct cay_oh_session *cay_oh_session_create(struct cay_service *service, const char *cwd);
void cay_oh_session_destroy(struct cay_oh_session *s); /* ends the shell; NULL is fine */

/* Where relative paths begin. */
const char *cay_oh_session_cwd(const struct cay_oh_session *s);

/* One at a time. on_done is called once, perhaps before this returns, with an observation that is
 * then the callee's; the session may be destroyed in it. The action is borrowed during the call. */
void cay_oh_session_run(struct cay_oh_session *s, const struct cay_oh_action *action,
			void (*on_done)(json_t *observation, void *arg), void *arg);
