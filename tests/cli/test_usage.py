# SPDX-License-Identifier: Apache-2.0
"""Help, mistakes, JSON, colours, and what becomes of the output. Needs neither sandbox nor server."""
import json
import os
import pty
import re
import signal
import subprocess

import pytest
from conftest import CAY, TIMEOUT, TOP, clean_env

COMMANDS = re.findall(r"^CAY_COMMAND\((\w+)\)",
                      (TOP / "src/cli/commands.def").read_text(), re.M)


def test_the_commands_of_the_first_release_are_there():
    wanted = "run serve create ls show exec sh cp rm doctor bench version completion help"
    assert set(wanted.split()) <= set(COMMANDS)


def test_no_command_prints_help_to_stderr(cay):
    done = cay()
    assert done.returncode == 2
    assert done.out == ""
    for name in COMMANDS:
        assert re.search(rf"^  {name} +\S", done.err, re.M)


@pytest.mark.parametrize("args", [["help"], ["--help"], ["-h"]])
def test_overview(cay, args):
    done = cay(*args, check=0)
    assert done.err == ""
    for name in COMMANDS:
        assert re.search(rf"^  {name} +\S", done.out, re.M)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(cay, command):
    done = cay(command, "--help", check=0)
    assert done.err == ""
    assert f"cay {command}" in done.out
    assert "--help" in done.out and "--json" in done.out
    assert max(map(len, done.out.splitlines())) <= 100
    assert cay("help", command, check=0).out == done.out
    assert cay(command, "-h", check=0).out == done.out


def test_help_shows_values_defaults_environment_and_examples(cay):
    out = cay("help", "run", check=0).out
    assert "-m, --memory SIZE" in out and "--net none|host" in out
    assert "(default none)" in out
    assert "cay run --workspace . -- make test" in out
    out = cay("help", "ls", check=0).out
    assert "[CAY_URL]" in out and "http://127.0.0.1:7070" in out


def test_help_wins_over_missing_operands(cay):
    assert "SANDBOX" in cay("exec", "--help", check=0).out


def test_version(cay):
    assert re.fullmatch(r"cay \d+\.\d+\.\d+\n", cay("version", check=0).out)
    assert cay("--version", check=0).out == cay("version", check=0).out
    assert "version" in cay.json("version")


def test_help_json_lists_the_tables(cay):
    table = cay.json("help")
    assert [c["name"] for c in table["commands"]] == COMMANDS


MISTAKES = [
    (["rum"], 2, "unknown command 'rum'", "did you mean 'cay run'?"),
    (["frobnicate"], 2, "unknown command 'frobnicate'", "cay help"),
    (["help", "frobnicate"], 2, "unknown command 'frobnicate'", "cay help"),
    (["--server", "x", "ls"], 2, "before the command", "cay COMMAND [OPTIONS]"),
    (["run", "--memroy", "1g"], 125, "unknown option '--memroy'", "did you mean '--memory'?"),
    (["run", "-Z"], 125, "unknown option '-Z'", "cay run --help"),
    (["run", "--memory"], 125, "--memory needs a value (SIZE)", "cay run --help"),
    (["run", "--memory", "lots", "--", "true"], 125, "lots", ""),
    (["run", "--memory", "-5m", "--", "true"], 125, "-5m", ""),
    (["run", "--memory", "1", "--", "true"], 125, "--memory", ""),
    (["run", "--memory=99999999999999999999g", "--", "true"], 125, "--memory", ""),
    (["run", "--pids", "0", "--", "true"], 125, "--pids", ""),
    (["run", "--pids", "1e3", "--", "true"], 125, "--pids", ""),
    (["run", "--cpus", "nan", "--", "true"], 125, "--cpus", ""),
    (["run", "--timeout", "0", "--", "true"], 125, "--timeout", ""),
    (["run", "--net", "hosst", "--", "true"], 125, "is not one of none|host", ""),
    (["run", "--tty=yes", "--", "true"], 125, "--tty takes no value", ""),
    (["run", "--env", "=x", "--", "true"], 125, "neither NAME=VALUE nor NAME", ""),
    (["run", "--workspace", "/no/such/folder", "--", "true"], 125, "/no/such/folder", "folder"),
    (["run", "--workspace", "/etc/passwd", "--", "true"], 125, "not a folder", ""),
    (["run", "--workspace", "/tmp:cow", "--", "true"], 125, "not supported yet", ""),
    (["run"], 125, "no command, and no terminal", "cay run -- ls"),
    (["version", "extra"], 2, "unexpected operand 'extra'", "cay version --help"),
    (["show"], 2, "missing operand", "cay show --help"),
    (["exec", "dev"], 125, "missing operand", "cay exec --help"),
    (["cp", "a"], 2, "missing operand", ""),
    (["cp", "a", "b"], 2, "SANDBOX:PATH", "cay cp"),
    (["cp", "x:a", "y:b"], 2, "SANDBOX:PATH", ""),
    (["rm"], 2, "--all", ""),
    (["rm", "--all", "dev"], 2, "--all", ""),
    (["completion", "tcsh"], 2, "tcsh", ""),
    (["sh", "dev"], 125, "needs a terminal", "cay exec -i dev"),
    (["exec", "--json", "-i", "dev", "true"], 125, "--json", ""),
    (["create", "--label", "novalue"], 2, "KEY=VALUE", ""),
    (["ls", "--server", "ftp://x"], 2, "ftp://x", ""),
]


@pytest.mark.parametrize("args,status,message,hint", MISTAKES,
                         ids=[" ".join(m[0]) for m in MISTAKES])
def test_mistakes(cay, args, status, message, hint):
    done = cay(*args)
    assert done.returncode == status, done.err
    assert done.out == ""
    if "--json" in args:
        assert message in json.loads(done.err)["error"]["message"]
        return
    first, _, rest = done.err.partition("\n")
    assert first.startswith("cay: ") and message in first
    assert hint in rest
    if "needs a value" in message:
        return
    where = args.index("--") if "--" in args else len(args)
    as_json = cay(*args[:where], "--json", *args[where:])
    assert as_json.returncode == status
    assert as_json.out == ""
    error = json.loads(as_json.err)["error"]
    assert message in error["message"]
    assert re.fullmatch(r"[a-z_]+", error["code"])


def test_control_characters_do_not_reach_the_terminal(cay):
    done = cay("\x1b]0;owned\x07")
    assert done.returncode == 2
    assert "\x1b" not in done.err and "\\x1b" in done.err


NEED_A_SERVER = [["create"], ["ls"], ["show", "x"], ["rm", "x"], ["exec", "x", "true"],
                 ["cp", "a", "x:b"]]


@pytest.mark.parametrize("args", NEED_A_SERVER, ids=[a[0] for a in NEED_A_SERVER])
def test_no_server(cay, args, tmp_path):
    (tmp_path / "a").write_text("")
    for url in ("http://127.0.0.1:9", f"unix:{tmp_path}/none.sock"):
        done = cay(*args, cwd=tmp_path, env={"CAY_URL": url})
        assert done.returncode == (125 if args[0] == "exec" else 6), done.err
        assert f"cannot reach {url}" in done.err and "cay serve" in done.err


def on_terminal(args, **env):
    """Output of cay with all its descriptors on a terminal."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(CAY, ["cay", *args], clean_env(TERM="xterm", **env))
    out = b""
    while True:
        try:
            part = os.read(fd, 65536)
        except OSError:
            break
        if not part:
            break
        out += part
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    return out.decode(errors="replace"), os.waitstatus_to_exitcode(status)


def test_colours_only_on_a_terminal_and_not_with_no_color(cay):
    out, status = on_terminal(["help"])
    assert status == 0 and "\x1b[" in out
    out, status = on_terminal(["help"], NO_COLOR="1")
    assert status == 0 and "\x1b" not in out
    out, _ = on_terminal(["nonsense"])
    assert "\x1b[" in out
    assert "\x1b" not in cay("help", check=0).out


def test_json_on_a_terminal_is_plain_ascii():
    out, status = on_terminal(["nonsense\u0085\u001b", "--json"])
    assert status == 2
    assert "\x1b" not in out and "\u0085" not in out
    assert json.loads(out)["error"]["code"] == "invalid_argument"


def test_a_reader_that_goes_away_ends_us_silently():
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run([CAY, "help", "--man"], stdout=write_end, stderr=subprocess.PIPE,
                          timeout=TIMEOUT, env=clean_env())
    os.close(write_end)
    assert done.returncode == -signal.SIGPIPE
    assert done.stderr == b""


def test_a_full_disk_is_an_error(cay):
    with open("/dev/full", "wb") as full:
        done = cay("help", stdout=full)
    assert done.returncode == 1
    assert "cannot write the output" in done.err


def test_closed_standard_descriptors_are_survived():
    done = subprocess.run(["/bin/sh", "-c", f"exec '{CAY}' version <&- 2>&-"],
                          stdout=subprocess.PIPE, timeout=TIMEOUT, env=clean_env())
    assert done.returncode == 0 and done.stdout.startswith(b"cay ")
