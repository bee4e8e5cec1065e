/* SPDX-License-Identifier: Apache-2.0 */
#include "manager/state.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "base/path.h"
#include "tap.h"

static char root[64];

static void make_root(void)
{
	snprintf(root, sizeof(root), "/tmp/cay-state-XXXXXX");
	CHECK(mkdtemp(root) != NULL);
}

static void remove_root(void)
{
	CHECK_INT(cay_path_remove_tree(AT_FDCWD, root), 0);
}

static unsigned mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (unsigned)st.st_mode & 07777 : 0;
}

static void makes_a_private_folder_and_key(void)
{
	char key[CAY_STATE_KEY_MAX + 1], again[CAY_STATE_KEY_MAX + 1];
	auto_free char *path = NULL, *file = NULL;
	struct cay_state s;
	struct cay_error err = {};
	unsigned swept;

	make_root();
	path = cay_format("%s/a/b", root);
	file = cay_format("%s/api-key", path);
	CHECK_INT(cay_state_open(path, &s, &swept, &err), 0);
	CHECK_INT(mode_of(path), 0700);
	CHECK_INT(cay_state_api_key(&s, key, &err), 0);
	CHECK_INT(strlen(key), 40);
	CHECK_INT(mode_of(file), 0600);
	CHECK_INT(cay_state_api_key(&s, again, &err), 0);
	CHECK_STR(again, key);
	CHECK_INT(chmod(file, 0644), 0);
	CHECK_INT(cay_state_api_key(&s, again, &err), -1);
	CHECK_INT(err.code, CAY_E_DENIED);
	cay_state_close(&s);
	remove_root();
}

/* The lock belongs to a process: the second one has to be another. */
static void two_cannot_share_it(void)
{
	struct cay_state s;
	struct cay_error err = {};
	unsigned swept;
	int status = -1;
	pid_t pid;

	make_root();
	CHECK_INT(cay_state_open(root, &s, &swept, &err), 0);
	pid = fork();
	if (pid == 0) {
		struct cay_state other;

		_exit(cay_state_open(root, &other, &swept, &err) < 0 ? (int)err.code : 0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK_INT(WEXITSTATUS(status), CAY_E_CONFLICT);
	cay_state_close(&s);
	CHECK_INT(cay_state_open(root, &s, &swept, &err), 0);
	cay_state_close(&s);
	remove_root();
}

static void sweeps_what_is_left(void)
{
	auto_free char *left = NULL;
	struct cay_state s;
	struct cay_error err = {};
	unsigned swept;

	make_root();
	CHECK_INT(cay_state_open(root, &s, &swept, &err), 0);
	CHECK_INT(swept, 0);
	CHECK_INT(cay_state_add_sandbox(&s, "abc", &left, &err), 0);
	CHECK_INT(mode_of(left), 0700);
	cay_state_close(&s);
	CHECK_INT(cay_state_open(root, &s, &swept, &err), 0);
	CHECK_INT(swept, 1);
	CHECK_INT(mode_of(left), 0);
	cay_state_close(&s);
	remove_root();
}

static void leaves_open_folders_alone(void)
{
	auto_free char *file = NULL;
	struct cay_state s;
	struct cay_error err = {};
	unsigned swept;
	int fd;

	make_root();
	CHECK_INT(chmod(root, 0755), 0);
	file = cay_format("%s/something", root);
	fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	close(fd);
	CHECK_INT(cay_state_open(root, &s, &swept, &err), -1);
	CHECK_INT(err.code, CAY_E_DENIED);
	CHECK_INT(mode_of(root), 0755);
	CHECK_INT(unlink(file), 0);
	CHECK_INT(cay_state_open(root, &s, &swept, &err), 0);
	CHECK_INT(mode_of(root), 0700);
	cay_state_close(&s);
	remove_root();
}

static void a_workspace_must_not_show_it(void)
{
	auto_free char *inside = NULL, *sibling = NULL;
	struct cay_state s;
	struct cay_error err = {};
	unsigned swept;

	make_root();
	CHECK_INT(cay_state_open(root, &s, &swept, &err), 0);
	inside = cay_format("%s/sandboxes", root);
	sibling = cay_format("%s-sibling", root);
	CHECK_INT(mkdir(sibling, 0700), 0);
	CHECK_INT(cay_state_check_workspace(&s, "/", &err), -1);
	CHECK_INT(cay_state_check_workspace(&s, "/tmp", &err), -1);
	CHECK_INT(cay_state_check_workspace(&s, root, &err), -1);
	CHECK_INT(cay_state_check_workspace(&s, inside, &err), -1);
	CHECK_INT(cay_state_check_workspace(&s, sibling, &err), 0);
	CHECK_INT(rmdir(sibling), 0);
	cay_state_close(&s);
	remove_root();
}

TAP_MAIN({"makes_a_private_folder_and_key", makes_a_private_folder_and_key},
	 {"two_cannot_share_it", two_cannot_share_it}, {"sweeps_what_is_left", sweeps_what_is_left},
	 {"leaves_open_folders_alone", leaves_open_folders_alone},
	 {"a_workspace_must_not_show_it", a_workspace_must_not_show_it})
