# SPDX-License-Identifier: Apache-2.0
"""cay sh, exec -t and run -t under a real terminal: raw mode, keys, size, status, restoration."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

import pytest
from conftest import CAY, TIMEOUT, clean_env


class Terminal:
    """A program on a pty of a given size."""

    def __init__(self, args, env, rows=31, cols=97):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
            os.execve(CAY, ["cay", *args], env)
        self.before = None
        self.text = ""

    def resize(self, rows, cols):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def send(self, text):
        os.write(self.fd, text.encode())

    def expect(self, pattern):
        """Reads until the pattern matches what has come since the last match."""
        deadline = time.monotonic() + TIMEOUT
        while not (found := re.search(pattern, self.text)):
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self.fd], [], [], left)[0], \
                f"no {pattern!r} in {self.text!r}"
            try:
                part = os.read(self.fd, 65536)
            except OSError:
                part = b""
            assert part, f"ended before {pattern!r}: {self.text!r}"
            self.text += part.decode(errors="replace")
        self.text = self.text[found.end():]
        return found

    def flags(self):
        return termios.tcgetattr(self.fd)[3]

    def wait(self):
        while True:
            try:
                if not os.read(self.fd, 65536):
                    break
            except OSError:
                break
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def env_of(client):
    return {**client.env, "TERM": "xterm-256color"}


@pytest.fixture(params=["sh", "exec", "run"])
def shell(request, client, box, needs_sandbox):
    args = {"sh": ["sh", box], "exec": ["exec", "-it", box, "--", "bash"],
            "run": ["run", "-it", "--", "bash"]}[request.param]
    t = Terminal(args, env_of(client))
    t.send("PS1='<%s>'; stty -echo\n")
    t.send("echo ready-$((1+1))\n")
    # With the prompt, bash has set the terminal for reading a line: keys mean what they say.
    t.expect("(?s)ready-2.*<%s>")
    return t


def test_size_and_resize(shell):
    shell.send("echo size $(stty size)\n")
    shell.expect("size 31 97")
    shell.resize(50, 132)
    # The new size travels beside the keys: it may arrive after the first questions.
    deadline = time.monotonic() + TIMEOUT
    size = None
    while size != "50 132" and time.monotonic() < deadline:
        shell.send("echo size $(stty size)\n")
        size = shell.expect(r"size (\d+ \d+)").group(1)
    assert size == "50 132"
    shell.send("exit\n")
    assert shell.wait() == 0


def test_exit_status(shell):
    shell.send("exit 37\n")
    assert shell.wait() == 37


def test_ctrl_c_goes_to_the_program_inside(shell):
    shell.send("sh -c 'echo armed-$((1+1)); exec cat'\n")
    shell.expect("armed-2")
    shell.send("\x03")
    shell.expect("<%s>")
    shell.send("echo status $?\n")
    shell.expect("status 130")
    shell.send("exit 0\n")
    assert shell.wait() == 0


def test_ctrl_d_ends_the_shell(shell):
    shell.send("\x04")
    assert shell.wait() == 0


def test_it_is_a_terminal_of_its_own(shell):
    shell.send("[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo term=$TERM tty=$(tty)\n")
    shell.expect("term=xterm-256color tty=/dev/pts/[0-9]+")
    shell.send("exit\n")
    assert shell.wait() == 0


def test_much_output(shell):
    shell.send("seq 1 20000; echo the-$((0))-end\n")
    shell.expect("19999\r+\n20000\r+\nthe-0-end")
    shell.send("exit\n")
    assert shell.wait() == 0


def test_our_terminal_is_raw_meanwhile_and_restored(client, box):
    """The mode of the terminal, as a shell around cay sees it before, during and after."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve("/bin/sh", ["sh", "-c",
                              f"stty -g; '{CAY}' sh {box}; echo status $?; stty -g; read x"],
                  env_of(client))
    t = Terminal.__new__(Terminal)
    t.pid, t.fd, t.text = pid, fd, ""
    mode = t.expect(r"([0-9a-f:]{20,})\r\n").group(1)
    t.send("echo in-$((1+1))\n")
    t.expect("in-2")
    assert not t.flags() & termios.ICANON and not t.flags() & termios.ISIG
    t.send("exit 5\n")
    t.expect("status 5")
    assert t.expect(r"([0-9a-f:]{20,})\r\n").group(1) == mode
    t.send("\n")
    t.wait()


def test_ended_from_outside_the_terminal_is_restored(client, box):
    t = Terminal(["sh", box], env_of(client))
    t.send("echo ready-$((1+1))\n")
    t.expect("ready-2")
    os.kill(t.pid, signal.SIGTERM)
    keep = os.dup(t.fd)
    assert t.wait() == 128 + signal.SIGTERM
    os.close(keep)


def test_the_sandbox_goes_away(client, needs_sandbox):
    name = client("create", check=0).out.strip()
    t = Terminal(["sh", name], env_of(client))
    t.send("echo ready-$((1+1))\n")
    t.expect("ready-2")
    client("rm", name, check=0)
    t.expect("the sandbox has ended")
    assert t.wait() == 125


def test_without_a_command_run_is_a_shell(needs_sandbox):
    t = Terminal(["run"], clean_env(TERM="xterm"))
    t.send("echo $((40+2)) in $PWD\n")
    t.expect("42 in /workspace")
    t.send("exit 3\n")
    assert t.wait() == 3
