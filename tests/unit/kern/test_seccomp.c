/* SPDX-License-Identifier: Apache-2.0 */
/* The generated program, interpreted, must say what the table says: for every number and for the
 * edges of every test. */
#include "kern/seccomp.h"

#include <asm/unistd.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#ifdef HAVE_LIBSECCOMP
#include <seccomp.h>
#endif

#include "../../../tools/seccomp_numbers.h"
#include "tap.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#else
#define ARCH AUDIT_ARCH_AARCH64
#endif

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

enum { NR_END = 2000, DEPTH_MAX = 24 };

/* ---- an interpreter of the few instructions that the generator emits ---- */

static unsigned steps;

static uint32_t run(const struct seccomp_data *data)
{
	size_t n, pc = 0;
	const struct sock_filter *program = cay_seccomp_program(&n);
	uint32_t a = 0;

	for (steps = 0; pc < n; steps++) {
		const struct sock_filter *i = &program[pc++];

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (i->k > sizeof(*data) - 4)
				return ~0U;
			memcpy(&a, (const char *)data + i->k, 4);
			break;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += a & i->k ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			return ~0U;
		}
	}
	return ~0U;
}

static uint32_t ask(unsigned nr, uint64_t arg0, uint64_t arg1, uint64_t arg2)
{
	struct seccomp_data data = {
		.nr = (int)nr, .arch = ARCH, .args = {arg0, arg1, arg2, ~0ULL, ~0ULL, ~0ULL}};

	return run(&data);
}

/* ---- the table ---- */

enum kind { ALLOW, DENY, TEST };

static const struct row {
	const char *name, *number;
	enum kind kind;
	uint32_t answer;
} rows[] = {
#define CAY_SECCOMP_ALLOW(call) {#call, TEXT(__NR_##call), ALLOW, SECCOMP_RET_ALLOW},
#define CAY_SECCOMP_DENY(call, error, why)                                                         \
	{#call, TEXT(__NR_##call), DENY, SECCOMP_RET_ERRNO | (error)},
#define CAY_SECCOMP_TEST(call, error, t, why)                                                      \
	{#call, TEXT(__NR_##call), TEST, SECCOMP_RET_ERRNO | (error)},
#include "kern/seccomp_rules.def"
};

/* The number of a row, or -1 where this architecture has no such call. */
static long number(const struct row *row)
{
	char *end;
	long nr = strtol(row->number, &end, 10);

	return *end ? -1 : nr;
}

static void answers_as_the_table_says(void)
{
	static const struct row *by_number[NR_END];

	for (size_t i = 0; i < CAY_LEN(rows); i++)
		if (number(&rows[i]) >= 0)
			by_number[number(&rows[i])] = &rows[i];
	for (unsigned nr = 0; nr < NR_END; nr++) {
		uint32_t wanted =
			by_number[nr] ? by_number[nr]->answer : SECCOMP_RET_ERRNO | ENOSYS;

		if (by_number[nr] && by_number[nr]->kind == TEST)
			continue;
		if (ask(nr, 0, 0, 0) != wanted || ask(nr, ~0ULL, ~0ULL, ~0ULL) != wanted) {
			printf("# call %u (%s)\n", nr, by_number[nr] ? by_number[nr]->name : "?");
			CHECK_INT(ask(nr, 0, 0, 0), wanted);
		}
	}
}

static void is_shallow(void)
{
	unsigned deepest = 0;
	size_t n;

	cay_seccomp_program(&n);
	CHECK(n < 200);
	for (unsigned nr = 0; nr < NR_END; nr++) {
		ask(nr, 0, 0, 0);
		deepest = CAY_MAX(deepest, steps);
	}
	printf("# %zu instructions, at most %u a call\n", n, deepest);
	CHECK(deepest <= DEPTH_MAX);
}

static void refuses_other_conventions(void)
{
	struct seccomp_data data = {.nr = 20, .arch = AUDIT_ARCH_I386};

	CHECK_INT(run(&data), SECCOMP_RET_KILL_PROCESS);
	data.arch = 0;
	CHECK_INT(run(&data), SECCOMP_RET_KILL_PROCESS);
	/* x32: a bit in the number. */
	CHECK_INT(ask(0x40000000 | __NR_getpid, 0, 0, 0), SECCOMP_RET_ERRNO | ENOSYS);
	CHECK_INT(ask(~0U, 0, 0, 0), SECCOMP_RET_ERRNO | ENOSYS);
}

static void looks_at_flags_of_clone(void)
{
	const uint32_t denied = SECCOMP_RET_ERRNO | EPERM;

	CHECK_INT(ask(__NR_clone, 17 /* SIGCHLD */, 0, 0), SECCOMP_RET_ALLOW);
	/* What glibc's threads ask for. */
	CHECK_INT(ask(__NR_clone, 0x3d0f00, 0, 0), SECCOMP_RET_ALLOW);
	for (unsigned bit = 0; bit < 32; bit++) {
		bool new_namespace = 0x7e020000U >> bit & 1;

		CHECK_INT(ask(__NR_clone, 1ULL << bit, 0, 0),
			  new_namespace ? denied : SECCOMP_RET_ALLOW);
		CHECK_INT(ask(__NR_unshare, 1ULL << bit | 1ULL << 50, 0, 0),
			  new_namespace || bit == 7 ? denied : SECCOMP_RET_ALLOW);
	}
}

static void looks_at_families_of_sockets(void)
{
	for (unsigned family = 0; family < 100; family++) {
		bool fine = family == 1 || family == 2 || family == 10 || family == 16;
		uint32_t wanted = fine ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | EAFNOSUPPORT;

		CHECK_INT(ask(__NR_socket, family, 1, 0), wanted);
		/* The kernel takes an int: what is above does not count, here as there. */
		CHECK_INT(ask(__NR_socket, family | 7ULL << 32, 1, 0), wanted);
		CHECK_INT(ask(__NR_socket, family, 1, 9),
			  fine && family != 16 ? SECCOMP_RET_ALLOW
					       : SECCOMP_RET_ERRNO | EAFNOSUPPORT);
		CHECK_INT(ask(__NR_socketpair, family, 1, 0),
			  family == 1 ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | EAFNOSUPPORT);
	}
}

static void looks_at_ioctls_and_personalities(void)
{
	static const unsigned fine[] = {0, 8, 0x20000, 0x20008, 0x40000, 0xffffffff};

	CHECK_INT(ask(__NR_ioctl, 0, 0x5401 /* TCGETS */, 0), SECCOMP_RET_ALLOW);
	CHECK_INT(ask(__NR_ioctl, 0, 0x5412, 0), SECCOMP_RET_ERRNO | EPERM);
	CHECK_INT(ask(__NR_ioctl, 0, 0x541c, 0), SECCOMP_RET_ERRNO | EPERM);
	CHECK_INT(ask(__NR_ioctl, 0, 0x5412 | 1ULL << 32, 0), SECCOMP_RET_ERRNO | EPERM);
	for (size_t i = 0; i < CAY_LEN(fine); i++)
		CHECK_INT(ask(__NR_personality, fine[i], 0, 0), SECCOMP_RET_ALLOW);
	CHECK_INT(ask(__NR_personality, 6, 0, 0), SECCOMP_RET_ERRNO | EPERM);
}

static void agrees_with_libseccomp_on_numbers(void)
{
#ifdef HAVE_LIBSECCOMP
	size_t compared = 0;

	for (size_t i = 0; i < CAY_LEN(rows); i++) {
		int theirs = seccomp_syscall_resolve_name(rows[i].name);

		/* Theirs is older: it does not know the newest; negative: not of this machine. */
		if (theirs == __NR_SCMP_ERROR)
			continue;
		compared++;
		if (number(&rows[i]) >= 0 ? theirs != number(&rows[i]) : theirs >= 0) {
			printf("# %s\n", rows[i].name);
			CHECK_INT(number(&rows[i]), theirs);
		}
	}
	CHECK(compared > 300);
#else
	SKIP("libseccomp was not there at build time");
#endif
}

TAP_MAIN({"answers_as_the_table_says", answers_as_the_table_says}, {"is_shallow", is_shallow},
	 {"refuses_other_conventions", refuses_other_conventions},
	 {"looks_at_flags_of_clone", looks_at_flags_of_clone},
	 {"looks_at_families_of_sockets", looks_at_families_of_sockets},
	 {"looks_at_ioctls_and_personalities", looks_at_ioctls_and_personalities},
	 {"agrees_with_libseccomp_on_numbers", agrees_with_libseccomp_on_numbers})
