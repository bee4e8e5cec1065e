# SPDX-License-Identifier: Apache-2.0
"""POST /v1/exec."""
import json
import os
import threading
import time

import pytest
from conftest import alive, sanitized, wait_until


def test_output_status_and_duration(agent):
    r = agent.exec(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert r["duration_ms"] > 0
    del r["duration_ms"]
    assert r == {"exit_code": 3, "stdout": "out\n", "stderr": "err\n", "timed_out": False}


def test_a_string_is_a_line_for_bash(agent):
    assert agent.exec("[[ $BASH_VERSION ]] && echo $((1 + 1))")["stdout"] == "2\n"


def test_input_environment_and_folder(agent):
    r = agent.exec("cat; echo $X $HOME $USER; pwd", stdin="in\n", env={"X": "é y"}, cwd="/usr")
    assert r["stdout"] == f"in\né y {agent.home} tester\n/usr\n"
    assert agent.exec("pwd")["stdout"] == f"{agent.work}\n"
    assert agent.exec("cat")["stdout"] == ""


def test_large_input(agent):
    text = "x" * 4_000_000
    assert agent.exec(["wc", "-c"], stdin=text)["stdout"].strip() == "4000000"


def test_input_that_nobody_reads(agent):
    assert agent.exec(["true"], stdin="x" * 1_000_000)["exit_code"] == 0


def test_invalid_utf8_is_replaced(agent):
    assert agent.exec(r"printf '\xff\xc3a\xe2\x82'")["stdout"] == "\ufffd\ufffda\ufffd\ufffd"


def test_output_past_the_limit(agent):
    r = agent.exec(["head", "-c", "10000000", "/dev/zero"])
    assert r["truncated"] is True and len(r["stdout"]) == 8 << 20 and r["exit_code"] == 0


def test_a_signal_ends_it(agent):
    r = agent.exec("kill -KILL $$")
    assert r["exit_code"] == 137 and r["signal"] == "SIGKILL" and "oom" not in r


def test_a_timeout_ends_the_group(agent):
    mark = agent.folder / "pid"
    r = agent.exec(f"sleep 1000 & echo $! > {mark}; echo begun; wait", timeout_s=0.3)
    assert r["exit_code"] == 124 and r["timed_out"] is True and r["stdout"] == "begun\n"
    wait_until(lambda: not alive(int(mark.read_text())))


@pytest.mark.slow
def test_a_timeout_of_what_ignores_sigterm(agent):
    began = time.monotonic()
    r = agent.exec("trap '' TERM; while :; do sleep 100; done", timeout_s=0.1)
    assert r["exit_code"] == 124 and 1 <= time.monotonic() - began < 20


def test_a_background_process_is_not_waited_for_and_lives_on(agent):
    mark = agent.folder / "background"
    began = time.monotonic()
    agent.exec(f"sleep 1000 & echo $! > {mark}")
    assert time.monotonic() - began < 20
    assert alive(int(mark.read_text()))
    os.kill(int(mark.read_text()), 9)


def test_what_cannot_be_executed(agent):
    agent.post("/v1/exec", {"command": ["no-such-thing"]}).error(
        422, "command_not_found", "no-such-thing")
    agent.post("/v1/exec", {"command": ["/no/such"]}).error(422, "command_not_found")
    agent.post("/v1/exec", {"command": ["/etc/passwd"]}).error(422, "not_executable", "chmod")
    agent.post("/v1/exec", {"command": ["/"]}).error(422, "not_executable")
    agent.post("/v1/exec", {"command": ["true"], "cwd": "/no/such"}).error(404, "not_found")
    agent.post("/v1/exec", {"command": ["true"], "cwd": "/etc/passwd"}).error(
        400, "invalid_argument")


def test_a_script_without_a_first_line(agent):
    script = agent.folder / "script"
    script.write_text("echo from $0 $1\n")
    script.chmod(0o755)
    assert agent.exec([str(script), "x"])["stdout"] == f"from {script} x\n"
    script.write_text("#!/no/such/interpreter\n")
    agent.post("/v1/exec", {"command": [str(script)]}).error(
        422, "not_executable", "interpreter")


def test_bad_input(agent):
    def bad(body, *words):
        agent.post("/v1/exec", body).error(400, "invalid_argument", *words)
    bad({}, "command")
    bad({"command": 5}, "command")
    bad({"command": []}, "command")
    bad({"command": ""}, "command")
    bad({"command": ["a", 5]}, "strings")
    bad({"command": [""]}, "program")
    bad({"command": ["true"], "cwd": "relative"}, "absolute")
    bad({"command": ["true"], "cwd": "/a/../b"}, "..")
    bad({"command": ["true"], "cwd": "/" + "x" * 5000}, "long")
    bad({"command": ["true"], "env": {"A": 1}}, "env")
    bad({"command": ["true"], "env": {"A=B": "1"}}, "A=B")
    bad({"command": ["true"], "timeout_s": -1}, "timeout_s")
    bad({"command": ["true"], "timeout_s": 1e12}, "timeout_s")
    bad({"command": ["true"], "timeout_s": "5"}, "timeout_s")
    bad({"command": ["true"], "tiemout_s": 5}, "tiemout_s")
    bad({"command": ["true"] * 5000}, "5000")
    bad([], "object")
    agent.post("/v1/exec", '{"command": ["true"').error(400, "invalid_argument", "JSON")
    agent.post("/v1/exec", '{"command": ["a\\u0000b"]}').error(400, "invalid_argument")
    agent.post("/v1/exec", {"command": ["true"], "user": "somebody"}).error(
        501, "unsupported", "tester")
    assert agent.exec(["true"], user="tester")["exit_code"] == 0


def test_a_client_that_goes_away_ends_its_command(agent):
    mark = agent.folder / "abandoned"
    s = agent.raw()
    body = json.dumps({"command": f"echo $$ > {mark}.part; mv {mark}.part {mark}; sleep 1000"})
    s.sendall(f"POST /v1/exec HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
              f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
    wait_until(mark.exists)
    s.close()
    wait_until(lambda: not alive(int(mark.read_text())))


def test_a_hundred_at_once(agent):
    results = []

    def one(i):
        c = agent.other()
        r = agent.request("POST", "/v1/exec", {"command": f"echo {i}; sleep 0.1"}, connection=c)
        results.append(r.json()["stdout"] == f"{i}\n")
        c.close()
    threads = [threading.Thread(target=one, args=(i,)) for i in range(100)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == [True] * 100
    wait_until(lambda: not agent.children())


@pytest.mark.slow
def test_no_memory_and_no_process_stays(fresh):
    for _ in range(200):
        fresh.exec(["true"])
    before = fresh.memory_kb()
    for _ in range(2000):
        fresh.exec(["true"])
    wait_until(lambda: not fresh.children())
    assert sanitized() or fresh.memory_kb() - before < 256
