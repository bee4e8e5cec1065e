# SPDX-License-Identifier: Apache-2.0
"""Completion and the manual page: current, valid, and completing for real."""
import shutil
import subprocess

import pytest
from conftest import BUILD, TIMEOUT, TOP, clean_env

GENERATED = [
    ("completions/cay.bash", ["completion", "bash"]),
    ("completions/cay.fish", ["completion", "fish"]),
    ("completions/_cay", ["completion", "zsh"]),
    ("man/cay.1", ["help", "--man"]),
]


@pytest.mark.parametrize("path,args", GENERATED, ids=[g[0] for g in GENERATED])
def test_files_are_current(cay, path, args):
    assert cay(*args, check=0).out == (TOP / path).read_text(), f"tools/generate {BUILD}"


@pytest.mark.parametrize("shell,path", [("bash", "cay.bash"), ("zsh", "_cay"),
                                        ("fish", "cay.fish")])
def test_the_shell_parses_it(shell, path):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([shell, "-n", TOP / "completions" / path], capture_output=True,
                          timeout=TIMEOUT)
    assert done.returncode == 0 and done.stderr == b""


def complete(*words, env=None):
    """What bash would offer for the last word, as readline would split them."""
    script = f"""
        source '{TOP}/completions/cay.bash'
        compopt() {{ :; }}
        PATH='{BUILD}':$PATH
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _cay cay "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD-1]}}"
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True,
                          timeout=TIMEOUT, env=clean_env(**(env or {})))
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line]


def test_bash_offers_commands():
    assert complete("cay", "ver") == ["version"]
    assert {"run", "exec", "help"} <= set(complete("cay", ""))
    assert complete("cay", "help", "comp") == ["completion"]


def test_bash_offers_options_and_values(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    assert complete("cay", "run", "--mem") == ["--memory"]
    assert complete("cay", "run", "--net", "") == ["none", "host"]
    assert complete("cay", "run", "--net", "=", "h") == ["host"]
    assert complete("cay", "run", "--net", "=") == ["none", "host"]
    assert complete("cay", "run", "--workspace", f"{tmp_path}/") == [f"{tmp_path}/folder"]
    assert complete("cay", "run", "-w", f"{tmp_path}/") == [f"{tmp_path}/folder"]
    assert complete("cay", "run", "--memory", "") == []


def test_bash_completes_the_command_inside():
    assert "true" in complete("cay", "run", "--", "tru")
    assert "/etc/passwd" in complete("cay", "run", "--", "ls", "/etc/passw")


def test_bash_offers_sandboxes(client, box):
    env = {k: client.env[k] for k in ("CAY_URL", "CAY_API_KEY")}
    assert box in complete(str(BUILD / "cay"), "exec", box[:2], env=env)


def test_manual_page_is_clean():
    if not shutil.which("man"):
        pytest.skip("man is not installed")
    done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z",
                           TOP / "man/cay.1"], capture_output=True, timeout=TIMEOUT)
    assert done.returncode == 0 and done.stderr == b""
