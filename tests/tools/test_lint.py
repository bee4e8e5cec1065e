# SPDX-License-Identifier: Apache-2.0
"""tools/lint finds what it is there to find: each rule on a small repository that breaks it."""
import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"
HEADER = SPDX + "#pragma once\n"


@pytest.fixture
def lint(tmp_path):
    """lint(path=text, ...) -> what the tool says about a repository of these files."""
    (tmp_path / "tools").mkdir()
    shutil.copy(TOP / "tools/lint", tmp_path / "tools/lint")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)

    def run(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        p = subprocess.run([tmp_path / "tools/lint"], capture_output=True, text=True)
        assert p.returncode == (1 if p.stdout else 0), p.stderr
        return p.stdout
    return run


def test_clean(lint):
    assert lint({
        "src/base/a.h": HEADER + "int cay_a_get(void);\n",
        "src/base/a.c": SPDX + '#include "base/a.h"\n\nint cay_a_get(void)\n{\n\treturn 1;\n}\n',
        "src/kern/b.c": SPDX + '#include "base/a.h"\n\nstatic int b(void)\n{\n'
                               "\treturn cay_a_get();\n}\n",
    }) == ""


# (file, its text, what is said about it)
BROKEN = [
    ("src/base/a.c", "int x;\n", "a.c:1: the SPDX line"),
    ("tests/a.sh", "#!/bin/sh\necho\n", "a.sh:2: the SPDX line"),
    ("src/base/a.c", SPDX + "int x; \n", "a.c:2: white space"),
    ("src/base/a.c", SPDX + "int x;", "a.c:2: no newline"),
    ("src/base/a.c", SPDX + "/* " + "TO" + "DO: x */\n", "a.c:2: unfinished"),
    ("src/base/a.c", SPDX + '#include "box/b.h"\n', "a.c:2: base may not include box"),
    ("src/box/a.c", SPDX + '#include "agent/b.h"\n', "a.c:2: box may not include agent"),
    ("src/agent/a.c", SPDX + '#include "box/b.h"\n', "a.c:2: agent may not include box"),
    ("src/cli/a.c", SPDX + '#include "manager/b.h"\n', "a.c:2: cli may not include manager"),
    ("src/net/a.c", SPDX + '#include "a.c"\n', "name the folder"),
    ("src/elsewhere/a.c", SPDX, "no place in the layers"),
    ("src/base/a.c", SPDX + "static void f(char *x)\n{\n\tstrcpy(x, x);\n}\n", "strcpy() is banned"),
    ("src/kern/a.c", SPDX + "static void f(void)\n{\n\texit(1);\n}\n", "exit(): library code"),
    ("src/base/a.h", SPDX, "#pragma once is missing"),
    ("src/base/a.h", HEADER + "typedef struct { int x; } a;\n", "keep their tag"),
    ("src/base/a.c", SPDX + "int x;\n" * 600, "601 lines"),
    ("src/base/a.c", SPDX + "static void f(void)\n{\n" + "\tf();\n" * 81 + "}\n", "f() has 82 lines"),
    ("src/base/a.c", SPDX + "static void cay_f(void)\n{\n}\n", "a static function has no prefix"),
    ("src/base/a.c", SPDX + "void f(void)\n{\n}\n", "an exported function is called cay_"),
    ("src/base/a.h", HEADER + "int cay_f(void);\n", "cay_f() is declared, but nowhere defined"),
    ("src/base/a.def", SPDX + "/* sorted */\nX(b, 1)\nX(a, 2)\n", "'a' belongs before 'b'"),
    ("src/base/a.c", SPDX + '/* sorted */\nstatic const char *n[] = {\n\t"b",\n\t"a",\n};\n',
     "'a' belongs before 'b'"),
    ("README.md", "[x](nowhere.md)\n", "broken link: nowhere.md"),
    ("README.md", "see `src/base/none.c`\n", "src/base/none.c does not exist"),
    ("README.md", "```sh\n./none\n```\n", "./none does not exist"),
]


@pytest.mark.parametrize("name, text, said", BROKEN, ids=[b[2] for b in BROKEN])
def test_rule(lint, name, text, said):
    assert said in lint({name: text})


def test_strings_and_comments_are_no_code(lint):
    text = SPDX + '/* strcpy(a, b) */\nconst char *x = "system(1)";\n'
    assert lint({"src/base/a.c": text}) == ""


def test_unused_function(lint):
    assert "cay_f() is used nowhere outside its own file" in lint({
        "src/base/a.h": HEADER + "void cay_f(void);\n",
        "src/base/a.c": SPDX + '#include "base/a.h"\n\nvoid cay_f(void)\n{\n}\n',
    })


def test_documents_name_functions_that_exist(lint):
    files = {"src/base/a.c": SPDX + "static void f(void)\n{\n}\n"}
    assert lint({**files, "README.md": "`base/a.c:f`\n"}) == ""
    assert "base/a.c has no g" in lint({**files, "README.md": "`base/a.c:g`\n"})


def test_documents_name_commands_that_exist(lint):
    files = {"src/cli/commands.def": SPDX + "CAY_COMMAND(run)\n"}
    assert lint({**files, "README.md": "`cay run`\n```sh\n$ cay run\n```\n"}) == ""
    assert "no command 'walk'" in lint({**files, "README.md": "`cay walk`\n"})
