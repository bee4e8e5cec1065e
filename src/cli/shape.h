/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `cay run` and `cay create` have in common: the rows of the options that shape a sandbox, and
 * how their values are read.
 */
#pragma once

#include "box/box.h"
#include "cli/option.h"

/* The rows for memory, cpus and pids, as initialisers of a table. */
#define CAY_SHAPE_ROWS(type)                                                                       \
	{"memory",                                                                                 \
	 'm',                                                                                      \
	 CAY_OPTION_SIZE,                                                                          \
	 offsetof(type, memory),                                                                   \
	 "SIZE",                                                                                   \
	 "most memory, for example 512m or 2g (default: no limit of its own)",                     \
	 .min = (double)CAY_BOX_MEMORY_MIN_MB * (1 << 20),                                         \
	 .max = (double)CAY_BOX_MEMORY_MAX_MB * (1 << 20)},                                        \
		{"cpus",                                                                           \
		 'c',                                                                              \
		 CAY_OPTION_NUMBER,                                                                \
		 offsetof(type, cpus),                                                             \
		 "N",                                                                              \
		 "most processor time: 1.5 is one and a half CPUs (default: no limit)",            \
		 .min = 0.01,                                                                      \
		 .max = CAY_BOX_CPUS_MAX},                                                         \
	{                                                                                          \
		"pids", 0, CAY_OPTION_INT, offsetof(type, pids), "N",                              \
			"most processes and threads (default 4096)", .min = CAY_BOX_PIDS_MIN,      \
								     .max = CAY_BOX_PIDS_MAX       \
	}

/* "DIR", "DIR:ro" or "DIR:rw": an existing folder of the host, made absolute. Owned *ret_path. */
int cay_shape_parse_workspace(const char *text, char **ret_path, bool *ret_read_only,
			      struct cay_error *err) CAY_NODISCARD;

/* Applies "NAME=VALUE" or "NAME" (the value that we have; nothing where we have none) to an
 * environment array, or just collects them when it begins as NULL. Returns 0 or -1. */
int cay_shape_add_env(char ***env, char *const *settings, struct cay_error *err) CAY_NODISCARD;
