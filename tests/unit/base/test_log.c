/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/buf.h"
#include "tap.h"

static int reader, saved;

/* From here on stderr is a pipe that the test reads, or does not. */
static void begin(void)
{
	int pair[2];

	CHECK(pipe2(pair, O_CLOEXEC | O_NONBLOCK) == 0);
	saved = dup(STDERR_FILENO);
	dup2(pair[1], STDERR_FILENO);
	fcntl(STDERR_FILENO, F_SETFL, 0); /* blocking, as a program gets it */
	close(pair[1]);
	reader = pair[0];
}

static char *read_all(void)
{
	static char text[1 << 20];
	size_t n = 0;
	ssize_t k;

	while ((k = read(reader, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)k;
	text[n] = '\0';
	return text;
}

static void end(void)
{
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(reader);
}

static void writes_lines(void)
{
	char *text;

	begin();
	cay_log_setup(CAY_LOG_INFO, false);
	cay_log(CAY_LOG_DEBUG, "x", "not shown");
	cay_log(CAY_LOG_WARN, "area", "a\x1b%d", 7);
	text = read_all();
	CHECK(strstr(text, "Z warning area: a\\x1b7\n"));
	CHECK(!strstr(text, "not shown"));
	end();
}

static void writes_json(void)
{
	begin();
	cay_log_setup(CAY_LOG_INFO, true);
	cay_log(CAY_LOG_INFO, "area", "say \"x\"");
	CHECK(strstr(read_all(),
		     "\"level\":\"info\",\"area\":\"area\",\"message\":\"say \\\"x\\\"\"}\n"));
	cay_log_setup(CAY_LOG_INFO, false);
	end();
}

static void never_waits_for_a_reader(void)
{
	begin();
	for (int i = 0; i < 5000; i++)
		cay_log(CAY_LOG_INFO, "area", "line %d %0500d", i, 0);
	CHECK(strstr(read_all(), "line 0 "));
	cay_log(CAY_LOG_INFO, "area", "back again");
	CHECK(strstr(read_all(), " lines were lost: nobody read them\n"));
	cay_log(CAY_LOG_INFO, "area", "and on");
	CHECK(!strstr(read_all(), "lost"));
	end();
}

TAP_MAIN({"writes_lines", writes_lines}, {"writes_json", writes_json},
	 {"never_waits_for_a_reader", never_waits_for_a_reader})
