# SPDX-License-Identifier: Apache-2.0
"""Limits of memory, processes, CPU and time; where no cgroup is ours, what is done instead and said."""
import time

import pytest
from conftest import sandbox_processes

pytestmark = pytest.mark.usefixtures("nothing_left")

EAT = "x = bytearray(300 << 20); print(len(x))"


def limit_of(run, name, *options):
    report = run.json("true", options=options)["isolation"]
    return report["limits"][name], report["lost"]


def by_cgroup(run, name, *options):
    limit, _ = limit_of(run, name, *options)
    return (limit["enforced_by"] or "").startswith("cgroup")


def test_memory_is_limited(run):
    limit, lost = limit_of(run, "memory", "--memory", "64m")
    assert limit["value"] == 64 << 20
    done = run("python3", "-c", EAT, options=["--memory", "64m"], check=None)
    assert done.out == "" and done.returncode != 0
    if limit["enforced_by"] == "rlimit":
        assert limit["reason"] and any("memory" in x for x in lost)
        assert "MemoryError" in done.err
    else:
        assert done.returncode == 137 and "memory" in done.err
    assert run("python3", "-c", EAT).out.strip() == str(300 << 20)


@pytest.mark.slow
def test_memory_is_counted_for_all_processes_together(run):
    if not by_cgroup(run, "memory", "--memory", "64m"):
        pytest.skip("no memory cgroup is ours to use here")
    each = "import time; x = bytearray(30 << 20); time.sleep(5)"
    done = run.json("bash", "-c", f"for i in 1 2 3 4; do python3 -c '{each}' & done; wait",
                    options=["--memory", "64m"], check=None)
    assert done["oom"] is True


def test_what_is_written_counts_as_memory(run):
    done = run.sh("head -c 200m /dev/zero > /tmp/big; stat -c %s /tmp/big",
                  options=["--memory", "64m"], check=None)
    assert "209715200" not in done.out


def test_oom_is_told_in_the_result(run):
    if not by_cgroup(run, "memory", "--memory", "64m"):
        pytest.skip("no memory cgroup is ours to use here")
    result = run.json("python3", "-c", EAT, options=["--memory", "64m"], check=None)
    assert result["oom"] is True and result["exit_code"] == 137
    assert "oom" not in run.json("true", options=["--memory", "64m"])


@pytest.mark.slow
def test_processes_are_limited(run):
    script = "for i in $(seq 60); do sleep 20 & done 2>/dev/null; jobs -p | wc -l"
    assert int(run.sh(script, options=["--pids", "80"]).out or 0) == 60
    done = run.sh(script, options=["--pids", "20"], check=None)
    assert int(done.out or 0) < 20


@pytest.mark.slow
def test_a_fork_bomb_ends_with_the_sandbox(run):
    before = set(sandbox_processes())
    done = run.sh("bomb() { bomb | bomb & }; bomb 2>/dev/null; sleep 60",
                  options=["--pids", "100", "--timeout", "2s"], check=124)
    assert "timed out" in done.err
    assert set(sandbox_processes()) <= before


@pytest.mark.slow
def test_cpu_is_limited(run):
    limit, lost = limit_of(run, "cpus", "--cpus", "0.2")
    if not limit["enforced_by"]:
        assert limit["reason"] and any("cpu" in x for x in lost)
        pytest.skip("no cpu cgroup is ours to use here: " + limit["reason"])
    burn = ("import time; w = time.monotonic(); c = time.process_time()\n"
            "while time.monotonic() - w < 2: pass\n"
            "print((time.process_time() - c) / (time.monotonic() - w))")
    assert float(run("python3", "-c", burn, options=["--cpus", "0.2"]).out) < 0.35


def test_time_is_limited_and_kills_everything(run):
    before = set(sandbox_processes())
    start = time.monotonic()
    done = run.sh("trap '' TERM INT HUP; (setsid sleep 300 &); sleep 300",
                  options=["--timeout", "500ms"], check=124)
    assert 0.4 < time.monotonic() - start < 10
    assert "timed out" in done.err
    assert set(sandbox_processes()) <= before


def test_limits_are_lowered_only(run):
    done = run.sh("ulimit -c; ulimit -Hn; ulimit -u")
    core, files, processes = map(int, done.out.split())
    assert core == 0 and files <= 65536 and processes <= 4096


@pytest.mark.parametrize("option,value", [
    ("--memory", "-1"), ("--memory", "0"), ("--memory", "1k"), ("--memory", "x"),
    ("--memory", "99999999999999999999"), ("--pids", "-5"), ("--pids", "1"), ("--pids", "1e3"),
    ("--pids", "99999999999"), ("--cpus", "-1"), ("--cpus", "nan"), ("--cpus", "99999"),
    ("--cpus", "0.0001"), ("--timeout", "-3s"), ("--timeout", "soon")])
def test_bad_limits_are_refused(run, option, value):
    done = run("true", options=[f"{option}={value}"], check=None)
    assert done.returncode in (2, 125) and option.strip("-") in done.err, done.err
