/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over the files of a folder, or over files: its seeds and former crashers. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"

#include "fuzz.h"

enum { INPUT_MAX = 16 << 20 };

static int replay(const char *path)
{
	struct cay_error err;
	struct cay_buf b;
	uint8_t *copy;

	cay_buf_init(&b, INPUT_MAX);
	if (cay_fd_read_file(path, &b, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return -1;
	}
	/* Without the NUL that a buffer has behind it, so that sanitizers see an overrun. */
	copy = malloc(b.len ? b.len : 1);
	if (!copy)
		return -1;
	memcpy(copy, b.data, b.len);
	printf("# %s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(copy, b.len);
	free(copy);
	cay_buf_fini(&b);
	return 0;
}

static int replay_folder(DIR *dir, const char *path, int *count)
{
	struct dirent *e;
	int rc = 0;

	while (rc == 0 && (e = readdir(dir))) {
		auto_free char *file = NULL;

		if (e->d_name[0] == '.')
			continue;
		file = cay_format("%s/%s", path, e->d_name);
		rc = replay(file);
		(*count)++;
	}
	return rc;
}

int main(int argc, char **argv)
{
	int rc = 0, count = 0;

	for (int i = 1; i < argc && rc == 0; i++) {
		DIR *dir = opendir(argv[i]);

		if (!dir) {
			rc = replay(argv[i]);
			count++;
			continue;
		}
		rc = replay_folder(dir, argv[i], &count);
		closedir(dir);
	}
	printf("%d inputs\n", count);
	return rc < 0 || !count; /* an empty corpus is a mistake */
}
