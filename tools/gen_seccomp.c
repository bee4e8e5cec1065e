/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Build tool: turns src/kern/seccomp_rules.def into a classic BPF program (seccomp(2)) as a C array
 * on stdout.
 *
 * The call numbers are coalesced into ranges of one answer; a balanced binary tree finds the range.
 * Code is made from the end to the beginning, so that every jump target is known when the jump is
 * made, and equal ends are shared while a conditional jump (8 bits) reaches them.
 */
#include <asm/unistd.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#define ARCH      AUDIT_ARCH_X86_64
#define ARCH_TEXT "__x86_64__"
#elif defined(__aarch64__)
#define ARCH      AUDIT_ARCH_AARCH64
#define ARCH_TEXT "__aarch64__"
#else
#error "no seccomp table for this architecture"
#endif

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

enum { NR_MAX = 1024, PROGRAM_MAX = 4000, VALUES_MAX = 8 };

enum test_kind { TEST_NONE, TEST_CLEAR, TEST_NEVER, TEST_ONLY, TEST_ONLY_OR };

struct test {
	enum test_kind kind;
	unsigned arg;
	unsigned values[VALUES_MAX], n;
	unsigned special, arg2, value2;
};

struct rule {
	const char *name, *number; /* the number as text; not digits where the call is unknown */
	uint32_t deny;             /* the answer where the test fails; SECCOMP_RET_* */
	struct test test;
};

#include "seccomp_numbers.h"

#define TEXT_(x)    #x
#define TEXT(x)     TEXT_(x)
#define VALUES(...) {__VA_ARGS__}, sizeof((unsigned[]){__VA_ARGS__}) / sizeof(unsigned)
#define CLEAR(a, mask)                                                                             \
	{                                                                                          \
		TEST_CLEAR, a, VALUES(mask), 0, 0, 0                                               \
	}
#define NEVER(a, ...)                                                                              \
	{                                                                                          \
		TEST_NEVER, a, VALUES(__VA_ARGS__), 0, 0, 0                                        \
	}
#define ONLY(a, ...)                                                                               \
	{                                                                                          \
		TEST_ONLY, a, VALUES(__VA_ARGS__), 0, 0, 0                                         \
	}
#define ONLY_OR(a, special, a2, v2, ...)                                                           \
	{                                                                                          \
		TEST_ONLY_OR, a, VALUES(__VA_ARGS__), special, a2, v2                              \
	}

#define CAY_SECCOMP_ALLOW(call) {#call, TEXT(__NR_##call), SECCOMP_RET_ALLOW, {}},
#define CAY_SECCOMP_DENY(call, error, why)                                                         \
	{#call, TEXT(__NR_##call), SECCOMP_RET_ERRNO | (error), {}},
#define CAY_SECCOMP_TEST(call, error, t, why)                                                      \
	{#call, TEXT(__NR_##call), SECCOMP_RET_ERRNO | (error), t},

static const struct rule rules[] = {
#include "../src/kern/seccomp_rules.def"
};

/* The program, from the end: code[0] is the last instruction. */
static struct sock_filter code[PROGRAM_MAX];
static unsigned code_n;

static unsigned emit(uint16_t op, uint8_t jt, uint8_t jf, uint32_t k)
{
	if (code_n == PROGRAM_MAX) {
		fputs("gen_seccomp: the program is too long\n", stderr);
		exit(1);
	}
	code[code_n] = (struct sock_filter){op, jt, jf, k};
	return code_n++;
}

/* How far a jump that is emitted next has to go to reach `target`. */
static unsigned distance(unsigned target)
{
	return code_n - target - 1;
}

/* A return of this answer that the next few jumps can reach: an old one, or a new one. */
static unsigned answer(uint32_t value)
{
	for (unsigned i = code_n; i-- > 0;)
		if (code[i].code == (BPF_RET | BPF_K) && code[i].k == value &&
		    distance(i) < 255 - 8)
			return i;
	return emit(BPF_RET | BPF_K, 0, 0, value);
}

static unsigned branch(uint16_t op, uint32_t k, unsigned if_true, unsigned if_false)
{
	unsigned t = if_true, f = if_false;

	if (distance(f) > 255 - 2) {
		emit(BPF_JMP | BPF_JA, 0, 0, distance(f));
		f = code_n - 1;
	}
	if (distance(t) > 255) {
		emit(BPF_JMP | BPF_JA, 0, 0, distance(t));
		t = code_n - 1;
	}
	return emit(BPF_JMP | op | BPF_K, (uint8_t)distance(t), (uint8_t)distance(f), k);
}

static unsigned load_arg(unsigned arg)
{
	/* The lower half comes first on the (little endian) architectures above. */
	return emit(BPF_LD | BPF_W | BPF_ABS, 0, 0,
		    (uint32_t)(offsetof(struct seccomp_data, args) + 8 * arg));
}

static unsigned emit_rule(const struct rule *rule)
{
	const struct test *t = &rule->test;
	unsigned allow, deny, next;

	if (t->kind == TEST_NONE)
		return answer(rule->deny);
	deny = answer(rule->deny);
	allow = answer(SECCOMP_RET_ALLOW);
	if (t->kind == TEST_CLEAR) {
		branch(BPF_JSET, t->values[0], deny, allow);
		return load_arg(t->arg);
	}
	next = t->kind == TEST_NEVER ? allow : deny;
	if (t->kind == TEST_ONLY_OR) {
		branch(BPF_JEQ, t->value2, allow, deny);
		next = load_arg(t->arg2);
		next = branch(BPF_JEQ, t->special, next, deny);
	}
	for (unsigned i = t->n; i-- > 0;)
		next = branch(BPF_JEQ, t->values[i], t->kind == TEST_NEVER ? deny : allow, next);
	return load_arg(t->arg);
}

struct range {
	uint32_t first;
	const struct rule *rule;
};

static unsigned emit_tree(const struct range *ranges, size_t n)
{
	size_t middle = n / 2;
	unsigned left, right;

	if (n == 1)
		return emit_rule(ranges[0].rule);
	right = emit_tree(ranges + middle, n - middle);
	left = emit_tree(ranges, middle);
	return branch(BPF_JGE, ranges[middle].first, right, left);
}

static int same_answer(const struct rule *a, const struct rule *b)
{
	return a == b ||
	       (a->test.kind == TEST_NONE && b->test.kind == TEST_NONE && a->deny == b->deny);
}

static size_t find_ranges(struct range *ranges)
{
	static const struct rule unknown = {"", "", SECCOMP_RET_ERRNO | ENOSYS, {}};
	static const struct rule *by_number[NR_MAX];
	size_t n = 0;
	char *end;

	for (size_t i = 0; i < LEN(rules); i++) {
		unsigned long nr = strtoul(rules[i].number, &end, 10);

		if (*end || end == rules[i].number)
			continue;
		if (nr >= NR_MAX || by_number[nr]) {
			fprintf(stderr, "gen_seccomp: %s: number %lu is taken or too large\n",
				rules[i].name, nr);
			exit(1);
		}
		by_number[nr] = &rules[i];
	}
	for (uint32_t nr = 0; nr < NR_MAX; nr++) {
		const struct rule *rule = by_number[nr] ? by_number[nr] : &unknown;

		if (!n || !same_answer(ranges[n - 1].rule, rule))
			ranges[n++] = (struct range){nr, rule};
	}
	return n;
}

int main(void)
{
	static struct range ranges[NR_MAX];
	size_t n = find_ranges(ranges);
	unsigned kill;

	emit_tree(ranges, n);
	emit(BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	/* Calls in the convention of another architecture mean other things by the same numbers. */
	kill = emit(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
	branch(BPF_JEQ, ARCH, kill - 1, kill);
	emit(BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));

	printf("/* Generated by tools/gen_seccomp.c from seccomp_rules.def: %zu rules, %zu ranges. "
	       "*/\n"
	       "#ifndef %s\n#error \"made for another architecture\"\n#endif\n"
	       "static const struct sock_filter program[] = {\n",
	       LEN(rules), n, ARCH_TEXT);
	for (unsigned i = code_n; i-- > 0;)
		printf("\t{0x%02x, %u, %u, 0x%08x},\n", code[i].code, code[i].jt, code[i].jf,
		       code[i].k);
	printf("};\n");
	return 0;
}
