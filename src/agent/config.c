/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's configuration: defaults of the process, overridden by JSON. */
#include "agent/config.h"

#include <fcntl.h>
#include <string.h>

#include "base/agent_proto.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum {
	DEFAULT_NO_CHANGE_TIMEOUT_S = 10,
	PASSWD_MAX = 1 << 20,
};

struct passwd_entry {
	const char *name, *home;
};

/* One line name:pw:uid:gid:gecos:home:shell, cut in place. /etc/passwd may be the image's and is
 * not trusted: a line that does not fit is passed over. (getpwuid would pull NSS into a static
 * program.) */
static bool parse_passwd_line(char *line, uid_t uid, struct passwd_entry *ret)
{
	char *field[7], *p = line;
	struct cay_error err;
	int64_t id;

	for (size_t i = 0; i < CAY_LEN(field); i++) {
		field[i] = strsep(&p, ":");
		if (!field[i])
			return false;
	}
	if (cay_text_int(field[2], "uid", 0, UINT32_MAX, &id, &err) < 0 || (uid_t)id != uid)
		return false;
	*ret = (struct passwd_entry){.name = field[0], .home = field[5]};
	return true;
}

static void set_string(char **slot, const char *value)
{
	free(*slot);
	*slot = cay_strdup(value);
}

static void read_passwd(struct cay_agent_config *c)
{
	struct passwd_entry entry;
	struct cay_error err;
	auto_buf struct cay_buf text;
	char *p, *line;

	cay_buf_init(&text, PASSWD_MAX);
	if (cay_fd_read_file("/etc/passwd", &text, &err) < 0)
		return;
	p = text.data;
	while ((line = strsep(&p, "\n"))) {
		if (!parse_passwd_line(line, c->uid, &entry))
			continue;
		set_string(&c->username, entry.name);
		if (entry.home[0] == '/')
			set_string(&c->home, entry.home);
		return;
	}
}

/* The variables that a program may expect even where nothing is configured. */
static void set_env(struct cay_agent_config *c, const json_t *configured)
{
	const char *name;
	json_t *value;

	cay_strv_free(c->env);
	c->env = NULL;
	c->env = cay_env_set(c->env, "PATH", DEFAULT_PATH);
	c->env = cay_env_set(c->env, "HOME", c->home);
	c->env = cay_env_set(c->env, "USER", c->username);
	c->env = cay_env_set(c->env, "LOGNAME", c->username);
	c->env = cay_env_set(c->env, "SHELL", "/bin/bash");
	c->env = cay_env_set(c->env, "TERM", "xterm-256color");
	c->env = cay_env_set(c->env, "LANG", "C.UTF-8");
	json_object_foreach ((json_t *)(uintptr_t)configured, name, value)
		c->env = cay_env_set(c->env, name, json_string_value(value));
}

static void read_no_change_timeout(struct cay_agent_config *c)
{
	const char *s = cay_env_get((const char *const *)c->env, "NO_CHANGE_TIMEOUT_SECONDS");
	struct cay_error err;
	int64_t seconds;

	if (!s)
		s = getenv("NO_CHANGE_TIMEOUT_SECONDS");
	if (s && cay_text_int(s, "NO_CHANGE_TIMEOUT_SECONDS", 1, 86400, &seconds, &err) == 0)
		c->no_change_timeout_s = (unsigned)seconds;
}

void cay_agent_config_init(struct cay_agent_config *c)
{
	char *cwd = getcwd(NULL, 0);

	*c = (struct cay_agent_config){
		.working_dir = cwd && cwd[0] == '/' ? cwd : cay_strdup("/"),
		.username = cay_strdup("user"),
		.home = cay_strdup("/"),
		.uid = geteuid(),
		.gid = getegid(),
		.memory_events_fd = -1,
		.no_change_timeout_s = DEFAULT_NO_CHANGE_TIMEOUT_S,
	};
	if (c->working_dir != cwd)
		free(cwd);
	read_passwd(c);
	set_env(c, NULL);
	read_no_change_timeout(c);
}

void cay_agent_config_fini(struct cay_agent_config *c)
{
	free(c->working_dir);
	free(c->username);
	free(c->home);
	cay_strv_free(c->env);
	if (c->session_api_key)
		explicit_bzero(c->session_api_key, strlen(c->session_api_key));
	free(c->session_api_key);
	for (size_t i = 0; i < c->n_work_cgroup_fds; i++)
		close(c->work_cgroup_fds[i]);
	if (c->memory_events_fd >= 0)
		close(c->memory_events_fd);
	*c = (struct cay_agent_config){.memory_events_fd = -1};
}

int cay_agent_config_set_working_dir(struct cay_agent_config *c, const char *dir,
				     struct cay_error *err)
{
	if (cay_path_check_absolute(dir, strlen(dir), "the working folder", err) < 0)
		return -1;
	set_string(&c->working_dir, dir);
	return 0;
}

struct config_input {
	const char *working_dir, *username, *home, *session_api_key;
	int64_t uid, gid, memory_events_fd;
	json_t *env, *work_cgroup_fds;
};

static const struct cay_json_field config_fields[] = {
	CAY_JSON_FIELD(struct config_input, env, CAY_JSON_MAP),
	CAY_JSON_FIELD(struct config_input, gid, CAY_JSON_INT, .min = 0, .max = UINT32_MAX),
	CAY_JSON_FIELD(struct config_input, home, CAY_JSON_STRING, .max = CAY_PATH_MAX - 1),
	CAY_JSON_FIELD(struct config_input, memory_events_fd, CAY_JSON_INT, .min = -1, .max = 1024),
	CAY_JSON_FIELD(struct config_input, session_api_key, CAY_JSON_STRING, .max = 1024),
	CAY_JSON_FIELD(struct config_input, uid, CAY_JSON_INT, .min = 0, .max = UINT32_MAX),
	CAY_JSON_FIELD(struct config_input, username, CAY_JSON_STRING, .max = 255),
	CAY_JSON_FIELD(struct config_input, work_cgroup_fds, CAY_JSON_ARRAY,
		       .max = CAY_AGENT_CGROUP_FDS_MAX),
	CAY_JSON_FIELD(struct config_input, working_dir, CAY_JSON_STRING, .max = CAY_PATH_MAX - 1),
};

/* Takes an inherited descriptor: it must be open, and be none of the fixed ones. */
static int adopt_fd(int64_t fd, const char *what, int *ret, struct cay_error *err)
{
	if (fd < CAY_AGENT_FIRST_EXTRA_FD || fd > 1024 || cay_fd_set_cloexec((int)fd, true) < 0)
		return cay_fail(err, CAY_E_INVALID, 0, "%s: %lld is not an inherited descriptor",
				what, (long long)fd);
	*ret = (int)fd;
	return 0;
}

static int adopt_fds(struct cay_agent_config *c, const struct config_input *in,
		     struct cay_error *err)
{
	json_t *item;
	size_t i;

	json_array_foreach (in->work_cgroup_fds, i, item) {
		if (!json_is_integer(item))
			return cay_fail(err, CAY_E_INVALID, 0,
					"field 'work_cgroup_fds' must hold only integers");
		if (adopt_fd(json_integer_value(item), "work_cgroup_fds",
			     &c->work_cgroup_fds[c->n_work_cgroup_fds], err) < 0)
			return -1;
		c->n_work_cgroup_fds++;
	}
	if (in->memory_events_fd < 0)
		return 0;
	return adopt_fd(in->memory_events_fd, "memory_events_fd", &c->memory_events_fd, err);
}

static int apply(struct cay_agent_config *c, const struct config_input *in, struct cay_error *err)
{
	if (in->working_dir && cay_agent_config_set_working_dir(c, in->working_dir, err) < 0)
		return -1;
	if (in->home && cay_path_check_absolute(in->home, strlen(in->home), "home", err) < 0)
		return -1;
	if (in->username)
		set_string(&c->username, in->username);
	if (in->home)
		set_string(&c->home, in->home);
	if (in->session_api_key && *in->session_api_key)
		set_string(&c->session_api_key, in->session_api_key);
	if (adopt_fds(c, in, err) < 0)
		return -1;
	set_env(c, in->env);
	read_no_change_timeout(c);
	return 0;
}

int cay_agent_config_read(struct cay_agent_config *c, int fd, struct cay_error *err)
{
	struct config_input in = {.memory_events_fd = -1};
	auto_buf struct cay_buf text;
	auto_json json_t *obj = NULL;
	int status;

	cay_buf_init(&text, CAY_AGENT_CONFIG_MAX);
	/* A memfd is handed over with its offset wherever the writer left it. */
	if (lseek(fd, 0, SEEK_SET) < 0 && errno != ESPIPE)
		return cay_fail(err, CAY_E_SYSTEM, errno, "read the configuration");
	if (cay_fd_read_all(fd, &text) < 0)
		return cay_fail(err, CAY_E_SYSTEM, errno, "read the configuration");
	if (cay_json_parse(text.data, text.len, &obj, err) < 0 ||
	    cay_json_decode(obj, config_fields, CAY_LEN(config_fields), &in, "", 0, err) < 0)
		return cay_fail_in(err, "configuration");
	status = apply(c, &in, err);
	explicit_bzero(text.data, text.len);
	return status < 0 ? cay_fail_in(err, "configuration") : 0;
}
