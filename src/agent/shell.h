/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shell session: one interactive bash on a terminal, which lives longer than any command, any
 * request and any client; its variables, functions, folder and jobs stay.
 *
 * The end of a command comes out of band. PROMPT_COMMAND writes exit status, folder and PATH to a
 * SOCK_SEQPACKET socket; the receiving end has SO_PASSCRED (unix(7)), and only messages whose
 * sender, as the kernel says, is this bash itself count. Whatever a program prints, or writes to
 * the same inherited descriptor, it cannot pretend that a command has ended. No output is parsed,
 * nothing is polled.
 *
 * The message may overtake the terminal's last bytes. So the prompt consists of a random sentinel,
 * which tells where output ends, and is believed for nothing else.
 *
 *	STARTING --first prompt--> IDLE --run--> RUNNING --message and sentinel--> IDLE
 *	    any --bash has ended--> ENDED
 *
 * What may go wrong, and what happens: PROMPT_COMMAND overwritten or unset: it is installed again
 * (the sentinel comes without a message while bash is in the foreground). The prompt changed after
 * our hook: the message alone counts after a moment. The socket closed by the command, bash ended
 * by exit, exec, set -e or a signal: ENDED; the owner starts another.
 *
 * A shell is not a security boundary: a user can do to their own bash what they like. The promise
 * is towards programs that only print.
 */
#pragma once

#include "base/error.h"

struct cay_buf;
struct cay_service;
struct cay_shell;

enum cay_shell_state {
	CAY_SHELL_STARTING,
	CAY_SHELL_IDLE,
	CAY_SHELL_RUNNING,
	CAY_SHELL_ENDED,
};

enum {
	CAY_SHELL_ROWS = 1000,
	CAY_SHELL_COLS = 1000,
	CAY_SHELL_TEXT_MAX = 64 << 20, /* most that cay_shell_text can give */
};

struct cay_shell_ops {
	/* The state is now IDLE (the shell is ready, or the command has ended) or ENDED. The shell
	 * may be destroyed in it. */
	void (*on_state)(struct cay_shell *s, void *arg);
	/* Something visible has changed. May be NULL. */
	void (*on_change)(struct cay_shell *s, void *arg);
};

/* Starts bash in a folder (CAY_E_NO_COMMAND where there is none); on_state follows. */
int cay_shell_create(struct cay_service *service, const char *cwd, const struct cay_shell_ops *ops,
		     void *arg, struct cay_shell **ret, struct cay_error *err) CAY_NODISCARD;
void cay_shell_destroy(struct cay_shell *s); /* ends bash and its foreground; NULL is fine */

enum cay_shell_state cay_shell_state(const struct cay_shell *s);
int cay_shell_exit_code(const struct cay_shell *s); /* of the last command; -1: not known */
int64_t cay_shell_background_pid(const struct cay_shell *s); /* $! at the last prompt, or -1 */
const char *cay_shell_cwd(const struct cay_shell *s);        /* as bash says; never NULL */
const char *cay_shell_path(const struct cay_shell *s); /* its PATH; "" before the first prompt */

/* Executes one complete (or incomplete) command, as if it had been typed. IDLE only. */
void cay_shell_run(struct cay_shell *s, const char *command);

/* Types into whatever is in the foreground: text and Enter, or a control character ('c': C-c). In
 * IDLE, a key counts as a command. */
void cay_shell_input(struct cay_shell *s, const char *text);
void cay_shell_key(struct cay_shell *s, char letter);

/* What the terminal shows since the last clear, see agent/screen.h. */
void cay_shell_text(const struct cay_shell *s, struct cay_buf *out);
bool cay_shell_has_lost(const struct cay_shell *s);
void cay_shell_clear(struct cay_shell *s);

/* The last command as the terminal has echoed it: what stands in front of its output. */
const char *cay_shell_echo(const struct cay_shell *s);
