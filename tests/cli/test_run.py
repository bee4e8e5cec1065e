# SPDX-License-Identifier: Apache-2.0
"""cay run: statuses, streams, options and results, for real. What isolates is tested in tests/box."""
import json
import os
import shutil
import signal
import subprocess
import time

import pytest
from conftest import CAY, TIMEOUT, clean_env

pytestmark = pytest.mark.usefixtures("needs_sandbox")


@pytest.mark.parametrize("command,status", [
    (["true"], 0),
    (["false"], 1),
    (["sh", "-c", "exit 42"], 42),
    (["sh", "-c", "kill -KILL $$"], 137),
    (["sh", "-c", "kill -TERM $$"], 143),
    (["no-such-command-anywhere"], 127),
    (["/etc/passwd"], 126),
    (["/"], 126),
])
def test_exit_statuses(cay, command, status):
    assert cay("run", "--", *command).returncode == status


def test_a_failure_of_cay_is_125(cay, tmp_path):
    done = cay("run", "--rootfs", tmp_path / "missing", "--", "true")
    assert done.returncode == 125
    assert "missing" in done.err


def test_timeout_is_124_and_told(cay):
    start = time.monotonic()
    done = cay("run", "--timeout", "300ms", "--", "sleep", "50")
    assert done.returncode == 124
    assert time.monotonic() - start < 10
    assert "timed out" in done.err


def test_streams_are_apart_and_raw(cay):
    done = cay("run", "--", "sh", "-c", r"printf 'a\033[31m\377'; printf b >&2; exit 3")
    assert done.returncode == 3
    assert done.stdout == b"a\x1b[31m\xff"
    assert done.stderr == b"b"


def test_stdin_only_with_i(cay):
    assert cay("run", "--", "cat", stdin="secret", check=0).out == ""
    assert cay("run", "-i", "--", "cat", stdin="secret", check=0).out == "secret"


def test_large_output_and_input(cay):
    data = os.urandom(1 << 20) * 4
    done = cay("run", "-i", "--", "cat", stdin=data, check=0)
    assert done.stdout == data


def test_options_of_the_command_stay_its_own(cay):
    assert cay("run", "echo", "--memory", "-e", "--", "x", check=0).out == "--memory -e -- x\n"
    assert cay("run", "--", "echo", "--", "x", check=0).out == "-- x\n"


def test_env(cay):
    show = ["sh", "-c", 'echo "$A|$B|${C-unset}|${D-unset}"']
    done = cay("run", "-e", "A=1", "--env=B=x=y", "-eC", "-e", "NOT_HERE", "--", *show,
               env={"C": "passed", "D": "not passed"}, check=0)
    assert done.out == "1|x=y|passed|unset\n"


def test_workspace(cay, tmp_path):
    (tmp_path / "in").write_text("hello")
    tmp_path.chmod(0o755)
    args = ["--workspace", tmp_path, "--", "sh", "-c", "cat in; echo out > out && pwd"]
    assert cay("run", *args, check=0).out == "hello/workspace\n"
    assert (tmp_path / "out").read_text() == "out\n"
    assert (tmp_path / "out").stat().st_uid == tmp_path.stat().st_uid
    done = cay("run", "--workspace", f"{tmp_path}:ro", "--", "sh", "-c", "cat in; touch new")
    assert done.returncode != 0 and done.out == "hello"
    assert not (tmp_path / "new").exists()
    done = cay("run", "-w", ".", "--", "cat", "in", cwd=tmp_path, check=0)
    assert done.out == "hello"


def test_nothing_is_shared_unless_asked(cay, tmp_path):
    (tmp_path / "in").write_text("hello")
    done = cay("run", "--", "ls", "-A", "/workspace", cwd=tmp_path, check=0)
    assert done.out == ""
    assert cay("run", "--", "cat", tmp_path / "in").returncode != 0


def test_cwd_and_name(cay):
    done = cay("run", "--cwd", "/usr", "--name", "my-box", "--", "sh", "-c", "pwd; hostname",
               check=0)
    assert done.out == "/usr\nmy-box\n"
    assert cay("run", "--name", "Bad Name", "--", "true").returncode == 125


def test_net(cay):
    alone = cay("run", "--", "tail", "-n", "+3", "/proc/net/dev", check=0).out
    assert [line.split(":")[0].strip() for line in alone.splitlines()] == ["lo"]
    shared = cay("run", "--net", "host", "--", "tail", "-n", "+3", "/proc/net/dev", check=0).out
    with open("/proc/net/dev") as f:
        ours = [line.split(":")[0].strip() for line in f.readlines()[2:]]
    assert [line.split(":")[0].strip() for line in shared.splitlines()] == ours


def test_json_result(cay):
    done = cay("run", "--json", "--", "sh", "-c", r"printf 'out\377'; echo err >&2; exit 5")
    assert done.returncode == 5
    result = json.loads(done.out)
    assert result["exit_code"] == 5
    assert result["stdout"] == "out\ufffd" and result["stderr"] == "err\n"
    assert result["timed_out"] is False
    assert result["duration_ms"] > 0 and result["setup_ms"] > 0
    assert result["isolation"]["level"] == "full"
    result = json.loads(cay("run", "--json", "--", "sh", "-c", "kill -9 $$").out)
    assert result["exit_code"] == 137 and result["signal"] == "SIGKILL"
    result = json.loads(cay("run", "--json", "--timeout", "200ms", "--", "sleep", "50").out)
    assert result["exit_code"] == 124 and result["timed_out"] is True


def test_json_error(cay):
    done = cay("run", "--json", "--workspace", "/nowhere", "--", "true")
    assert done.returncode == 125
    assert json.loads(done.err)["error"]["code"] == "not_found"


def test_explain_runs_nothing(cay, tmp_path):
    tmp_path.chmod(0o755)
    done = cay("run", "--explain", "--workspace", tmp_path, "--", "touch", "/workspace/x",
               check=0)
    assert "/workspace" in done.out
    assert len(done.out.splitlines()) > 10
    assert not (tmp_path / "x").exists()
    plan = json.loads(cay("run", "--explain", "--json", check=0).out)
    steps = plan["steps"] if isinstance(plan, dict) else plan
    assert all(step["reason"] for step in steps)


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_go_to_the_command(sig):
    name = sig.name[3:]
    script = f"trap 'echo got; exit 9' {name}; echo ready; while :; do read -t 1 x; done"
    with subprocess.Popen([CAY, "run", "-i", "--", "bash", "-c", script],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=clean_env()) as p:
        assert p.stdout.readline() == b"ready\n"
        p.send_signal(sig)
        assert p.stdout.readline() == b"got\n"
        assert p.wait(TIMEOUT) == 9


def test_the_reader_goes_away():
    with subprocess.Popen([CAY, "run", "--", "yes"], stdout=subprocess.PIPE,
                          env=clean_env()) as p:
        p.stdout.read(10)
        p.stdout.close()
        assert p.wait(TIMEOUT) in (-signal.SIGPIPE, 128 + signal.SIGPIPE)


@pytest.mark.parametrize("variables", [
    {"HOME": "/nonexistent"},
    {"HOME": ""},
    {"XDG_CACHE_HOME": "relative"},
    {"XDG_CACHE_HOME": "/proc/nope"},
])
def test_without_a_usable_home(cay, variables):
    assert cay("run", "--", "echo", "fine", env=variables, check=0).out == "fine\n"


def test_an_empty_environment():
    done = subprocess.run(["/usr/bin/env", "-i", CAY, "run", "--", "sh", "-c", "echo $HOME"],
                          capture_output=True, timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"/home/cay\n"


def test_it_starts_quickly(cay):
    """Well below what a dynamic program with a dozen libraries needs, even on a busy machine."""
    if b"statically linked" not in subprocess.run(["ldd", CAY], capture_output=True).stdout:
        pytest.skip("this build is not static: start-up is another")
    best = min(_time([CAY, "version"]) for _ in range(20))
    floor = min(_time(["/bin/true"]) for _ in range(20))
    assert best < floor + 0.005, (best, floor)


def _time(argv):
    start = time.perf_counter()
    subprocess.run(argv, stdout=subprocess.DEVNULL, check=True, env=clean_env())
    return time.perf_counter() - start


def test_it_needs_little(tmp_path):
    """No locale, no event loop, nothing lazy done early: `cay version` is a few system calls."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    trace = tmp_path / "trace"
    done = subprocess.run(["strace", "-qq", "-o", trace, CAY, "version"], capture_output=True,
                          timeout=TIMEOUT)
    if done.returncode != 0:
        pytest.skip("strace may not trace here: " + done.stderr.decode())
    calls = trace.read_text().splitlines()
    if any("libc.so" in call for call in calls):
        pytest.skip("this build is not static")
    assert len(calls) < 30, calls
