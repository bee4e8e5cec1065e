# SPDX-License-Identifier: Apache-2.0
"""What a sandbox sees of the machine, and what it can do to it: each wall has a test."""
import os
import re
import shutil
import socket
import subprocess
import threading

import pytest
from conftest import CAY, IS_ROOT, PROBE

NAMESPACES = ["user", "mnt", "pid", "ipc", "uts", "cgroup", "net"]


def status_of(text):
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


# ---- identity and privilege ----

def test_the_hosts_command_line_does_not_show(run, workspace):
    shown = run("sh", "-c", "cat /proc/1/cmdline; cat /proc/[0-9]*/cmdline", "a-word",
                options=["--workspace", str(workspace)]).out
    assert str(workspace) not in shown
    assert "--workspace" not in shown
    assert "a-word" in shown  # of the command's own process



def test_every_namespace_is_its_own(run):
    inside = dict(zip(NAMESPACES, run.sh(
        "for n in %s; do readlink /proc/self/ns/$n; done" % " ".join(NAMESPACES)).out.split()))
    for name in NAMESPACES:
        assert inside[name] != os.readlink(f"/proc/self/ns/{name}"), name


def test_no_capability_and_no_way_to_one(run):
    status = status_of(run("cat", "/proc/self/status").out)
    for name in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]:
        assert int(status[name], 16) == 0, name
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


def test_one_unprivileged_id(run):
    assert run.sh("id -u; id -g; id -un; echo $HOME; id -G").out.split() == [
        "1000", "1000", "cay", "/home/cay", "1000"] or not IS_ROOT
    inside, outside, count = run("cat", "/proc/self/uid_map").out.split()
    assert (inside, count) == ("1000", "1")
    # Root of the host is nobody in there.
    assert int(outside) == os.geteuid() if not IS_ROOT else int(outside) >= 0x70000000


@pytest.mark.skipif(not IS_ROOT, reason="an ordinary user has one id to give")
def test_each_sandbox_of_root_has_an_id_of_its_own(run):
    maps = {run("cat", "/proc/self/uid_map").out for _ in range(4)}
    assert len(maps) == 4


def test_set_id_programs_and_devices_mean_nothing(run):
    for line in run("cat", "/proc/self/mountinfo").out.splitlines():
        where, options = line.split()[4:6]
        if where in ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom",
                     "/dev/tty"):
            continue
        assert "nosuid" in options, line
        assert "nodev" in options or where == "/dev/pts", line


# ---- processes ----

def test_only_its_own_processes_show(run):
    pids = run.sh("ls /proc | grep -E '^[0-9]+$'").out.split()
    assert len(pids) <= 5 and "1" in pids


def test_the_first_process_is_closed(run):
    """It is a copy of cay, and so of its caller's memory."""
    done = run.sh("for f in environ mem maps exe fd cwd root; do "
                  "cat /proc/1/$f >/dev/null 2>&1 && echo open $f; "
                  "ls -L /proc/1/$f/ >/dev/null 2>&1 && echo entered $f; done; true",
                  env={"SECRET_OF_THE_CALLER": "xyzzy"})
    assert done.out == ""


def test_the_environment_is_not_the_callers(run):
    done = run("env", env={"SECRET_OF_THE_CALLER": "xyzzy", "LD_PRELOAD_X": "1"})
    names = {line.split("=")[0] for line in done.out.splitlines()}
    assert names <= {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TERM", "PWD", "_"}


def test_no_descriptor_leaks(run, workspace, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("xyzzy")
    shutil.copy(PROBE, workspace / "probe")
    with secret.open() as a, socket.socket() as b:
        fds = (a.fileno(), b.fileno())
        done = run("/workspace/probe", "ls", "/proc/self/fd", options=["-w", workspace],
                   pass_fds=fds)
    assert set(done.out.split()) <= {"0", "1", "2", "3"}  # 3: the folder being listed


def test_a_session_of_its_own_without_a_terminal(run):
    done = run.sh("ps -o sid= -p $$; ps -o tty= -p $$; (exec </dev/tty) 2>&1 | grep -c tty")
    sid, tty, refused = done.out.split()
    assert int(sid) > 0 and tty == "?" and refused == "1"


def test_signals_do_not_cross(run):
    """Pids of the outside name nothing inside."""
    done = run.sh(f"kill -0 {os.getpid()} 2>&1 || true; kill -9 1; kill -9 -1; echo never")
    assert "never" not in done.out or "No such process" in done.out


# ---- files ----

SECRETS = ["/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/machine-id", "/etc/ssl/private",
           "/etc/ssh/ssh_host_ed25519_key", "/etc/ssh/ssh_host_rsa_key", "/root", "/boot",
           "/run/docker.sock", "/var/run/docker.sock", "/run/systemd", "/run/dbus", "/media",
           "/lost+found", "/var/lib/dpkg", "/var/log/dpkg.log", "/sys/kernel/debug/sched"]


@pytest.mark.parametrize("path", SECRETS)
def test_secrets_of_the_host_are_not_there(run, path):
    done = run.sh(f"cat {path} 2>/dev/null; ls -A {path} 2>/dev/null; true")
    assert done.out == ""


def test_only_the_list_is_in_the_root(run):
    allowed = {"bin", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "mnt", "nix", "opt",
               "proc", "run", "sbin", "srv", "sys", "tmp", "usr", "var", "workspace"}
    assert set(run("ls", "-A", "/").out.split()) <= allowed
    assert run("ls", "-A", "/home").out.split() == ["cay"]
    assert run("ls", "-A", "/home/cay", "/tmp", "/mnt", "/srv", "/workspace").out.count("\n") <= 10


def test_nothing_lies_above_the_root(run):
    assert run.sh("stat -c %d:%i / /.. /../.. | sort -u | wc -l").out.strip() == "1"
    mounts = [line.split()[4] for line in run("cat", "/proc/self/mountinfo").out.splitlines()]
    assert mounts.count("/") == 1 and len(mounts) == len(set(mounts))


def test_users_are_the_sandboxes_own(run):
    names = {line.split(":")[0] for line in run("cat", "/etc/passwd").out.splitlines()}
    assert names == {"root", "cay", "nobody"}
    done = run.sh("hostname; cat /etc/hostname; getent hosts $(hostname)",
                  options=["--name", "island"])
    assert done.out.split()[:2] == ["island", "island"]


def test_writes_work_anywhere_and_reach_nothing(run):
    host = {p: os.lstat(p).st_mtime_ns for p in ["/usr/bin", "/etc", "/usr/lib"]}
    done = run.sh("""
        set -e
        echo 'echo from inside' > /usr/bin/cay-made && chmod +x /usr/bin/cay-made && cay-made
        rm /usr/bin/env && ! test -e /usr/bin/env
        mkdir -p /usr/lib/cay-made/deep /opt/cay-made /etc/cay-made && touch /etc/cay-made/x
        mv /usr/bin/yes /usr/bin/no && test -x /usr/bin/no
        echo 1.2.3.4 there >> /etc/hosts && grep -q there /etc/hosts
        echo new > /etc/issue.new && mv /etc/issue.new /etc/issue && cat /etc/issue
        touch /new /var/new /home/cay/new /tmp/new /run/new /srv/new
    """)
    assert done.out.split("\n")[:2] == ["from inside", "new"]
    assert os.path.exists("/usr/bin/env") and not os.path.exists("/usr/bin/cay-made")
    assert not os.path.exists("/etc/cay-made") and not os.path.exists("/opt/cay-made")
    assert host == {p: os.lstat(p).st_mtime_ns for p in host}
    # And the next sandbox starts anew.
    run.sh("test -x /usr/bin/env && ! test -e /usr/bin/cay-made && ! test -e /new")


@pytest.mark.slow
def test_files_that_the_host_keeps_closed_stay_closed(run, tmp_path):
    done = run.sh("find /usr /etc /opt -xdev -type f ! -perm -o+r -readable 2>/dev/null | head -3")
    assert done.out == ""


# ---- /proc, /sys, /dev ----

@pytest.mark.parametrize("path", ["kcore", "keys", "timer_list", "sched_debug", "interrupts",
                                  "latency_stats", "timer_stats"])
def test_proc_files_are_masked(run, path):
    if not os.path.exists(f"/proc/{path}"):
        pytest.skip(f"this kernel has no /proc/{path}")
    assert run.sh(f"cat /proc/{path} 2>/dev/null | head -c 10; true").out == ""


@pytest.mark.parametrize("path", ["/proc/acpi", "/proc/asound", "/proc/scsi", "/sys/firmware",
                                  "/sys/devices/virtual/powercap", "/sys/devices/virtual/dmi",
                                  "/sys/fs/cgroup"])
def test_folders_are_masked(run, path):
    assert run.sh(f"ls -A {path} 2>/dev/null; true").out == ""


def test_nothing_of_the_kernel_can_be_written(run, workspace):
    done = run.probe(workspace, "write", "/proc/sys/kernel/hostname", "/proc/sysrq-trigger",
                     "/proc/sys/kernel/core_pattern", "/proc/irq/default_smp_affinity",
                     "/proc/bus/x", "/proc/fs/x", "/proc/kcore", "/proc/keys",
                     "/sys/class/net/lo/mtu", "/sys/power/state")
    for line in done.out.splitlines():
        assert line.split()[-1] in ("EROFS", "EACCES", "ENOENT", "EPERM"), line


def test_dev_has_what_is_harmless(run):
    assert set(run("ls", "/dev").out.split()) == {
        "null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "fd", "stdin",
        "stdout", "stderr"}
    assert run.sh("head -c 8 /dev/urandom | wc -c; echo gone > /dev/null; "
                  "mknod /tmp/m b 254 0 2>&1 | grep -c 'not permitted'; ls /dev/pts"
                  ).out.split() == ["8", "1", "ptmx"]


def test_shared_memory_pipes_and_sockets_work(run):
    run("python3", "-c", """
import multiprocessing, os, socket, threading
lock = multiprocessing.Lock()
with multiprocessing.Pool(2) as pool:
    assert pool.map(abs, [-1, -2]) == [1, 2]
os.mkfifo('/tmp/fifo')
a, b = socket.socketpair(); a.send(b'x'); assert b.recv(1) == b'x'
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()
c = socket.create_connection(s.getsockname())
import pty; pid, fd = pty.fork()
if pid == 0: os._exit(os.isatty(0) and 3)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
""")


# ---- system calls ----

def test_each_denied_call_is_denied(run, workspace):
    lines = run.probe(workspace, "denied").out.splitlines()
    assert len(lines) == 1 and re.fullmatch(r"tried \d\d+", lines[0]), lines


def test_calls_allowed_in_part(run, workspace):
    results = [line.split() for line in run.probe(workspace, "tested").out.splitlines()]
    for what, value, answer in results:
        value = int(value, 16)
        if what in ("unshare", "clone", "ioctl"):
            wanted = "EPERM"
        elif what == "personality":
            wanted = "ok" if value in (0, 0x40000, 0xffffffff) else "EPERM"
        elif what == "socket":
            wanted = "ok" if value in (1, 2, 10, 16) else "EAFNOSUPPORT"
        else:
            wanted = "ok" if value == 0 else "EAFNOSUPPORT"
        assert answer == wanted, (what, hex(value), answer)
    assert len(results) > 80


def test_calls_of_another_architecture_kill(run, workspace):
    done = run.probe(workspace, "int80", check=None)
    assert done.returncode == 128 + 31 and "survived" not in done.out


def test_a_terminal_takes_no_typed_input(run, workspace):
    shutil.copy(PROBE, workspace / "probe")
    done = run("/workspace/probe", "sti", options=["-t", "-w", workspace])
    assert "EPERM" in done.out


def test_debuggers_work(run):
    for tool in ("strace", "gdb"):
        if shutil.which(tool):
            break
    else:
        pytest.skip("neither strace nor gdb is installed")
    if shutil.which("strace"):
        assert "execve" in run.sh("strace -f -e trace=execve true 2>&1").out
    if shutil.which("gdb"):
        assert "exited normally" in run.sh("gdb -batch -ex run true 2>&1").out


# ---- network ----

@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: accept_forever(server), daemon=True).start()
        yield server.getsockname()[1]


def accept_forever(server):
    while True:
        try:
            server.accept()[0].close()
        except OSError:
            return


CONNECT = "import socket,sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5)"


def test_no_network_but_loopback(run, listener):
    assert [line.split(":")[0].strip() for line in
            run("tail", "-n", "+3", "/proc/net/dev").out.splitlines()] == ["lo"]
    done = run("python3", "-c", CONNECT, listener, check=1)
    assert "refused" in done.err


def test_the_hosts_network_where_it_is_asked_for(run, listener):
    run("python3", "-c", CONNECT, listener, options=["--net", "host"])
    done = run.sh("ls /sys; nproc", options=["--net", "host"])
    assert done.out.split()[0] == "devices"


def test_abstract_sockets_of_the_host_are_out_of_reach(run, workspace):
    report = run.json("true")["isolation"]
    if report["landlock"] != "scoped":
        pytest.skip("this kernel's Landlock has no scopes")
    name = f"cay-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0" + name)
        server.listen()
        done = run.probe(workspace, "abstract", name, options=["--net", "host"])
        assert "EPERM" in done.out
        # Without the wall it would have worked.
        assert "ok" in subprocess.run([PROBE, "abstract", name], capture_output=True).stdout.decode()


# ---- work ----

def test_compilers_and_git_work(run):
    run.sh("""
        set -e
        cd /workspace && git init -q . && git config user.email a@b.c && git config user.name x
        printf '#include <stdio.h>\\nint main(void) { puts("compiled"); return 0; }\\n' > a.c
        git add a.c && git commit -qm one
        git log --oneline | grep -q one && git status --short | wc -l | grep -qx 0
    """)
    if shutil.which("gcc"):
        done = run.sh("printf 'int puts(const char *); int main(void) { return puts(\"c\") < 0; }' "
                      "> a.c && gcc -o a a.c && ./a")
        assert done.out == "c\n"
    assert run("python3", "-c", "import sqlite3, ssl, json; print(6 * 7)").out == "42\n"


def test_the_report_says_what_is_in_force(run):
    report = run.json("true")["isolation"]
    assert report["level"] == "full" and sorted(report["namespaces"]) == sorted(NAMESPACES)
    assert report["capabilities"] == "none" and report["no_new_privs"] is True
    assert report["seccomp"] == "filter" and report["uid"] == 1000
    assert report["skeleton"] is True, report["lost"]
    shared = run.json("true", options=["--net", "host"])["isolation"]
    assert "net" not in shared["namespaces"] and shared["network"] == "host"


def test_explain_prints_each_step_with_its_reason(run):
    done = subprocess.run([CAY, "run", "--explain", "--", "true"], capture_output=True, check=True)
    lines = done.stdout.decode().splitlines()
    assert len(lines) > 50 and all("# " in line for line in lines)
    assert any(line.startswith("seccomp") for line in lines)
