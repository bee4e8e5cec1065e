/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/service.h"

#include <event2/event.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/mem.h"

void cay_service_begin(struct cay_service *s)
{
	*s = (struct cay_service){
		.root_fd = -1, .reaper.signal_fd = -1, .config.memory_events_fd = -1};
	cay_spawner_init(&s->spawner, &s->config);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int cay_service_init(struct cay_service *s, struct cay_agent_config *config, struct cay_error *err)
{
	s->config = *config;
	*config = (struct cay_agent_config){.memory_events_fd = -1};
	s->base = event_base_new();
	if (!s->base)
		return cay_fail(err, CAY_E_SYSTEM, errno, "create the event loop");
	s->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->root_fd < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "open '/'");
	return cay_reaper_init(&s->reaper, s->base, err);
}

void cay_service_fini(struct cay_service *s)
{
	cay_reaper_fini(&s->reaper);
	if (s->base)
		event_base_free(s->base);
	if (s->root_fd >= 0)
		close(s->root_fd);
	cay_spawner_fini(&s->spawner);
	cay_agent_config_fini(&s->config);
	/* Nothing secret is left, and a checker of leaks wants to look at what is. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

uint64_t cay_service_oom_kills(const struct cay_service *s)
{
	char text[1024];
	const char *at;
	ssize_t n;

	if (s->config.memory_events_fd < 0)
		return 0;
	n = pread(s->config.memory_events_fd, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	/* memory.events has "oom_kill N" and "oom_group_kill N"; memory.oom_control has
	 * "oom_kill_disable N" and "oom_kill N". */
	for (at = text; (at = strstr(at, "oom_kill ")); at++)
		if (at == text || at[-1] == '\n')
			return strtoull(at + strlen("oom_kill "), NULL, 10);
	return 0;
}

char **cay_service_shell_argv(const char *line)
{
	bool bash = access("/bin/bash", X_OK) == 0;
	char **argv = cay_strv_append(NULL, bash ? "/bin/bash" : "/bin/sh");

	argv = cay_strv_append(argv, "-c");
	return cay_strv_append(argv, line);
}
