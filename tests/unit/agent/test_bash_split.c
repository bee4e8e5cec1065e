/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/bash_split.h"

#include <string.h>

#include "tap.h"

static size_t count(const char *text, enum cay_bash_split_result want)
{
	struct cay_bash_split s;
	size_t n;

	cay_bash_split(text, strlen(text), &s);
	if (s.result != want) {
		tap_failures++;
		printf("# result %d, not %d: %s\n", s.result, want, text);
	}
	n = s.n;
	cay_bash_split_fini(&s);
	return n;
}

static void one_command_each(void)
{
	static const char *const texts[] = {
		"ls",
		"a; b && c || d | e",
		"a &",
		"a & b",
		"a &&\n b",
		"a |\n\n b",
		"echo \\\n  two",
		"echo 'x\ny'",
		"echo \"x\n$(echo \"in\nner\")\ny\"",
		"echo $'it\\'s\nhere'",
		"echo `date\n`",
		"echo $(date\nls)",
		"echo $((1 +\n2))",
		"echo ${x:-\n}",
		"cat <<EOF\nls\npwd\nEOF",
		"cat <<EOF\nls\npwd\nEOF\n",
		"cat <<-'E F' > x\n\tline\n\tE F",
		"cat <<A <<\"B\"\na\nA\nb\nB",
		"cat <<EOF | grep x\n$(unbalanced\n'quote\nEOF",
		"cat <<< word",
		"if true\nthen\n echo\nelif false; then b\nelse c\nfi",
		"for i in 1 2 3\ndo\n echo $i\ndone",
		"for ((i = 0; i < 3; i++))\ndo echo\ndone > file",
		"for i\nin a b\ndo :; done",
		"while read x; do\n echo\ndone < file",
		"until false\ndo\nbreak\ndone",
		"select x in a b; do\nbreak; done",
		"case $x in\n a) b ;;\n (c|d) e\n ;;\n *) f\nesac",
		"case x in esac",
		"f() {\n echo\n}",
		"f ()\n{\n echo\n}",
		"function f {\n echo\n}",
		"function f() (\n echo\n)",
		"{ a\n b\n}",
		"(a\nb)",
		"((x = 1 +\n 2))",
		"[[ a == b &&\n c < d ]] && echo",
		"x=(\n a # comment (\n b\n)",
		"declare -a y=( 1\n2 )",
		"diff <(sort a\n) <(sort b)",
		"! true",
		"time ls",
		"# comment\nls",
		"ls\n# comment",
		"ls # comment ' with quote",
		"\n\nls\n\n",
		"echo a#b\\\n'c'",
		"shopt -s extglob; ls !(a|b)",
		"2>&1 ls",
		"ls &> file",
		"echo done",
		"echo $# ${#x} $'#'",
		"find . -name '*.c' -exec grep x {} \\;",
		"if (a) then b; fi",
		"while :; do if a; then b; fi done",
		"coproc cat",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (count(texts[i], CAY_BASH_COMPLETE) != 1)
			CHECK_STR(texts[i], "one command");
}

static void several_commands(void)
{
	CHECK_INT(count("a\nb", CAY_BASH_COMPLETE), 2);
	CHECK_INT(count("a\n\n# c\nb\nc", CAY_BASH_COMPLETE), 3);
	CHECK_INT(count("cat <<E\nx\nE\nls", CAY_BASH_COMPLETE), 2);
	CHECK_INT(count("f() {\na\n}\nf", CAY_BASH_COMPLETE), 2);
	CHECK_INT(count("a \\\n b\nc", CAY_BASH_COMPLETE), 2);
	CHECK_INT(count("a &\nb", CAY_BASH_COMPLETE), 2);
	CHECK_INT(count("echo 'a\nb'\nc", CAY_BASH_COMPLETE), 2);
	CHECK_INT(count("# only\n\n  # comments", CAY_BASH_COMPLETE), 0);
	CHECK_INT(count("", CAY_BASH_COMPLETE), 0);
}

static void ranges_carry_their_comments(void)
{
	const char *text = "# first\nls -l \n# between\n\npwd\n# last\n";
	struct cay_bash_split s;

	cay_bash_split(text, strlen(text), &s);
	CHECK_INT(s.n, 2);
	CHECK(!strncmp(text + s.commands[0].start, "# first\nls -l \n# between",
		       s.commands[0].end - s.commands[0].start));
	CHECK_INT(s.commands[0].end - s.commands[0].start, 24);
	CHECK(!strncmp(text + s.commands[1].start, "pwd\n# last",
		       s.commands[1].end - s.commands[1].start));
	cay_bash_split_fini(&s);
}

static void unfinished_and_bad(void)
{
	char deep[2001];

	CHECK_INT(count("echo 'x", CAY_BASH_INCOMPLETE), 1);
	CHECK_INT(count("echo \"x\nls", CAY_BASH_INCOMPLETE), 1);
	CHECK_INT(count("if true", CAY_BASH_INCOMPLETE), 1);
	CHECK_INT(count("if true\nthen\nx\n", CAY_BASH_INCOMPLETE), 1);
	CHECK_INT(count("cat <<EOF\nx", CAY_BASH_INCOMPLETE), 1);
	CHECK_INT(count("cat <<EOF", CAY_BASH_INCOMPLETE), 1);
	CHECK_INT(count("a &&", CAY_BASH_INCOMPLETE), 1);
	CHECK_INT(count("a |\n", CAY_BASH_INCOMPLETE), 1);
	CHECK_INT(count("(a", CAY_BASH_INCOMPLETE), 1);
	CHECK_INT(count("echo $(", CAY_BASH_INCOMPLETE), 1);
	CHECK_INT(count("f() {", CAY_BASH_INCOMPLETE), 1);
	CHECK_INT(count("fi\nls", CAY_BASH_BAD), 1);
	CHECK_INT(count("a )\nb", CAY_BASH_BAD), 1);
	CHECK_INT(count("; a\nb", CAY_BASH_BAD), 1);
	CHECK_INT(count("print('hello')\nx", CAY_BASH_BAD), 1);
	for (size_t i = 0; i < 2000; i++)
		deep[i] = "( "[i % 2];
	deep[2000] = '\0';
	CHECK_INT(count(deep, CAY_BASH_BAD), 1);
	for (size_t i = 0; i < 2000; i++)
		deep[i] = "$("[i % 2];
	CHECK_INT(count(deep, CAY_BASH_BAD), 1);
}

TAP_MAIN({"one_command_each", one_command_each}, {"several_commands", several_commands},
	 {"ranges_carry_their_comments", ranges_carry_their_comments},
	 {"unfinished_and_bad", unfinished_and_bad})
