# SPDX-License-Identifier: Apache-2.0
"""cay bench: each group gives its numbers, skips have reasons, nothing is left behind."""
import os
import shutil

import pytest

pytestmark = pytest.mark.usefixtures("needs_sandbox")

GROUPS = {
    "run": ["run.cay", "run.bwrap", "run.crun", "run.runc", "run.docker"],
    "engine": ["engine.cay", "engine.floor"],
    "api": ["api.create", "exec.daemon", "exec.spawn", "shell.agent", "shell.daemon",
            "shell.bare"],
    "files": ["files.cp", "files.upload", "files.download"],
    "memory": ["memory.server", "memory.sandbox"],
    "agent": ["agent.size", "agent.start", "agent.memory"],
}


@pytest.mark.parametrize("group", GROUPS)
def test_group(cay, tmp_path, group):
    result = cay.json("bench", "--quick", "--only", group, env={"TMPDIR": str(tmp_path)})
    rows = {row["id"]: row for row in result["rows"]}
    assert set(GROUPS[group]) <= set(rows)
    for row in rows.values():
        if "skipped" in row:
            assert row["skipped"]
        elif "p50" in row:
            assert 0 < row["p50"] <= row["p99"] and row["n"] >= 1
        else:
            assert row["value"] > 0 or row["id"] == "memory.sandbox"
    ours = [i for i in GROUPS[group] if not i.startswith(("run.b", "run.r", "run.d", "run.c"))]
    for name in ours + (["run.cay"] if group == "run" else []):
        assert "skipped" not in rows[name], rows[name]
    assert result["machine"]["kernel"] == os.uname().release
    assert result["machine"]["cpus"] >= 1
    assert os.listdir(tmp_path) == []


def test_table(cay, tmp_path):
    done = cay("bench", "--quick", "--only", "agent", env={"TMPDIR": str(tmp_path)}, check=0)
    assert os.uname().release in done.out
    assert "agent.size" in done.out and "GOAL" in done.out
    assert "\x1b" not in done.out + done.err


def test_what_is_not_installed_is_skipped_with_the_reason(cay, tmp_path):
    (tmp_path / "bin").mkdir()
    result = cay.json("bench", "--quick", "--only", "run",
                      env={"TMPDIR": str(tmp_path), "PATH": str(tmp_path / "bin")})
    rows = {row["id"]: row for row in result["rows"]}
    for name in ("bwrap", "crun", "runc", "docker"):
        assert rows[f"run.{name}"]["skipped"] == f"{name} is not installed"
    assert rows["run.cay"]["n"] >= 5
    shutil.rmtree(tmp_path / "bin")
