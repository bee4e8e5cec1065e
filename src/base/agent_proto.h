/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the engine (box) and the agent meet. They know nothing else of each other.
 *
 * The engine executes cay-agent as PID 1 of the sandbox, by descriptor, with
 *
 *	cay-agent --inherit
 *
 * and with these descriptors open, and no others but 0, 1, 2 (/dev/null, and the log file or
 * /dev/null):
 *
 *	3  a listening unix stream socket: the agent serves HTTP on it. Its path is on the host, not
 *in the sandbox. 4  the status end of a pipe: the agent writes one `struct cay_agent_hello` when it
 *is ready to answer, then keeps the descriptor open for its whole life; its end of file means that
 *the agent is gone. 5  a memfd with the configuration as JSON (so that secrets are in neither argv
 *nor environ):
 *	   {"working_dir", "username", "home", "uid", "gid", "env": {...}, "session_api_key"?,
 *	    "work_cgroup_fds": [fd...], "memory_events_fd": fd?}
 *	   work_cgroup_fds: open cgroup.procs files of the leaf in which commands run; a child
 *writes "0" to each before it executes anything. memory_events_fd: memory.events (v2) or
 *	   memory.oom_control (v1) of that leaf; the number after "oom_kill" counts killings.
 *	6 and up: the descriptors named in the configuration.
 *
 * The agent closes on exec everything that it inherited.
 */
#pragma once

#include <stdint.h>

enum {
	CAY_AGENT_LISTEN_FD = 3,
	CAY_AGENT_STATUS_FD = 4,
	CAY_AGENT_CONFIG_FD = 5,
	CAY_AGENT_FIRST_EXTRA_FD = 6,

	CAY_AGENT_MAGIC = 0x63617931, /* "cay1" */
	CAY_AGENT_PROTO_VERSION = 1,

	/* The id of the one user of a sandbox, inside it. */
	CAY_AGENT_UID = 1000,
	CAY_AGENT_GID = 1000,
};

#define CAY_AGENT_USER "cay"
#define CAY_AGENT_HOME "/home/cay"

struct cay_agent_hello {
	uint32_t magic;
	uint32_t proto_version;
};
