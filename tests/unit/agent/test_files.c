/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/files.h"

#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tap.h"

static char dir[64];
static int root = -1;

static void setup(void)
{
	struct cay_error err;

	if (root < 0)
		root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(dir, sizeof(dir), "/tmp/cay-files-XXXXXX");
	CHECK(mkdtemp(dir) != NULL);
	CHECK(cay_files_mkdir(root, dir, 0755, true, &err) == 0);
}

static void teardown(void)
{
	struct cay_error err;

	CHECK(cay_files_remove(root, dir, true, &err) == 0);
}

static const char *in(const char *name)
{
	static char path[4][128];
	static int i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

static int put(const char *path, const char *text, mode_t mode, struct cay_error *err)
{
	struct cay_file_writer w;
	int status;

	if (cay_file_writer_open(&w, root, path, mode, false, err) < 0)
		return -1;
	status = cay_file_writer_write(&w, text, strlen(text), err);
	if (status == 0)
		status = cay_file_writer_commit(&w, err);
	cay_file_writer_close(&w);
	return status;
}

static void check_content(const char *path, const char *want)
{
	char got[64] = "";
	struct cay_error err;
	struct stat st;
	int fd;

	CHECK(cay_files_open(root, path, &fd, &st, &err) == 0);
	CHECK(read(fd, got, sizeof(got) - 1) >= 0);
	close(fd);
	CHECK_STR(got, want);
}

static void writes_atomically_and_keeps_the_mode(void)
{
	struct cay_files_list list;
	struct cay_file_writer w;
	struct cay_error err;
	struct stat st;

	setup();
	CHECK(put(in("a"), "one", 0, &err) == 0);
	CHECK(stat(in("a"), &st) == 0 && (st.st_mode & 07777) == 0644);
	CHECK(chmod(in("a"), 0750) == 0);
	CHECK(put(in("a"), "two", 0, &err) == 0);
	CHECK(stat(in("a"), &st) == 0 && (st.st_mode & 07777) == 0750);
	check_content(in("a"), "two");
	/* Given up halfway: the old content, and nothing left beside it. */
	CHECK(cay_file_writer_open(&w, root, in("a"), 0, false, &err) == 0);
	CHECK(cay_file_writer_write(&w, "half", 4, &err) == 0);
	cay_file_writer_close(&w);
	check_content(in("a"), "two");
	CHECK(cay_files_list(root, dir, 1, &list, &err) == 0);
	CHECK_INT(list.n, 1);
	cay_files_list_fini(&list);
	teardown();
}

static void follows_a_link_and_leaves_it(void)
{
	struct cay_error err;
	struct stat st;

	setup();
	CHECK(symlink("real", in("link")) == 0);
	CHECK(put(in("link"), "through", 0, &err) == 0);
	check_content(in("real"), "through");
	CHECK(lstat(in("link"), &st) == 0 && S_ISLNK(st.st_mode));
	CHECK(symlink("circle", in("circle")) == 0);
	CHECK(put(in("circle"), "x", 0, &err) < 0);
	teardown();
}

static void refuses_what_is_not_a_regular_file(void)
{
	struct cay_error err;
	struct stat st;
	int fd;

	setup();
	CHECK(mkfifo(in("fifo"), 0600) == 0);
	CHECK(cay_files_open(root, in("fifo"), &fd, &st, &err) < 0);
	CHECK_INT(err.code, CAY_E_INVALID);
	CHECK(put(in("fifo"), "x", 0, &err) < 0);
	CHECK_INT(err.code, CAY_E_INVALID);
	CHECK(cay_files_open(root, dir, &fd, &st, &err) < 0);
	CHECK_INT(err.code, CAY_E_INVALID);
	CHECK(put(dir, "x", 0, &err) < 0);
	CHECK(cay_files_open(root, "relative", &fd, &st, &err) < 0);
	CHECK(cay_files_open(root, "/a/../b", &fd, &st, &err) < 0);
	CHECK(cay_files_open(root, in("missing"), &fd, &st, &err) < 0);
	CHECK_INT(err.code, CAY_E_NOT_FOUND);
	CHECK(cay_files_open(root, "/proc/self/exe", &fd, &st, &err) < 0);
	teardown();
}

static void lists_moves_and_removes(void)
{
	struct cay_files_list list;
	struct cay_error err;
	char *target;
	struct stat st;

	setup();
	CHECK(cay_files_mkdir(root, in("x/y/z"), 0755, true, &err) == 0);
	CHECK(cay_files_mkdir(root, in("p/q"), 0755, false, &err) < 0);
	CHECK(put(in("x/b"), "b", 0, &err) == 0);
	CHECK(symlink("b", in("x/a")) == 0);
	CHECK(cay_files_list(root, dir, 2, &list, &err) == 0);
	CHECK_INT(list.n, 4);
	CHECK_STR(list.entries[0].name, "x");
	CHECK_STR(list.entries[1].name, "x/a");
	CHECK_STR(list.entries[3].name, "x/y");
	cay_files_list_fini(&list);
	CHECK(cay_files_stat(root, in("x/a"), &st, &target, &err) == 0);
	CHECK_STR(target, "b");
	free(target);
	CHECK(put(in("c"), "c", 0, &err) == 0);
	CHECK(cay_files_move(root, in("c"), in("x/b"), false, &err) < 0);
	CHECK_INT(err.code, CAY_E_CONFLICT);
	CHECK(cay_files_move(root, in("c"), in("x/b"), true, &err) == 0);
	check_content(in("x/b"), "c");
	CHECK(cay_files_remove(root, in("x"), false, &err) < 0);
	CHECK_INT(err.code, CAY_E_CONFLICT);
	CHECK(cay_files_remove(root, in("x"), true, &err) == 0);
	CHECK(cay_files_remove(root, in("x"), true, &err) < 0);
	CHECK_INT(err.code, CAY_E_NOT_FOUND);
	CHECK(cay_files_remove(root, "/", true, &err) < 0);
	teardown();
}

TAP_MAIN({"writes_atomically_and_keeps_the_mode", writes_atomically_and_keeps_the_mode},
	 {"follows_a_link_and_leaves_it", follows_a_link_and_leaves_it},
	 {"refuses_what_is_not_a_regular_file", refuses_what_is_not_a_regular_file},
	 {"lists_moves_and_removes", lists_moves_and_removes})
