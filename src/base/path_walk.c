/* SPDX-License-Identifier: Apache-2.0 */
/* Resolving a path beneath a root by hand. Knows nothing of who asks. */
#include "base/path_walk.h"

#include <fcntl.h>
#include <string.h>

#include "base/buf.h"

enum {
	PATH_WALK_DEPTH_MAX =
		256,    /* folders below the root, each an open descriptor during the walk */
	LINKS_MAX = 40, /* as the kernel's MAXSYMLINKS */
};

struct walk {
	enum cay_path_scope scope;
	int fds[PATH_WALK_DEPTH_MAX]; /* [0] is the root; owned from [1] on */
	int depth;                    /* of the folder reached */
	int links;
	struct cay_buf rest; /* what is still to be walked */
};

static int give_up(int sys)
{
	errno = sys;
	return -1;
}

/* Takes the next component off the rest; false at its end. *ret_last: only slashes follow. */
static bool next_name(struct walk *w, char name[CAY_PATH_NAME_MAX + 1], bool *ret_last,
		      bool *ret_too_long)
{
	size_t skip = strspn(w->rest.data, "/"), n;

	cay_buf_consume(&w->rest, skip);
	n = strcspn(w->rest.data, "/");
	*ret_too_long = n > CAY_PATH_NAME_MAX;
	if (!n || *ret_too_long)
		return n > 0;
	memcpy(name, w->rest.data, n);
	name[n] = '\0';
	*ret_last = !w->rest.data[n + strspn(w->rest.data + n, "/")];
	cay_buf_consume(&w->rest, n);
	return true;
}

static int step_up(struct walk *w)
{
	if (w->depth == 0)
		return w->scope == CAY_PATH_IN_ROOT ? 0 : give_up(EXDEV);
	close(w->fds[w->depth--]);
	return 0;
}

static void to_root(struct walk *w)
{
	while (w->depth > 0)
		close(w->fds[w->depth--]);
}

/* 1: name was a symlink and its target stands in front of the rest now; 0: it is none. */
static int expand_link(struct walk *w, const char *name)
{
	char target[CAY_PATH_MAX];
	auto_free char *after = NULL;
	ssize_t n = readlinkat(w->fds[w->depth], name, target, sizeof(target));

	if (n < 0)
		return errno == EINVAL || errno == ENOENT ? 0 : -1;
	if (n == sizeof(target) || w->scope == CAY_PATH_NO_LINKS || ++w->links > LINKS_MAX)
		return give_up(ELOOP);
	if (target[0] == '/') {
		if (w->scope != CAY_PATH_IN_ROOT)
			return give_up(EXDEV);
		to_root(w);
	}
	after = cay_buf_take(&w->rest);
	cay_buf_append(&w->rest, target, (size_t)n);
	cay_buf_puts(&w->rest, after); /* empty, or from its '/' on */
	return w->rest.overflow ? give_up(ENAMETOOLONG) : 1;
}

static int step_down(struct walk *w, const char *name)
{
	int fd;

	if (w->depth + 1 == PATH_WALK_DEPTH_MAX)
		return give_up(ENAMETOOLONG);
	fd = openat(w->fds[w->depth], name, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	w->fds[++w->depth] = fd;
	return 0;
}

static int finish(struct walk *w, const char *name, int flags, mode_t mode)
{
	return openat(w->fds[w->depth], name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
}

static int resolve(struct walk *w, int flags, mode_t mode)
{
	char name[CAY_PATH_NAME_MAX + 1];
	bool last = false, too_long = false, wants_folder;
	int k;

	while (next_name(w, name, &last, &too_long)) {
		if (too_long)
			return give_up(ENAMETOOLONG);
		wants_folder = last && w->rest.len > 0;
		if (!strcmp(name, "."))
			continue;
		if (!strcmp(name, "..")) {
			if (step_up(w) < 0)
				return -1;
			continue;
		}
		if (!last || wants_folder || !(flags & O_NOFOLLOW)) {
			k = expand_link(w, name);
			if (k < 0)
				return -1;
			if (k > 0)
				continue;
		}
		if (last)
			return finish(w, name, flags | (wants_folder ? O_DIRECTORY : 0), mode);
		if (step_down(w, name) < 0)
			return -1;
	}
	return finish(w, ".", flags, mode);
}

int cay_path_walk(int root_fd, const char *path, int flags, mode_t mode, enum cay_path_scope scope)
{
	struct walk w = {.scope = scope, .fds = {root_fd}};
	int fd = -1, saved;

	/* A target may be as long as a path, and so may what follows it. */
	cay_buf_init(&w.rest, 2 * CAY_PATH_MAX);
	if (strlen(path) >= CAY_PATH_MAX || cay_buf_puts(&w.rest, path) < 0)
		errno = ENAMETOOLONG;
	else
		fd = resolve(&w, flags, mode);
	saved = errno;
	to_root(&w);
	cay_buf_fini(&w.rest);
	errno = saved;
	return fd;
}
