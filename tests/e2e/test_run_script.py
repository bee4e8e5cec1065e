# SPDX-License-Identifier: Apache-2.0
"""./run from a fresh copy of the sources to a running program."""
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.release]
TOP = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The sources as they are in the folder under test, not yet built."""
    to = tmp_path_factory.mktemp("sources") / "cay"
    names = subprocess.run(
        ["git", "-C", TOP, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (TOP / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, to / name)
    first = run(to, "version")
    assert first.returncode == 0, first.stderr
    assert "configuring" in first.stderr and "building" in first.stderr
    return to


def run(where, *args, **options):
    return subprocess.run([where / "run", *args], capture_output=True, text=True, timeout=600,
                          **options)


def test_builds_all_programs(copy):
    for name in ("cay", "cay-server", "cay-agent"):
        assert os.access(copy / "build" / name, os.X_OK), name


def test_is_quick_and_quiet_when_nothing_is_to_be_done(copy):
    took = []
    for _ in range(5):
        start = time.monotonic()
        p = run(copy, "version")
        took.append(time.monotonic() - start)
        assert p.returncode == 0 and p.stdout.startswith("cay ") and p.stderr == ""
    assert min(took) < 0.3


def test_passes_arguments_and_status(copy):
    p = run(copy, "nonsense", "a b")
    assert p.returncode == 2 and "nonsense" in p.stderr


def test_builds_again_after_a_change(copy):
    (copy / "src/bin/cay.c").touch()
    p = run(copy, "version")
    assert p.returncode == 0 and "building" in p.stderr


def test_says_why_a_build_fails(copy):
    source = copy / "src/bin/cay.c"
    good = source.read_text()
    source.write_text(good + "int broken(\n")
    try:
        p = run(copy, "version")
        assert p.returncode != 0 and "src/bin/cay.c" in p.stderr and p.stdout == ""
    finally:
        source.write_text(good)
    assert run(copy, "version").returncode == 0


def test_works_through_a_link_and_from_elsewhere(copy, tmp_path):
    (tmp_path / "link").symlink_to(copy / "run")
    p = subprocess.run([tmp_path / "link", "version"], cwd="/", capture_output=True, text=True)
    assert p.returncode == 0, p.stderr


@pytest.mark.skipif(os.getuid() == 0, reason="root can write everywhere")
def test_folder_that_is_not_ours(copy, tmp_path):
    build = copy / "build"
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    build.chmod(0o555)
    try:
        p = run(copy, "version", env=env)
        assert p.returncode == 0 and p.stderr == ""    # what is built is current
        (copy / "src/bin/cay.c").touch()
        p = run(copy, "version", env=env)
        assert p.returncode == 0 and "not writable" in p.stderr and str(tmp_path) in p.stderr
    finally:
        build.chmod(0o755)
