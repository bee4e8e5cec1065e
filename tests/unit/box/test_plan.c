/* SPDX-License-Identifier: Apache-2.0 */
/* The plan needs no privilege to be looked at. */
#include "box/plan.h"

#include <limits.h>
#include <linux/sched.h>
#include <string.h>

#include "base/mem.h"
#include "box/etc.h"
#include "tap.h"

/* A merged-usr host with an empty /opt. */
static const struct cay_host host = {
	.dirs = {{"usr", CAY_HOST_DIR, ""},
		 {"etc", CAY_HOST_DIR, ""},
		 {"opt", CAY_HOST_EMPTY_DIR, ""},
		 {"bin", CAY_HOST_LINK, "usr/bin"},
		 {"sbin", CAY_HOST_LINK, "usr/sbin"},
		 {"lib", CAY_HOST_LINK, "usr/lib"},
		 {"lib32", CAY_HOST_ABSENT, ""},
		 {"lib64", CAY_HOST_LINK, "usr/lib64"},
		 {"libx32", CAY_HOST_ABSENT, ""},
		 {"nix", CAY_HOST_ABSENT, ""}},
	.resolv_conf = (char *)(uintptr_t) "nameserver 192.0.2.1\n",
};

static struct cay_plan plan;

static void build(struct cay_box_spec spec, bool has_skeleton)
{
	struct cay_error err = {};

	if (!spec.name)
		spec.name = "island";
	spec.cache_dir = "/nowhere";
	CHECK_INT(cay_plan_build(&spec, &host, has_skeleton, &plan, &err), 0);
}

/* Where the step is; -1: nowhere. target NULL: any. */
static int find(enum cay_step_kind kind, const char *target)
{
	for (size_t i = 0; i < plan.n; i++)
		if (plan.steps[i].kind == kind &&
		    (!target || (plan.steps[i].target && !strcmp(plan.steps[i].target, target))))
			return (int)i;
	return -1;
}

static void check_order(const enum cay_step_kind *kinds, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		int before = find(kinds[i - 1], NULL), after = find(kinds[i], NULL);

		if (before < 0 || after <= before)
			printf("# '%s' is at %d, '%s' at %d\n", cay_step_name(kinds[i - 1]), before,
			       cay_step_name(kinds[i]), after);
		CHECK(before >= 0 && after > before);
	}
}

static void has_an_order_with_reasons(void)
{
	static const enum cay_step_kind order[] = {
		CAY_STEP_NAMESPACES, CAY_STEP_IDS,          CAY_STEP_NETWORK, CAY_STEP_PRIVATE,
		CAY_STEP_BASE,       CAY_STEP_DIR,          CAY_STEP_FILE,    CAY_STEP_ROOT_HOST,
		CAY_STEP_OVERLAY,    CAY_STEP_DEVICE,       CAY_STEP_PROC,    CAY_STEP_MASK_FILE,
		CAY_STEP_READ_ONLY,  CAY_STEP_JOIN_NETWORK, CAY_STEP_SYSFS,   CAY_STEP_WORKSPACE,
		CAY_STEP_PIVOT,      CAY_STEP_HOSTNAME,     CAY_STEP_CAPS,    CAY_STEP_NO_NEW_PRIVS,
		CAY_STEP_LANDLOCK,   CAY_STEP_SECCOMP,
	};

	build((struct cay_box_spec){.workspace = "/somewhere"}, true);
	check_order(order, CAY_LEN(order));
	CHECK_INT(find(CAY_STEP_SECCOMP, NULL), plan.n - 1);
	for (size_t i = 0; i < plan.n; i++) {
		CHECK(plan.steps[i].reason && strlen(plan.steps[i].reason) > 4);
		CHECK(cay_step_name(plan.steps[i].kind) != NULL);
		CHECK(!plan.steps[i].target || plan.steps[i].target[0] == '/');
	}
}

static void follows_the_host(void)
{
	build((struct cay_box_spec){}, true);
	CHECK(find(CAY_STEP_OVERLAY, "/usr") > 0);
	CHECK(find(CAY_STEP_OVERLAY, "/etc") > 0);
	CHECK(find(CAY_STEP_DIR, "/opt") > 0 && find(CAY_STEP_OVERLAY, "/opt") < 0);
	CHECK(find(CAY_STEP_SYMLINK, "/bin") > 0 && find(CAY_STEP_OVERLAY, "/bin") < 0);
	CHECK_STR(plan.steps[find(CAY_STEP_SYMLINK, "/lib64")].source, "usr/lib64");
	CHECK(find(CAY_STEP_DIR, "/nix") < 0);
	/* Nothing of the host but what its facts name. */
	for (size_t i = 0; i < plan.n; i++)
		if (plan.steps[i].kind == CAY_STEP_OVERLAY)
			CHECK(!strcmp(plan.steps[i].source, "/usr") ||
			      !strcmp(plan.steps[i].source, "/etc"));
}

static void makes_the_network_that_is_asked_for(void)
{
	build((struct cay_box_spec){}, true);
	CHECK(find(CAY_STEP_NETWORK, NULL) > 0 && find(CAY_STEP_SYSFS, NULL) > 0);
	CHECK_STR(plan.steps[find(CAY_STEP_FILE, "/etc/resolv.conf")].source, "");
	build((struct cay_box_spec){.net = CAY_BOX_NET_HOST}, true);
	CHECK(find(CAY_STEP_NETWORK, NULL) < 0 && find(CAY_STEP_SYSFS, NULL) < 0);
	CHECK(find(CAY_STEP_JOIN_NETWORK, NULL) < 0 && find(CAY_STEP_SYS_HOST, NULL) > 0);
	CHECK_STR(plan.steps[find(CAY_STEP_FILE, "/etc/resolv.conf")].source,
		  "nameserver 192.0.2.1\n");
	for (int i = 0; i < 2; i++) {
		build((struct cay_box_spec){.net = i ? CAY_BOX_NET_HOST : CAY_BOX_NET_NONE}, true);
		CHECK(plan.namespaces & CLONE_NEWUSER && plan.namespaces & CLONE_NEWNS &&
		      plan.namespaces & CLONE_NEWPID);
	}
}

static void covers_a_given_root(void)
{
	build((struct cay_box_spec){.rootfs = "/images/x"}, false);
	CHECK(plan.root_is_overlay);
	CHECK_STR(plan.steps[find(CAY_STEP_ROOT_LOWER, "/")].source, "/images/x");
	CHECK(find(CAY_STEP_ROOT_HOST, NULL) < 0 && find(CAY_STEP_OVERLAY, NULL) < 0);
	/* Whatever that root has there, our folder is put over it before it is mounted. */
	static const char *const ours[] = {"/dev", "/proc", "/sys",      "/tmp",      "/etc",
					   "/run", "/home", "/home/cay", "/workspace"};
	for (size_t i = 0; i < CAY_LEN(ours); i++) {
		int at = find(CAY_STEP_DIR, ours[i]);

		CHECK(at > 0 && at < find(CAY_STEP_ROOT_LOWER, NULL));
	}
	CHECK(find(CAY_STEP_FILE, "/etc/passwd") > 0);
	CHECK(find(CAY_STEP_DEV, "/dev") < find(CAY_STEP_DEVICE, NULL));
}

static void hides_secrets_without_a_skeleton(void)
{
	build((struct cay_box_spec){}, true);
	CHECK(find(CAY_STEP_HIDE, NULL) < 0);
	build((struct cay_box_spec){}, false);
	CHECK(find(CAY_STEP_HIDE, "/etc/shadow") > 0);
	CHECK(find(CAY_STEP_HIDE, "/etc/sudoers") > 0);
	CHECK(find(CAY_STEP_HIDE, "/etc/shadow") < find(CAY_STEP_OVERLAY, "/etc"));
	CHECK(find(CAY_STEP_FILE, "/etc/passwd") > 0);
}

static void keeps_lists_in_order(void)
{
	for (size_t i = 1; cay_etc_hidden[i]; i++)
		CHECK(strcmp(cay_etc_hidden[i - 1], cay_etc_hidden[i]) < 0);
	for (size_t i = 1; cay_etc_files[i].name; i++)
		CHECK(strcmp(cay_etc_files[i - 1].name, cay_etc_files[i].name) < 0);
}

static void has_room_for_everything(void)
{
	char name[64];
	struct cay_host real;

	memset(name, 'n', 63);
	name[63] = '\0';
	/* The longest there is: all folders are real, the longest name, every option. */
	real = host;
	for (size_t i = 0; i < CAY_HOST_DIRS; i++)
		real.dirs[i].kind = CAY_HOST_DIR;
	struct cay_box_spec spec = {.name = name,
				    .cache_dir = "/c",
				    .workspace = "/w",
				    .memory_bytes = 1 << 30,
				    .pids = 10,
				    .cpus = 1};
	struct cay_error err = {};
	CHECK_INT(cay_plan_build(&spec, &real, false, &plan, &err), 0);
	CHECK(plan.n < CAY_PLAN_STEPS_MAX);
	CHECK(find(CAY_STEP_CGROUP, NULL) > 0);
	CHECK_INT(plan.steps[find(CAY_STEP_BASE, NULL)].value, 1 << 30);
}

static struct cay_box_spec good(void)
{
	return (struct cay_box_spec){.name = "ok", .cache_dir = "/tmp"};
}

static void checks_specs(void)
{
	struct cay_error err = {};
	struct cay_box_spec s = good();

	CHECK_INT(cay_box_spec_check(&s, &err), 0);
#define REFUSED(code_, ...)                                                                        \
	do {                                                                                       \
		s = good();                                                                        \
		__VA_ARGS__;                                                                       \
		err = (struct cay_error){};                                                        \
		CHECK_INT(cay_box_spec_check(&s, &err), -1);                                       \
		CHECK_INT(err.code, code_);                                                        \
		CHECK(err.msg[0]);                                                                 \
	} while (0)
	REFUSED(CAY_E_INVALID, s.name = NULL);
	REFUSED(CAY_E_INVALID, s.name = "");
	REFUSED(CAY_E_INVALID, s.name = "a/b");
	REFUSED(CAY_E_INVALID, s.name = "..");
	REFUSED(CAY_E_INVALID, s.name = "Upper");
	REFUSED(CAY_E_INVALID, s.cache_dir = NULL);
	REFUSED(CAY_E_INVALID, s.net = (enum cay_box_net)7);
	REFUSED(CAY_E_INVALID, s.memory_bytes = 1);
	REFUSED(CAY_E_INVALID, s.memory_bytes = UINT64_MAX);
	REFUSED(CAY_E_INVALID, s.memory_bytes = (uint64_t)(-5));
	REFUSED(CAY_E_INVALID, s.pids = 1);
	REFUSED(CAY_E_INVALID, s.pids = UINT64_MAX);
	REFUSED(CAY_E_INVALID, s.cpus = -1);
	REFUSED(CAY_E_INVALID, s.cpus = 0.001);
	REFUSED(CAY_E_INVALID, s.cpus = 1e9);
	REFUSED(CAY_E_INVALID, s.cpus = __builtin_nan(""));
	REFUSED(CAY_E_NOT_FOUND, s.workspace = "/no/such/folder");
	REFUSED(CAY_E_INVALID, s.workspace = "/etc/hostname");
	REFUSED(CAY_E_INVALID, s.workspace = "");
	REFUSED(CAY_E_NOT_FOUND, s.rootfs = "/no/such/folder");
	REFUSED(CAY_E_INVALID, s.rootfs = "/dev/null");
	char long_path[5000];
	memset(long_path, 'x', sizeof(long_path));
	long_path[4999] = '\0';
	REFUSED(CAY_E_INVALID, s.workspace = long_path);
#undef REFUSED
}

TAP_MAIN({"has_an_order_with_reasons", has_an_order_with_reasons},
	 {"follows_the_host", follows_the_host},
	 {"makes_the_network_that_is_asked_for", makes_the_network_that_is_asked_for},
	 {"covers_a_given_root", covers_a_given_root},
	 {"hides_secrets_without_a_skeleton", hides_secrets_without_a_skeleton},
	 {"keeps_lists_in_order", keeps_lists_in_order},
	 {"has_room_for_everything", has_room_for_everything}, {"checks_specs", checks_specs})
