# SPDX-License-Identifier: Apache-2.0
"""The engine, through `cay run`, on this machine's real kernel. The suite passes for root and for an
ordinary user; what only one of them can show is skipped for the other, with the reason."""
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("CAY_BUILD", TOP / "build"))
CAY = BUILD / "cay"
PROBE = BUILD / "tests" / "box" / "probe"
TIMEOUT = 60
IS_ROOT = os.geteuid() == 0

needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root can make files of other owners")


def clean_env(**more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("CAY_")}
    env.update(more)
    return env


class Run:
    """`cay run [options] -- command`; text in and out."""

    def __call__(self, *command, options=(), check=0, stdin="", env=None, prefix=(), **kwargs):
        options = [*options, "-i"] if stdin else options
        argv = [*prefix, CAY, "run", *map(str, options), "--", *map(str, command)]
        done = subprocess.run(argv, input=stdin.encode(), capture_output=True, timeout=TIMEOUT,
                              env=clean_env(**(env or {})), **kwargs)
        done.out = done.stdout.decode(errors="replace")
        done.err = done.stderr.decode(errors="replace")
        if check is not None:
            assert done.returncode == check, (argv, done.returncode, done.out, done.err)
        return done

    def sh(self, script, **kwargs):
        return self("bash", "-c", script, **kwargs)

    def json(self, *command, **kwargs):
        options = ["--json", *kwargs.pop("options", ())]
        return json.loads(self(*command, options=options, **kwargs).out)

    def probe(self, workspace, *args, **kwargs):
        """The probe program of this suite, run inside, from a copy in the workspace."""
        shutil.copy(PROBE, workspace / "probe")
        options = ["--workspace", workspace, *kwargs.pop("options", ())]
        return self("/workspace/probe", *args, options=options, **kwargs)


@pytest.fixture(scope="session", autouse=True)
def needs_sandbox():
    done = subprocess.run([CAY, "doctor", "--json"], capture_output=True, env=clean_env(),
                          timeout=TIMEOUT)
    rows = json.loads(done.stdout)["features"]
    missing = [row["feature"] for row in rows if row["required"] and not row["ok"]]
    if missing:
        pytest.skip("this machine cannot make sandboxes: " + ", ".join(missing))


@pytest.fixture
def run():
    return Run()


@pytest.fixture
def workspace(tmp_path):
    """A folder that every id can reach: pytest's own are closed to others."""
    for parent in [tmp_path, *tmp_path.parents]:
        if parent.owner() != Path(tmp_path).owner() or parent == Path("/tmp"):
            break
        parent.chmod(parent.stat().st_mode | 0o711)
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


def groups_left():
    """Control groups (cay-PID-NAME) whose maker has ended; those of others that run do not count."""
    found = []
    for folder, names, _ in os.walk("/sys/fs/cgroup"):
        found += [os.path.join(folder, n) for n in names
                  if n.startswith("cay-") and not os.path.exists("/proc/" + n.split("-")[1])]
    return sorted(found)


def sandbox_processes():
    """Pids of processes in another pid namespace that descend from this test, or have lost their
    parent: those of our sandboxes, but not of somebody else's that are alive on the machine."""
    parents, nested = {}, []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            status = Path("/proc", entry, "status").read_text()
        except OSError:
            continue
        fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        parents[int(entry)] = int(fields["PPid"])
        if len(fields["NSpid"].split()) > 1 and not fields["State"].strip().startswith("Z"):
            nested.append(int(entry))  # a zombie has ended; who adopted it will notice
    above, pid = {0}, os.getpid()
    while pid in parents:
        above.add(pid)
        pid = parents[pid]

    def is_ours(pid):
        while pid in parents and pid in inside:
            pid = parents[pid]
        first = pid
        while pid in parents and pid != os.getpid():
            pid = parents[pid]
        return first in above or pid == os.getpid()
    inside = set(nested)
    return [pid for pid in nested if is_ours(pid)]


@pytest.fixture
def nothing_left():
    """After the test the machine is as before: no group, no mount of cay's is left."""
    before = groups_left(), Path("/proc/self/mountinfo").read_text()
    yield
    assert groups_left() == before[0]
    assert Path("/proc/self/mountinfo").read_text() == before[1]
