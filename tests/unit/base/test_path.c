/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "tap.h"

/* A fresh folder, open; removed by done(). */
static char dir_name[] = "/tmp/cay-test-XXXXXX";

static int fresh(void)
{
	memset(dir_name + strlen(dir_name) - 6, 'X', 6);
	if (!mkdtemp(dir_name))
		abort();
	return open(dir_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static void done(int fd)
{
	close(fd);
	CHECK(cay_path_remove_tree(AT_FDCWD, dir_name) == 0);
	CHECK(access(dir_name, F_OK) < 0);
}

static void checks_text(void)
{
	struct cay_error err = {};
	char name[300], path[5000];

	memset(name, 'a', sizeof(name));
	name[0] = '/';
	memset(path, 'b', sizeof(path));
	for (size_t i = 0; i < sizeof(path); i += 100)
		path[i] = '/';
	CHECK(cay_path_check_absolute("/a/b..c/.d", 10, "path", &err) == 0);
	CHECK(cay_path_check_absolute("a", 1, "path", &err) == -1);
	CHECK(cay_path_check_absolute("", 0, "path", &err) == -1);
	CHECK(cay_path_check_absolute("/a/../b", 7, "path", &err) == -1);
	CHECK(cay_path_check_absolute("/a/..", 5, "path", &err) == -1);
	CHECK(cay_path_check_absolute("/a\0b", 4, "path", &err) == -1);
	CHECK(cay_path_check_absolute(name, sizeof(name), "path", &err) == -1);
	CHECK(cay_path_check_absolute(path, sizeof(path), "path", &err) == -1);
	CHECK(cay_path_check_absolute(path, CAY_PATH_MAX - 1, "path", &err) == 0);
}

static void normalizes(void)
{
	static const char *const rows[][2] = {
		{"/", "/"},      {"//a//b/", "/a/b"}, {"/a/./b/../c", "/a/c"},
		{"/../..", "/"}, {"/a/..", "/"},      {"/...", "/..."}};
	struct cay_error err = {};
	char out[CAY_PATH_MAX];

	for (size_t i = 0; i < CAY_LEN(rows); i++) {
		CHECK(cay_path_normalize(rows[i][0], out, &err) == 0);
		CHECK_STR(out, rows[i][1]);
	}
	CHECK(cay_path_normalize("a", out, &err) == -1);
}

static void never_leaves_the_root(void)
{
	int root = fresh(), fd;

	CHECK(symlinkat("/etc", root, "abs") == 0);
	CHECK(symlinkat("../../../etc", root, "up") == 0);
	CHECK(symlinkat("/proc/self/root/etc", root, "magic") == 0);
	CHECK(cay_path_open(root, "abs/passwd", O_RDONLY, 0, CAY_PATH_IN_ROOT) < 0);
	CHECK(cay_path_open(root, "abs/passwd", O_RDONLY, 0, CAY_PATH_BENEATH) < 0);
	CHECK_INT(errno, EXDEV);
	CHECK(cay_path_open(root, "up/passwd", O_RDONLY, 0, CAY_PATH_IN_ROOT) < 0);
	CHECK(cay_path_open(root, "magic/passwd", O_RDONLY, 0, CAY_PATH_IN_ROOT) < 0);
	CHECK(cay_path_open(root, "../../../etc/passwd", O_RDONLY, 0, CAY_PATH_BENEATH) < 0);
	/* "abs" now means the root's own /etc. */
	CHECK(mkdirat(root, "etc", 0755) == 0);
	fd = cay_path_open(root, "abs/new", O_WRONLY | O_CREAT, 0600, CAY_PATH_IN_ROOT);
	CHECK(fd >= 0);
	close(fd);
	CHECK(faccessat(root, "etc/new", F_OK, 0) == 0);
	CHECK(cay_path_open(root, "abs/new", O_RDONLY, 0, CAY_PATH_NO_LINKS) < 0);
	CHECK_INT(errno, ELOOP);
	done(root);
}

static void makes_folders(void)
{
	int root = fresh(), fd;

	fd = cay_path_mkdirs(root, "/a/b//c", 0755, CAY_PATH_IN_ROOT);
	CHECK(fd >= 0);
	close(fd);
	CHECK(faccessat(root, "a/b/c", F_OK, 0) == 0);
	fd = cay_path_mkdirs(root, "a/b/c", 0755, CAY_PATH_IN_ROOT);
	CHECK(fd >= 0);
	close(fd);
	fd = cay_path_open(root, "file", O_WRONLY | O_CREAT, 0600, CAY_PATH_IN_ROOT);
	close(fd);
	CHECK(cay_path_mkdirs(root, "file/x", 0755, CAY_PATH_IN_ROOT) < 0);
	CHECK_INT(errno, ENOTDIR);
	CHECK(symlinkat("/etc", root, "out") == 0);
	CHECK(cay_path_mkdirs(root, "out/x", 0755, CAY_PATH_BENEATH) < 0);
	done(root);
}

static void finds_the_parent(void)
{
	int root = fresh(), fd;
	const char *name = NULL;

	CHECK(mkdirat(root, "d", 0755) == 0);
	fd = cay_path_open_parent(root, "/d/file", CAY_PATH_IN_ROOT, &name);
	CHECK(fd >= 0);
	CHECK_STR(name, "file");
	close(fd);
	fd = cay_path_open_parent(root, "/", CAY_PATH_IN_ROOT, &name);
	CHECK(fd >= 0);
	CHECK_STR(name, ".");
	close(fd);
	CHECK(cay_path_open_parent(root, "/none/file", CAY_PATH_IN_ROOT, &name) < 0);
	done(root);
}

static void removes_deep_trees(void)
{
	int root = fresh(), fd = dup(root), next;

	for (int i = 0; i < 1000; i++) {
		CHECK(mkdirat(fd, "deep", 0755) == 0);
		next = openat(fd, "deep", O_PATH | O_DIRECTORY);
		close(openat(fd, "file", O_WRONLY | O_CREAT, 0400));
		close(fd);
		fd = next;
	}
	close(fd);
	done(root);
}

static void removal_does_not_follow_links(void)
{
	int root = fresh();
	char other[] = "/tmp/cay-keep-XXXXXX";

	CHECK(mkdtemp(other) != NULL);
	CHECK(mkdirat(root, "t", 0755) == 0);
	CHECK(symlinkat(other, root, "t/link") == 0);
	CHECK(cay_path_remove_tree(root, "t") == 0);
	CHECK(access(other, F_OK) == 0);
	CHECK(rmdir(other) == 0);
	done(root);
}

/* What both ways of resolving must agree on. */
static void walks_links_and_dots(void)
{
	static const struct {
		const char *path;
		int flags;
		enum cay_path_scope scope;
		int sys; /* 0: it opens */
	} rows[] = {
		{"/", O_PATH, CAY_PATH_IN_ROOT, 0},
		{".", O_PATH | O_DIRECTORY, CAY_PATH_BENEATH, 0},
		{"d/../d/./f", O_RDONLY, CAY_PATH_BENEATH, 0},
		{"d//f", O_RDONLY, CAY_PATH_NO_LINKS, 0},
		{"../../d/f", O_RDONLY, CAY_PATH_IN_ROOT, 0},
		{"../d/f", O_RDONLY, CAY_PATH_BENEATH, EXDEV},
		{"to-d/f", O_RDONLY, CAY_PATH_BENEATH, 0},
		{"to-f", O_RDONLY, CAY_PATH_BENEATH, 0},
		{"to-f", O_PATH | O_NOFOLLOW, CAY_PATH_BENEATH, 0},
		{"to-f", O_RDONLY | O_NOFOLLOW, CAY_PATH_BENEATH, ELOOP},
		{"to-f", O_RDONLY, CAY_PATH_NO_LINKS, ELOOP},
		{"to-d/f", O_RDONLY, CAY_PATH_NO_LINKS, ELOOP},
		{"loop", O_RDONLY, CAY_PATH_IN_ROOT, ELOOP},
		{"d/f/", O_RDONLY, CAY_PATH_BENEATH, ENOTDIR},
		{"d/f/x", O_RDONLY, CAY_PATH_BENEATH, ENOTDIR},
		{"d/none", O_RDONLY, CAY_PATH_BENEATH, ENOENT},
		{"none/f", O_RDONLY, CAY_PATH_BENEATH, ENOENT},
		{"up", O_PATH, CAY_PATH_BENEATH, EXDEV},
		{"up", O_PATH, CAY_PATH_IN_ROOT, 0},
	};
	int root = fresh(), fd;

	CHECK(mkdirat(root, "d", 0755) == 0);
	close(openat(root, "d/f", O_WRONLY | O_CREAT, 0644));
	CHECK(symlinkat("d", root, "to-d") == 0);
	CHECK(symlinkat("to-d/../d/f", root, "to-f") == 0);
	CHECK(symlinkat("loop", root, "loop") == 0);
	CHECK(symlinkat("../..", root, "up") == 0);
	for (size_t i = 0; i < CAY_LEN(rows); i++) {
		errno = 0;
		fd = cay_path_open(root, rows[i].path, rows[i].flags, 0, rows[i].scope);
		if (fd >= 0)
			close(fd);
		if ((fd >= 0) != (rows[i].sys == 0) || (fd < 0 && errno != rows[i].sys)) {
			tap_failures++;
			printf("# %s (row %zu): %d, %s\n", rows[i].path, i, fd, strerror(errno));
		}
	}
	done(root);
}

/* Everything again where the kernel has no openat2: in a child whose filter says so. */
static void works_without_openat2(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {.len = CAY_LEN(code), .filter = code};
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
			_exit(1);
		CHECK(syscall(SYS_openat2, -1, "", NULL, 0) < 0 && errno == ENOSYS);
		never_leaves_the_root();
		makes_folders();
		finds_the_parent();
		removes_deep_trees();
		walks_links_and_dots();
		fflush(stdout);
		_exit(tap_failures ? 1 : 0);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK_INT(status, 0);
}

TAP_MAIN({"checks_text", checks_text}, {"normalizes", normalizes},
	 {"never_leaves_the_root", never_leaves_the_root}, {"makes_folders", makes_folders},
	 {"finds_the_parent", finds_the_parent}, {"removes_deep_trees", removes_deep_trees},
	 {"removal_does_not_follow_links", removal_does_not_follow_links},
	 {"walks_links_and_dots", walks_links_and_dots},
	 {"works_without_openat2", works_without_openat2})
