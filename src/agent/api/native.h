/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The native dialect, /v1/...: what the daemon passes through as /v1/sandboxes/{id}/... unchanged.
 * Errors have the one shape of base/json.h. Dates are RFC 3339 in UTC.
 */
#pragma once

#include "net/http.h"

struct cay_agent_server;
struct cay_service;

extern const struct cay_http_route cay_native_routes[];         /* health, forward */
extern const struct cay_http_route cay_native_exec_routes[];    /* exec */
extern const struct cay_http_route cay_native_process_routes[]; /* processes */
extern const struct cay_http_route cay_native_files_routes[];   /* files */

/* ---- what exec and processes have in common ---- */

/* "command": an array of arguments, or a line for the shell. *ret is owned by the caller. */
int cay_native_read_command(const json_t *command, char ***ret,
			    struct cay_error *err) CAY_NODISCARD;

/* The environment of commands with the request's variables over it. `env` may be NULL. */
int cay_native_read_env(const struct cay_service *s, const json_t *env, char ***ret,
			struct cay_error *err) CAY_NODISCARD;

/* NULL: the working folder. */
int cay_native_read_cwd(const struct cay_service *s, const char **cwd,
			struct cay_error *err) CAY_NODISCARD;

/* "user": only the sandbox's own. NULL is fine. */
int cay_native_read_user(const struct cay_service *s, const char *user,
			 struct cay_error *err) CAY_NODISCARD;

/* "exit_code", and "signal", "oom", "timed_out" where they apply. */
struct cay_child_end;
void cay_native_put_end(json_t *obj, const struct cay_child_end *end);

/* "signal": a name with or without SIG, or a number. */
int cay_native_read_signal(const json_t *value, int *ret, struct cay_error *err) CAY_NODISCARD;

/* Answers with a WebSocket that carries a process's input, output, signals and size. */
struct cay_process;
void cay_native_attach(struct cay_http_req *req, struct cay_process *p);
