# SPDX-License-Identifier: Apache-2.0
"""The counts at the end of ./check: TAP programs are read right, and nothing passes by not running."""
import json
import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def unit(tmp_path):
    """unit(script) -> (exit status, the totals' last line) of a build with one TAP program."""
    def run(script):
        program = tmp_path / "program"
        program.write_text("#!/bin/sh\n" + script)
        program.chmod(0o755)
        info = tmp_path / "meson-info"
        info.mkdir(exist_ok=True)
        (info / "meson-info.json").write_text(json.dumps({"directories": {"source": "/nowhere"}}))
        (info / "intro-tests.json").write_text(json.dumps([{
            "name": "t", "cmd": [str(program)], "env": {}, "suite": ["cay:unit"], "timeout": 60,
            "protocol": "tap"}]))
        junit = tmp_path / "out.xml"
        ran = subprocess.run([TOOLS / "unit_tests", tmp_path, "--suite", "unit", "--junit", junit],
                             capture_output=True, text=True)
        total = subprocess.run([TOOLS / "totals", junit], capture_output=True, text=True)
        assert (ran.returncode == 0) == (total.returncode == 0), ran.stdout + total.stdout
        return total.returncode, total.stdout.splitlines()
    return run


def test_passed_and_skipped(unit):
    assert unit("echo 1..2; echo ok 1 - a; echo 'ok 2 - b # SKIP no tun device'") == (
        0, ["skipped 1: no tun device", "1 passed, 0 failed, 1 skipped"])


def test_failed(unit):
    assert unit("echo 1..2; echo ok 1 - a; echo not ok 2 - b; exit 1") == (
        1, ["1 passed, 1 failed, 0 skipped"])


@pytest.mark.parametrize("script", [
    "echo 1..2; echo ok 1 - a",               # a case is missing
    "echo ok 1 - a",                          # no plan
    "echo 1..1; echo ok 1 - a; exit 3",       # a failure at exit, as of a sanitizer
    "echo 1..1; echo ok 1 - a; kill -SEGV $$",
])
def test_incomplete_is_failed(unit, script):
    assert unit(script)[0] == 1


def totals(tmp_path, body):
    (tmp_path / "x.xml").write_text(f"<testsuite>{body}</testsuite>")
    p = subprocess.run([TOOLS / "totals", tmp_path / "x.xml"], capture_output=True, text=True)
    return p.returncode, p.stdout.splitlines()[-1]


def test_nothing_ran(tmp_path):
    assert totals(tmp_path, "") == (1, "0 passed, 1 failed, 0 skipped")


def test_all_skipped(tmp_path):
    case = '<testcase name="a"><skipped message="{}"/></testcase>'
    assert totals(tmp_path, case.format("not in the mood"))[0] == 1
    assert totals(tmp_path, case.format("this kernel has no overlayfs"))[0] == 0


def test_missing_file(tmp_path):
    p = subprocess.run([TOOLS / "totals", tmp_path / "none.xml"], capture_output=True, text=True)
    assert (p.returncode, p.stdout) == (1, "0 passed, 1 failed, 0 skipped\n")
