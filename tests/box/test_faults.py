# SPDX-License-Identifier: Apache-2.0
"""A failure at any step means: no sandbox, an error that names the step, and nothing left behind.
Each system call of the set-up is made to fail in turn, by strace, on the real program."""
import os
import re
import select
import shutil
import signal
import subprocess
import time

import pytest
from conftest import BUILD, CAY, IS_ROOT, TIMEOUT, clean_env, groups_left, sandbox_processes

# Sanitizers make calls of their own, and their leak check does not work below strace.
pytestmark = [pytest.mark.usefixtures("nothing_left"), pytest.mark.release]

# Calls of the path from clone3 to exec, and which of their occurrences is tried. clone3 itself last.
CALLS = ["clone3", "mount", "fsopen", "fsconfig", "fsmount", "move_mount", "open_tree",
         "mount_setattr", "mkdir", "symlink", "mknodat", "openat2", "fchdir", "pivot_root", "umount2",
         "sethostname", "setns", "unshare", "setsid", "prlimit64", "capset", "seccomp",
         "landlock_restrict_self", "landlock_add_rule", "close_range", "socketpair", "clone", "vfork"]
ROOT_CALLS = ["setgroups", "setresgid", "setresuid"]


def inject(call, when, *options, command=("true",), error="EIO"):
    return subprocess.run(
        ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
         "-e", f"inject={call}:error={error}:when={when}",
         CAY, "run", *options, "--", *command],
        capture_output=True, timeout=TIMEOUT, env=clean_env(), text=True)


@pytest.fixture(scope="module", autouse=True)
def needs_strace():
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    subprocess.run([CAY, "run", "--", "true"], check=True, env=clean_env())  # the cache is warm


@pytest.mark.parametrize("call", CALLS + ROOT_CALLS)
def test_a_failed_call_is_a_typed_error(call):
    if call in ROOT_CALLS and not IS_ROOT:
        pytest.skip("only root's sandboxes change their id")
    before = set(sandbox_processes())
    done = inject(call, "1")
    assert done.returncode == 125, (done.returncode, done.stdout, done.stderr)
    assert done.stdout == "" and done.stderr.startswith("cay: ")
    assert "Input/output error" in done.stderr, done.stderr
    assert set(sandbox_processes()) <= before


@pytest.mark.parametrize("call,count", [("mount_setattr", 6), ("open_tree", 26), ("move_mount", 30),
                                        ("fsconfig", 22), ("mkdir", 28)])
def test_also_late_in_the_sequence(call, count):
    """Every third occurrence, as each is a step of its own."""
    for when in range(2, count, 3):
        done = inject(call, str(when))
        # Where a masked path does not exist on this kernel there is one call less.
        assert done.returncode in (125, 0), (when, done.stderr)
        if done.returncode:
            assert re.match(r"cay: [a-z-]+", done.stderr), done.stderr


@pytest.mark.parametrize("call", ["prctl:when=1", "keyctl"])
def test_failures_that_are_not_ours(call):
    """PR_SET_DUMPABLE has to work; a keyring is only one more lock."""
    name, _, when = call.partition(":when=")
    done = inject(name, when or "1")
    assert done.returncode == (0 if name == "keyctl" else 125)


def test_the_first_step_names_what_to_change():
    done = inject("clone3", "1", error="EPERM")
    assert done.returncode == 125
    assert "namespaces" in done.stderr and "cay doctor" in done.stderr


@pytest.mark.parametrize("call,when", [("mkdirat", "1"), ("openat", "1")])
def test_failures_while_groups_are_made(call, when):
    if not IS_ROOT or not os.access("/sys/fs/cgroup", os.W_OK):
        pytest.skip("no cgroup is ours to use here")
    done = inject(call, when, "--memory", "64m")
    assert done.returncode in (0, 125), done.stderr


def test_a_skeleton_that_cannot_be_used_is_lived_without(tmp_path):
    """Who can write to the cache decides what every sandbox sees: such a cache is not used."""
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(0o777)
    done = subprocess.run([BUILD / "tests" / "box" / "boxrun", "-j", "--", "sh", "-c",
                           "cat /etc/shadow /etc/sudoers; touch /usr/bin/x; touch /tmp/x; id -un"],
                          capture_output=True, env=clean_env(BOXRUN_CACHE=str(cache)), text=True)
    assert done.stdout == "cay\n", done.stderr
    assert '"skeleton": false' in done.stderr and "can be changed by others" in done.stderr
    assert done.stderr.count("No such file") == 2 and "touch: cannot touch '/usr/bin/x'" in done.stderr
    assert os.listdir(cache) == []


# ---- death of the maker ----

@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_nothing_survives_the_caller(sig):
    before = set(sandbox_processes())
    maker = subprocess.Popen(
        [CAY, "run", "--", "bash", "-c", "(setsid sleep 1000 &) ; echo up; sleep 1000"],
        stdout=subprocess.PIPE, env=clean_env())
    assert maker.stdout.readline() == b"up\n"
    inside = set(sandbox_processes()) - before
    assert len(inside) >= 3
    watch = [os.pidfd_open(pid) for pid in inside]
    maker.send_signal(sig)
    maker.wait(TIMEOUT)
    for fd in watch:
        wait_for_end(fd)
        os.close(fd)
    assert not set(sandbox_processes()) & inside


def wait_for_end(pidfd):
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    assert poll.poll(TIMEOUT * 1000)


def test_a_kill_in_the_middle_of_the_set_up():
    """As early as the first process shows: the half-made sandbox goes too."""
    before = set(sandbox_processes())
    maker = subprocess.Popen([CAY, "run", "--", "sleep", "1000"], env=clean_env())
    end = time.monotonic() + TIMEOUT
    while not set(sandbox_processes()) - before:
        assert time.monotonic() < end
    inside = set(sandbox_processes()) - before
    watch = []
    for pid in inside:
        try:
            watch.append(os.pidfd_open(pid))
        except ProcessLookupError:
            pass
    maker.kill()
    maker.wait(TIMEOUT)
    for fd in watch:
        wait_for_end(fd)
        os.close(fd)


def test_many_runs_leave_nothing():
    before = (len(os.listdir("/proc/self/fd")), groups_left(), set(sandbox_processes()))
    running = [subprocess.Popen([CAY, "run", "--memory", "64m", "--pids", "50", "--", "true"],
                                env=clean_env()) for _ in range(10)]
    assert [r.wait(TIMEOUT) for r in running] == [0] * 10
    assert groups_left() == before[1]
    assert set(sandbox_processes()) <= before[2]
