# SPDX-License-Identifier: Apache-2.0
"""The action "run": what a command shows, when it ends, and what happens when it does not."""
import os
import re
import subprocess
import time

import pytest

from conftest import SOFT_TIMEOUT_S, alive, sanitized, wait_until

ADVICE = ("You may wait longer to see additional output by sending empty command '', send other "
          "commands to interact with the current process, send keys (\"C-c\", \"C-z\", \"C-d\") to "
          "interrupt/kill the previous command before sending your new command, or use the timeout "
          "parameter in execute_bash for future commands.")
SOFT = f"\n[The command has no new output after {SOFT_TIMEOUT_S} seconds. {ADVICE}]"
PREVIOUS = "[Below is the output of the previous command.]\n"
ERROR_SEVERAL = ("ERROR: Cannot execute multiple commands at once.\nPlease run each command "
                 "separately OR chain them into a single command via && or ;\nProvided commands:\n")


def hard(seconds):
    return f"\n[The command timed out after {seconds} seconds. {ADVICE}]"


def refused(command):
    return (f'\n[Your command "{command}" is NOT executed. The previous command is still running - '
            "You CANNOT send new commands until the previous command is completed. By setting "
            f"`is_input` to `true`, you can interact with the current process: {ADVICE}]")


def completed(code, key=None):
    sent = f" CTRL+{key} was sent." if key else ""
    return f"\n[The command completed with exit code {code}.{sent}]"


def check(r, content=None, code=0, suffix=None, prefix=""):
    m = r["extras"]["metadata"]
    assert r["observation"] == "run", r
    if content is not None:
        assert r["content"] == content
    assert m["exit_code"] == code and r["success"] == (code == 0)
    assert m["suffix"] == (completed(code) if suffix is None else suffix)
    assert m["prefix"] == prefix


# ---- complete ----

def test_state_stays(agent):
    check(agent.run("cd /usr; export X='a b'; f() { echo \"f $1\"; }; alias hi='echo hi'"), "")
    r = agent.run("pwd; echo $X; f 1; hi")
    check(r, "/usr\na b\nf 1\nhi")
    assert r["extras"]["metadata"]["working_dir"] == "/usr"
    agent.run(f"cd {agent.work}")


def test_exit_codes(agent):
    check(agent.run("false"), "", 1)
    check(agent.run("(exit 42)"), "", 42)
    check(agent.run("echo $?"), "42")
    r = agent.run("no-such-command-x")
    check(r, "bash: no-such-command-x: command not found", 127)
    check(agent.run("kill -TERM $BASHPID || true; sh -c 'kill -KILL $$'"), None, 137)


def test_the_pid_of_the_last_background_job(fresh):
    r = fresh.run("sleep 1000 &")
    pid = r["extras"]["metadata"]["pid"]
    assert alive(pid) and r["content"] == f"[1] {pid}"
    check(fresh.run("jobs"), "[1]+  Running                 sleep 1000 &")
    check(fresh.run("kill %1; wait %1"), None, 143)


@pytest.mark.parametrize("command, content", [
    ("echo a; echo b", "a\nb"),
    ("echo a && echo b || echo c", "a\nb"),
    ("echo one \\\n  two", "one two"),
    ("cat <<EOF\nline 1\n  line $((1+1))\nEOF", "line 1\n  line 2"),
    ("cat <<'EOF'\n$HOME `x` \"q\" 'q' \\ !\nEOF", "$HOME `x` \"q\" 'q' \\ !"),
    ("cat <<EOF\n\ttab and trailing blank \nEOF", "tab and trailing blank"),
    ("for i in 1 2 3; do\n  echo $i\ndone", "1\n2\n3"),
    ("if true\nthen\n  echo yes\nfi", "yes"),
    ("g() {\n  echo in g\n}", ""),
    ("g", "in g"),
    ("echo 'a\nb'", "a\nb"),
    ("# a comment\necho after", "after"),
    ("echo before # a comment", "before"),
    ("echo a\\;b \\| \\& \\> \\<", "a;b | & > <"),
    ("find . -maxdepth 0 -exec echo {} \\;", "."),
    ("echo \"$(echo nested; echo \"$(echo deeper)\")\"", "nested\ndeeper"),
    ("echo ünï 中文 🎉", "ünï 中文 🎉"),
    ("printf 'no newline'", "no newline"),
    ("printf '\\033[31mred\\033[0m\\n'", "red"),
    ("printf 'abc\\rX\\n'", "Xbc"),
    ("printf '\\xff\\xfe|\\n'", "\ufffd\ufffd|"),
    ("echo $COLUMNS $LINES", "1000 1000"),
    ("true", ""),
    ("  echo stripped  \n", "stripped"),
    ("#only a comment", ""),
    ("echo a\n# a comment at the end", "a"),
    ("# one\n\n# two\n\necho b # three\n# four", "b"),
    ("case x in\n a) echo a ;;\n x) echo x ;;\nesac", "x"),
    ("[[ a < b &&\n 1 -eq 1 ]] && echo ok", "ok"),
    ("x=(1\n2)\necho", None),
    ("Up", None),
])
def test_commands(agent, command, content):
    r = agent.run(command)
    if content is None:
        assert r["observation"] in ("run", "error")
    else:
        check(r, content)
        assert r["extras"]["command"] == command.strip()


def test_a_long_command(agent):
    words = " ".join(f"word{i}" for i in range(5000))
    check(agent.run(f"echo {words} | wc -w"), "5000")
    check(agent.run(f"cat <<EOF | wc -c\n{'x' * 100000}\nEOF"), "100001")
    lines = "\n".join("y" * 70 for _ in range(2000))
    check(agent.run(f"cat <<EOF | wc -l\n{lines}\nEOF"), "2000")
    # Longer than the terminal is wide, and shorter than one of its lines may be.
    check(agent.run(f"echo {'z' * 2500}"), "z" * 2500)


def test_control_characters_in_a_command(agent):
    check(agent.run("printf '%s' 'a\x03b\x04\x7f\x15\tc' | od -An -c | tr -d ' '"),
          "a003b004177025\\tc")


def test_several_commands_are_refused(agent):
    r = agent.run("echo a\necho b")
    assert r["observation"] == "error" and r["extras"] == {"error_id": ""}
    assert r["content"] == r["message"] == ERROR_SEVERAL + "(1) echo a\n(2) echo b"
    r = agent.run("cd /tmp\n# and then\nls -l | wc\n\ncat <<X\nin\nX\npwd")
    assert r["content"] == (ERROR_SEVERAL + "(1) cd /tmp\n# and then\n(2) ls -l | wc\n"
                            "(3) cat <<X\nin\nX\n(4) pwd")
    check(agent.run("echo still fine"), "still fine")


def test_a_syntax_error_is_bashs(agent):
    r = agent.run("echo )\necho x")
    assert r["observation"] == "run" and "syntax error" in r["content"]
    assert r["extras"]["metadata"]["exit_code"] != 0
    check(agent.run("echo next"), "next")


def test_git_has_no_pager(agent):
    agent.run("rm -rf r && mkdir r && cd r && git init -q . && git -c user.name=a -c user.email=b "
              "commit -q --allow-empty -m message")
    r = agent.run("git log")
    check(r, None)
    assert r["content"].endswith("message")
    agent.run(f"cd {agent.work}")


def test_nothing_to_look_at(fresh):
    for r, text in ((fresh.run(""), "retrieve logs from"), (fresh.run("  \n"), "retrieve logs from"),
                    (fresh.run("x", is_input=True), "interact with"),
                    (fresh.run("C-c", is_input=True), "interact with")):
        assert r["content"] == f"ERROR: No previous running command to {text}."
        assert r["extras"]["command"] == "" and r["success"] is False
        assert r["extras"]["metadata"] == {
            "exit_code": -1, "pid": -1, "username": None, "hostname": None, "working_dir": None,
            "py_interpreter_path": None, "prefix": "", "suffix": ""}


# ---- long output ----

def test_output_is_truncated_in_the_middle(agent):
    r = agent.run("seq 1 8000")
    text = "\n".join(str(i) for i in range(1, 8001))
    cut = "\n[... Observation truncated due to length ...]\n"
    check(r, text[:15000] + cut + text[-15000:])
    text = "é" * 30001
    r = agent.run("printf 'é%.0s' {1..30001}")
    assert r["content"] == text[:15000] + cut + text[:15000]
    assert agent.run("printf 'é%.0s' {1..30000}")["content"] == "é" * 30000


def test_hidden_output_is_whole(agent):
    r = agent.run("seq 1 8000", hidden=True)
    assert r["content"] == "\n".join(str(i) for i in range(1, 8001))
    assert r["extras"]["hidden"] is True


def test_output_past_the_history(agent):
    r = agent.run("for i in $(seq 1 50000); do echo \"Line $i\"; done")
    m = r["extras"]["metadata"]
    prefix = re.fullmatch(r"\[Previous command outputs are truncated\. Showing the last (\d+) lines "
                          r"of the output below\.\]\n", m["prefix"])
    assert prefix and 10001 <= int(prefix.group(1)) <= 11360
    assert m["exit_code"] == 0 and m["suffix"] == completed(0)
    assert "Line 40000\n" in r["content"] and r["content"].endswith("Line 50000")
    check(agent.run("echo small"), "small")


def test_ten_megabytes(agent):
    r = agent.run("head -c 10000000 /dev/urandom | base64 -w 0; echo; echo end")
    assert r["content"].endswith("\nend") and r["extras"]["metadata"]["exit_code"] == 0


def test_binary_output_does_no_harm(agent):
    r = agent.run("head -c 300000 /dev/urandom")
    assert r["extras"]["metadata"]["exit_code"] == 0
    check(agent.run("printf '\\033[?1049h\\033[5;5Hhidden\\033]0;never ended'"), None)
    check(agent.run("printf '\\033c\\016\\033(0\\033[?25l'"), None)
    check(agent.run("echo clean lqqk"), "clean lqqk")


# ---- time ----

@pytest.mark.slow
def test_no_new_output(fresh):
    began = time.monotonic()
    r = fresh.run("echo before; sleep 1000")
    assert SOFT_TIMEOUT_S <= time.monotonic() - began < SOFT_TIMEOUT_S + 5
    check(r, "before", -1, SOFT)
    assert r["extras"]["metadata"]["working_dir"] is None
    assert r["message"] == "Command `echo before; sleep 1000` executed with exit code -1."
    r = fresh.run("ls")
    check(r, "", -1, refused("ls"), PREVIOUS)
    assert r["extras"]["command"] == "ls"
    check(fresh.run("C-c", is_input=True), "^C", 130, completed(130, "C"))
    check(fresh.run("echo alive"), "alive")


@pytest.mark.slow
def test_output_keeps_a_command_going(fresh):
    r = fresh.run(f"for i in 1 2 3 4; do echo $i; sleep {SOFT_TIMEOUT_S * 0.6}; done")
    check(r, "1\n2\n3\n4")


@pytest.mark.slow
def test_output_that_changes_nothing_does_not(fresh):
    r = fresh.run("echo x; while :; do printf '\\r'; sleep 0.1; done")
    check(r, "x", -1, SOFT)


@pytest.mark.slow
def test_a_blocking_command_waits(fresh):
    check(fresh.run(f"sleep {SOFT_TIMEOUT_S * 2}; echo done", blocking=True, timeout=60), "done")


@pytest.mark.slow
@pytest.mark.parametrize("timeout, shown", [(0.5, "0.5"), (1, "1"), (1.0, "1.0"), (0.25, "0.25")])
def test_timed_out(start_agent, timeout, shown):
    a = start_agent(env={"NO_CHANGE_TIMEOUT_SECONDS": "30"})
    began = time.monotonic()
    r = a.run("echo x; sleep 1000", timeout=timeout)
    assert timeout <= time.monotonic() - began < timeout + 5
    check(r, "x", -1, hard(shown))
    check(a.run("C-c", is_input=True), "^C", 130, completed(130, "C"))


@pytest.mark.slow
def test_a_timeout_with_blocking(fresh):
    check(fresh.run("sleep 1000", timeout=SOFT_TIMEOUT_S * 1.5, blocking=True), "", -1,
          hard(SOFT_TIMEOUT_S * 1.5))


@pytest.mark.slow
def test_looking_again(fresh):
    """Each answer shows what is new; the last one the status."""
    fifo = fresh.work / "fifo"
    os.mkfifo(fifo)
    command = f"while read x; do echo \"got $x\"; done < {fifo}"
    check(fresh.run(command), "", -1, SOFT)
    with open(fifo, "w") as f:
        f.write("one\n")
        f.flush()
        check(fresh.run(""), "got one", -1, SOFT, PREVIOUS)
        f.write("two\n")
        f.flush()
        check(fresh.run("", is_input=True), "got two", -1, SOFT, PREVIOUS)
        check(fresh.run("pwd"), "", -1, refused("pwd"), PREVIOUS)
        f.write("three\n")
    r = fresh.run("")
    check(r, "got three", 0)
    assert r["extras"]["command"] == ""


@pytest.mark.slow
def test_a_command_that_ended_while_nobody_looked(fresh):
    mark = fresh.folder / "go"
    check(fresh.run(f"echo first; while [ ! -e {mark} ]; do sleep 0.1; done; echo late; (exit 9)"),
          "first", -1, SOFT)
    mark.touch()
    wait_until(lambda: not fresh.exec("pgrep -P $PPID sleep")["stdout"])
    check(fresh.run(""), "late", 9)
    check(fresh.run(""), "ERROR: No previous running command to retrieve logs from.", -1, "")


@pytest.mark.slow
def test_unread_output_comes_with_the_next_command(fresh):
    mark = fresh.folder / "go"
    fresh.run(f"echo first; while [ ! -e {mark} ]; do sleep 0.1; done; echo late")
    mark.touch()
    wait_until(lambda: len(fresh.children()) == 1 and not subprocess.run(
        ["pgrep", "-P", str(fresh.children()[0])], capture_output=True).stdout)
    r = fresh.run("echo new")
    check(r, None)
    assert "late" in r["content"] and r["content"].endswith("new")
    check(fresh.run("echo next"), "next")


# ---- interaction ----

@pytest.mark.slow
def test_read(fresh):
    check(fresh.run("read -p 'Enter name: ' name && echo Hello $name"), "Enter name:", -1, SOFT)
    check(fresh.run("John", is_input=True), "Hello John")


@pytest.mark.slow
def test_python(fresh):
    r = fresh.run("python3 -q")
    check(r, ">>>", -1, SOFT)
    r = fresh.run("a = 6 * 7", is_input=True)
    assert r["content"].endswith(">>>") and r["extras"]["metadata"]["prefix"] == PREVIOUS
    r = fresh.run("print('answer', a)", is_input=True)
    assert "answer 42\n>>>" in r["content"]
    check(fresh.run("exit()", is_input=True), None)
    check(fresh.run("echo back"), "back")


@pytest.mark.slow
def test_two_lines_of_input_are_refused_too(fresh):
    fresh.run("cat")
    r = fresh.run("a\nb", is_input=True)
    assert r["observation"] == "error" and r["content"].startswith(ERROR_SEVERAL)
    check(fresh.run("C-d", is_input=True), "", 0, completed(0, "D"))


@pytest.mark.slow
def test_cat_and_end_of_file(fresh):
    check(fresh.run("cat"), "", -1, SOFT)
    r = fresh.run("one", is_input=True)
    check(r, "one", -1, SOFT, PREVIOUS)    # the echo is taken away, cat's copy stays
    check(fresh.run("C-d", is_input=True), "", 0, completed(0, "D"))


@pytest.mark.slow
def test_stopping_a_job(fresh):
    fresh.run("sleep 1000")
    r = fresh.run("C-z", is_input=True)
    check(r, None, 148, completed(148, "Z"))
    assert "Stopped" in r["content"]
    check(fresh.run("kill -KILL %1; wait %1; jobs"), None)


def test_keys_at_the_prompt(fresh):
    fresh.run("true")
    check(fresh.run("C-c"), None, 130, completed(130, "C"))
    check(fresh.run("echo fine"), "fine")


@pytest.mark.slow
def test_a_command_that_goes_on(fresh):
    """An open quote: bash waits for the rest, which is input."""
    check(fresh.run("echo 'open"), None, -1, SOFT)
    check(fresh.run("closed'", is_input=True), "open\nclosed")


@pytest.mark.slow
def test_a_shell_inside_the_shell(fresh):
    r = fresh.run("bash --norc")
    assert r["extras"]["metadata"]["suffix"] == SOFT
    r = fresh.run("echo in $((40+2))", is_input=True)
    assert "in 42" in r["content"] and r["extras"]["metadata"]["exit_code"] == -1
    check(fresh.run("exit 3", is_input=True), None, 3)


@pytest.mark.slow
def test_a_password_prompt_is_not_echoed(fresh):
    fresh.run("read -s -p Password: p; echo; echo got $p")
    check(fresh.run("secret", is_input=True), "got secret")


# ---- is_static ----

def test_a_static_command_has_its_own_shell(fresh):
    fresh.run("cd /usr; X=1")
    r = fresh.run("pwd; echo [$X]; Y=1", is_static=True, cwd="/tmp")
    check(r, "/tmp\n[]")
    assert r["extras"]["metadata"]["working_dir"] == "/tmp"
    r = fresh.run("pwd; echo [$Y]", is_static=True)
    check(r, f"{fresh.work}\n[]")
    check(fresh.run("pwd; echo $X"), "/usr\n1")
    assert fresh.run("true", is_static=True, cwd="/no/such")["observation"] == "error"
    fresh.run("sleep 1000", is_static=True, timeout=0.1)
    wait_until(lambda: len(fresh.children()) == 1)


# ---- the end of shells ----

def test_exit_starts_a_new_shell(fresh):
    fresh.run("X=1; cd /")
    r = fresh.run("exit 7")
    m = r["extras"]["metadata"]
    assert m["exit_code"] == 7 and m["suffix"].startswith("\n[The command completed with exit code 7.")
    assert "new one" in m["suffix"] and m["working_dir"] == str(fresh.work)
    check(fresh.run("echo [$X]; pwd"), f"[]\n{fresh.work}")


@pytest.mark.parametrize("command, code", [
    ("exec true", 0), ("exec sh -c 'exit 5'", 5), ("kill -KILL $$", 137), ("set -e; false", 1),
])
def test_a_shell_that_ends_says_so(fresh, command, code):
    r = fresh.run(command)
    assert r["extras"]["metadata"]["exit_code"] == code
    assert "The shell has ended" in r["extras"]["metadata"]["suffix"]
    check(fresh.run("echo new"), "new")


@pytest.mark.slow
def test_a_shell_that_ends_while_nobody_looks(fresh):
    fresh.run(f"sleep {SOFT_TIMEOUT_S + 1}; exit 4")
    wait_until(lambda: not fresh.children())
    r = fresh.run("")
    assert r["extras"]["metadata"]["exit_code"] == 4
    assert "The shell has ended" in r["extras"]["metadata"]["suffix"]
    check(fresh.run("echo new"), "new")


def test_no_shell_can_be_started(start_agent):
    a = start_agent()
    (a.home / ".bashrc").write_text("exit 3\n")
    r = a.run("true")
    assert r["observation"] == "error" and ".bashrc" in r["content"]
    (a.home / ".bashrc").write_text("FROM_RC=yes\n")
    check(a.run("echo $FROM_RC"), "yes")


# ---- nobody but bash says that a command has ended ----

FORGER = r"""
import os, signal, socket, sys
message = b"0\0\0/forged\0/forged\0"
s = socket.socket(fileno=os.dup(221))
for _ in range(50):
    os.write(221, message)
try:
    s.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, b"\1\0\0\0")])
except OSError:
    pass
for path in ("/proc/self/fd/221", f"/proc/{os.getppid()}/fd/221"):
    try:
        os.open(path, os.O_WRONLY)
        print("opened")
    except OSError:
        pass
print("still running", flush=True)
signal.pause()
"""


@pytest.mark.slow
def test_a_forged_message_does_not_count(fresh):
    script = fresh.folder / "forge.py"
    script.write_text(FORGER)
    check(fresh.run(f"python3 {script}"), "still running", -1, SOFT)
    check(fresh.run("C-c", is_input=True), None, 130, completed(130, "C"))
    r = fresh.run("pwd")
    check(r, str(fresh.work))
    assert r["extras"]["metadata"]["working_dir"] == str(fresh.work)


@pytest.mark.slow
def test_a_printed_prompt_does_not_count(fresh):
    """Also the real sentinel, which the shell itself can be asked for."""
    r = fresh.run("printf %s \"${PS1@P}\" > sentinel; cat sentinel; echo after; cat sentinel; "
                  "sleep 1000")
    check(r, "after", -1, SOFT)
    check(fresh.run("C-c", is_input=True), "^C", 130, completed(130, "C"))
    check(fresh.run("cat sentinel sentinel; echo fine"), "fine")
    check(fresh.run("set | grep -c ^PS1="), "1")
    check(fresh.run("echo next"), "next")


def test_a_flood_of_forged_messages(fresh):
    fresh.run("python3 -c 'import os\nwhile True: os.write(221, b\"x\" * 1000)' & disown")
    for i in range(20):
        check(fresh.run(f"echo {i}"), str(i))
    fresh.run("kill $!")


# ---- users who change their shell ----

def test_options_and_traps_do_not_disturb(fresh):
    check(fresh.run("set -u; set -f; set -o pipefail; IFS=x"), "")
    check(fresh.run("echo '*'"), "*")
    check(fresh.run("set -x"), "")
    check(fresh.run("echo traced"), "+ echo traced\ntraced")
    check(fresh.run("set +x"), None)
    check(fresh.run("trap 'true' DEBUG; set -T"), "")
    check(fresh.run("unset HOME PWD; echo fine"), "fine")
    check(fresh.run("printf() { echo mine; }; alias printf=x"), "")
    check(fresh.run("echo end"), "end")


@pytest.mark.parametrize("change", [
    "PROMPT_COMMAND='echo -n'", "unset PROMPT_COMMAND", "PROMPT_COMMAND=()",
    "PS1='$ '; PROMPT_COMMAND='true'", "PROMPT_COMMAND='PS1=mine'", "export PROMPT_COMMAND=",
])
def test_another_prompt_command(fresh, change):
    check(fresh.run(change), "")
    for i in range(3):
        check(fresh.run(f"echo {i}; (exit {i})"), str(i), i)
    fresh.run("cd /usr")
    assert fresh.run("true")["extras"]["metadata"]["working_dir"] == "/usr"


@pytest.mark.slow
def test_a_prompt_command_that_runs_last(fresh):
    check(fresh.run("PROMPT_COMMAND+=('PS1=\"mine \"')"), None)
    for i in range(3):
        r = fresh.run(f"echo {i}; (exit {i})")
        assert r["extras"]["metadata"]["exit_code"] == i and r["content"].startswith(str(i))


def test_the_descriptor_is_closed(fresh):
    r = fresh.run("exec 221>&-")
    assert r["extras"]["metadata"]["exit_code"] == -1
    assert "could not be determined" in r["extras"]["metadata"]["suffix"]
    check(fresh.run("echo new"), "new")


def test_a_raw_terminal_is_put_right(fresh):
    check(fresh.run("stty raw -echo"), None)
    check(fresh.run("echo sane"), "sane")


def test_history_and_long_lived_state(fresh):
    fresh.run("python3 -m http.server --bind 127.0.0.1 0 > /dev/null 2>&1 &")
    pid = fresh.run("true")["extras"]["metadata"]["pid"]
    for _ in range(20):
        fresh.run("true")
    assert alive(pid)
    check(fresh.run("kill %1; wait"), None)


# ---- numbers ----

@pytest.mark.slow
def test_nothing_grows_over_many_actions(fresh):
    for _ in range(100):
        fresh.run("true")
    before = fresh.memory_kb()
    for i in range(5000):
        r = fresh.run(f"echo {i}")
        assert r["content"] == str(i)
    assert len(fresh.children()) == 1
    assert sanitized() or fresh.memory_kb() - before < 512
