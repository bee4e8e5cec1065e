# SPDX-License-Identifier: Apache-2.0
"""cay serve finds cay-server, hands on every option, and both know the same ones."""
import re
import shutil
import subprocess

from conftest import BUILD, TIMEOUT, Cay, Server, clean_env


def options(text):
    return set(re.findall(r"^\s+(?:-\w, )?(--[a-z-]+)", text, re.M))


def test_both_tables_say_the_same(cay):
    ours = options(cay("serve", "--help", check=0).out) - {"--json"}
    done = subprocess.run([BUILD / "cay-server", "serve", "--help"], capture_output=True,
                          text=True, timeout=TIMEOUT)
    assert done.returncode == 0
    assert options(done.stdout) == ours


def test_options_arrive(tmp_path, needs_sandbox):
    server = Server(tmp_path / "state", "--log-format", "json", "--log-level=debug",
                    "--max-sandboxes", "1", "--allow-host", "example.org",
                    CAY_API_KEY="chosen")
    try:
        cay = Cay(CAY_URL=server.url, CAY_API_KEY="chosen")
        cay("create", check=0)
        done = cay("create")
        assert done.returncode == 8, done.err
    finally:
        assert server.stop() == 0


def test_a_unix_socket(tmp_path, needs_sandbox):
    sock = tmp_path / "cay.sock"
    process = subprocess.Popen(
        [BUILD / "cay", "serve", "--listen", f"unix:{sock}", "--state", tmp_path / "state"],
        stderr=subprocess.PIPE, env=clean_env())
    try:
        for line in process.stderr:
            if b"listening on unix:" in line:
                break
        cay = Cay(CAY_URL=f"unix:{sock}")
        name = cay("create", "--state", tmp_path / "state", check=0).out.strip()
        done = cay("exec", "--state", tmp_path / "state", name, "echo", "through a socket",
                   check=0)
        assert done.out == "through a socket\n"
    finally:
        process.terminate()
        assert process.wait(TIMEOUT) == 0
        process.stderr.close()


def test_a_bad_option_is_refused_before_the_server_starts(cay):
    done = cay("serve", "--lisen", "x")
    assert done.returncode == 2 and "did you mean '--listen'?" in done.err
    assert cay("serve", "--log-level", "loud").returncode == 2
    assert cay("serve", "--listen", "nonsense").returncode == 2


def test_the_server_is_found_in_path(tmp_path):
    shutil.copy(BUILD / "cay", tmp_path / "cay")
    alone = subprocess.run([tmp_path / "cay", "serve"], capture_output=True, text=True,
                           env=clean_env(PATH="/nonexistent"), timeout=TIMEOUT)
    assert alone.returncode == 6
    assert "cay-server is not installed" in alone.stderr
    (tmp_path / "libexec").mkdir()
    fake = tmp_path / "libexec/cay-server"
    fake.write_text('#!/bin/sh\nfor a; do printf "<%s>" "$a"; done\n')
    fake.chmod(0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "cay").rename(tmp_path / "bin/cay")
    done = subprocess.run([tmp_path / "bin/cay", "serve", "--max-sandboxes", "7", "-l", "a", "-l",
                           "b c"], capture_output=True, text=True, timeout=TIMEOUT,
                          env=clean_env())
    assert done.stdout == "<serve><--listen=a><--listen=b c><--max-sandboxes=7>"
