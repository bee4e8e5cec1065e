# SPDX-License-Identifier: Apache-2.0
"""A terminal of the sandbox's own, relayed to ours; and signals on their way in."""
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios

import pytest
from conftest import CAY, TIMEOUT, clean_env


class Terminal:
    """cay on a pseudo-terminal of ours."""

    def __init__(self, *command, rows=31, columns=97):
        self.leader, self.follower = pty.openpty()
        self.resize(rows, columns)
        self.seen = b""
        self.process = subprocess.Popen(
            [CAY, "run", "-it", "--", *command], stdin=self.follower, stdout=self.follower,
            stderr=self.follower, env=clean_env(TERM="xterm"), start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, rows, columns):
        fcntl.ioctl(self.follower, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def write(self, data):
        os.write(self.leader, data)

    def expect(self, words):
        while words not in self.seen:
            ready, _, _ = select.select([self.leader], [], [], TIMEOUT)
            assert ready, self.seen
            self.seen += os.read(self.leader, 65536)
        self.seen = self.seen.split(words, 1)[1]

    def modes(self):
        return termios.tcgetattr(self.follower)

    def end(self):
        status = self.process.wait(TIMEOUT)
        os.close(self.leader)
        os.close(self.follower)
        return status


def test_it_is_a_terminal_of_its_own():
    t = Terminal("bash", "-c", "tty; ls /dev/pts; stty size; ps -o tty= -p $$; exit 7")
    t.expect(b"/dev/pts/0\r\n")
    t.expect(b"31 97")
    t.expect(b"pts/0")
    assert t.end() == 7


def test_ours_is_raw_meanwhile_and_restored_after():
    t = Terminal("bash", "-c", "echo ready; read line; echo got-$line")
    before = None
    t.expect(b"ready")
    raw = t.modes()
    assert not raw[3] & (termios.ICANON | termios.ECHO | termios.ISIG)
    t.write(b"words\r")
    t.expect(b"got-words")
    assert t.process.wait(TIMEOUT) == 0
    before = t.modes()
    assert before[3] & termios.ICANON and before[3] & termios.ECHO
    t.end()


def test_keys_become_signals_inside():
    t = Terminal("bash", "-c", "trap 'echo interrupted; exit 9' INT; echo ready; sleep 60 & while :; do wait; done")
    t.expect(b"ready")
    t.write(b"\x03")
    t.expect(b"interrupted")
    assert t.end() == 9


def test_a_new_size_arrives():
    t = Terminal("bash", "-c", "trap 'stty size; exit 0' WINCH; echo ready; sleep 60 & while :; do wait; done")
    t.expect(b"ready")
    t.resize(40, 120)
    os.kill(t.process.pid, signal.SIGWINCH)
    t.expect(b"40 120")
    assert t.end() == 0


def test_output_is_complete_when_it_ends():
    t = Terminal("bash", "-c", "seq 1 20000; echo the-end")
    t.expect(b"20000\r\n")
    t.expect(b"the-end")
    assert t.end() == 0


def test_without_a_terminal_of_ours_there_still_is_one_inside():
    done = subprocess.run([CAY, "run", "-t", "-i", "--", "bash", "-c", "test -t 0 && cat"],
                          input=b"typed\n", capture_output=True, env=clean_env(), timeout=TIMEOUT)
    assert done.returncode == 0 and done.stdout.count(b"typed") == 2  # its echo, and cat's


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_signals_reach_the_command(sig):
    assert ends_with(f"trap 'echo caught; exit 21' {int(sig)}; sleep 60 & echo up; wait", sig
                     ) == (21, b"caught\n")


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGHUP])
def test_signals_reach_its_children(sig):
    """(A shell starts background jobs with SIGINT and SIGQUIT ignored.)"""
    child = f"trap 'echo child; exit' {int(sig)}; sleep 60 & echo up; wait"
    status, out = ends_with(f"trap 'wait; exit 21' {int(sig)}; bash -c \"{child}\" & wait", sig)
    assert status == 21 and b"child" in out


def test_an_untrapped_signal_ends_it():
    assert ends_with("echo up; exec sleep 60", signal.SIGTERM) == (143, b"")


def ends_with(script, sig):
    process = subprocess.Popen([CAY, "run", "--", "bash", "-c", script],
                               stdout=subprocess.PIPE, env=clean_env())
    assert process.stdout.readline() == b"up\n"
    process.send_signal(sig)
    out = process.stdout.read()
    return process.wait(TIMEOUT), out
