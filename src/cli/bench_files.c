/* SPDX-License-Identifier: Apache-2.0 */
/* A large file into a sandbox and out of it with `cay cp`, beside cp(1) on the same file system. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/id.h"
#include "base/mem.h"
#include "cli/bench_server.h"

enum { SIZE_MB = 256, SIZE_MB_QUICK = 32, ROUNDS = 5, ROUNDS_QUICK = 2 };

struct files {
	char *from, *copy, *remote;
	struct cay_bench_sandbox sandbox;
};

static int make_file(const char *path, size_t megabytes, struct cay_error *err)
{
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	auto_free char *block = cay_alloc(1 << 20);

	cay_random_bytes(block, 1 << 20);
	for (size_t i = 0; fd >= 0 && i < megabytes; i++)
		if (cay_fd_write_all(fd, block, 1 << 20) < 0)
			return cay_fail(err, CAY_E_SYSTEM, errno, "cannot write %s", path);
	return fd < 0 ? cay_fail(err, CAY_E_SYSTEM, errno, "cannot create %s", path) : 0;
}

static int once_cp(struct cay_bench *b CAY_UNUSED, void *arg, uint64_t *ret_ns,
		   struct cay_error *err)
{
	const struct files *f = arg;
	const char *const argv[] = {"cp", f->from, f->copy, NULL};

	return cay_bench_time_process(argv, ret_ns, err);
}

static int once_up(struct cay_bench *b, void *arg, uint64_t *ret_ns, struct cay_error *err)
{
	const struct files *f = arg;
	const char *const argv[] = {b->cay,  "cp",      "--server", b->server->url,
				    f->from, f->remote, NULL};

	return cay_bench_time_process(argv, ret_ns, err);
}

static int once_down(struct cay_bench *b, void *arg, uint64_t *ret_ns, struct cay_error *err)
{
	const struct files *f = arg;
	const char *const argv[] = {b->cay,    "cp",    "--server", b->server->url,
				    f->remote, f->copy, NULL};

	return cay_bench_time_process(argv, ret_ns, err);
}

static int prepare(struct cay_bench *b, struct files *f, struct cay_error *err)
{
	auto_free char *workspace = cay_format("%s/workspace", b->tmp);

	f->from = cay_format("%s/file", b->tmp);
	f->copy = cay_format("%s/copy", b->tmp);
	if (mkdir(workspace, 0755) < 0 && errno != EEXIST)
		return cay_fail(err, CAY_E_SYSTEM, errno, "cannot create %s", workspace);
	if (cay_bench_server_start(b, err) < 0 ||
	    make_file(f->from, cay_bench_rounds(b, SIZE_MB, SIZE_MB_QUICK), err) < 0 ||
	    cay_bench_sandbox_create(b, workspace, &f->sandbox, err) < 0)
		return -1;
	f->remote = cay_format("%s:/workspace/file", f->sandbox.id);
	setenv("CAY_API_KEY", b->server->key, 1);
	return 0;
}

void cay_bench_files(struct cay_bench *b)
{
	struct files f = {.sandbox = {.daemon.fd = -1, .agent.fd = -1}};
	const struct cay_bench_case cases[] = {
		{"files.cp", b->quick ? "cp of 32 MiB" : "cp of 256 MiB", once_cp, &f},
		{"files.upload", "cay cp into a sandbox, same size", once_up, &f},
		{"files.download", "cay cp out of it", once_down, &f},
	};
	struct cay_error err = {};

	if (prepare(b, &f, &err) < 0)
		cay_bench_add_skipped(b, "files", "a large file up and down", err.msg);
	else
		cay_bench_interleave(b, cases, CAY_LEN(cases),
				     cay_bench_rounds(b, ROUNDS, ROUNDS_QUICK));
	cay_bench_sandbox_destroy(&f.sandbox);
	free(f.from);
	free(f.copy);
	free(f.remote);
}
