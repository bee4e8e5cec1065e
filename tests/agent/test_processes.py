# SPDX-License-Identifier: Apache-2.0
"""/v1/processes: start, look, follow, type, signal, attach, forget."""
import base64
import json
import re

from conftest import alive, wait_until

DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def events(agent, path, headers=None):
    """The server-sent events of a whole answer: (event, id, data)."""
    c = agent.other()
    r = agent.request("GET", path, headers=headers, connection=c)
    assert r.status == 200, r.body
    assert r.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in r.body.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "data" in fields:
            found.append((fields.get("event"), fields.get("id"), json.loads(fields["data"])))
    c.close()
    return found


def text_of(found, stream=None):
    return "".join(d["data"] for e, _, d in found
                   if e == "output" and stream in (None, d["stream"]))


def finished(agent, pid):
    def look():
        return agent.get(f"/v1/processes/{pid}").json()["state"] == "exited"
    wait_until(look)
    return agent.get(f"/v1/processes/{pid}").json()


def test_life(agent):
    r = agent.post("/v1/processes", {"command": ["sh", "-c", "echo a; echo b >&2; exit 4"]})
    assert r.status == 201
    p = r.json()
    assert p["state"] == "running" and DATE.fullmatch(p["started_at"])
    p = finished(agent, p["pid"])
    assert p["exit_code"] == 4 and p["stdout_bytes"] == 2 and p["stderr_bytes"] == 2
    assert p["dropped_bytes"] == 0 and DATE.fullmatch(p["ended_at"])
    assert p["command"][0] == "sh"
    assert p["pid"] in [q["pid"] for q in agent.get("/v1/processes").json()["processes"]]
    assert agent.request("DELETE", f"/v1/processes/{p['pid']}").status == 200
    agent.get(f"/v1/processes/{p['pid']}").error(404, "not_found")


def test_output_is_followed_to_the_end(agent):
    pid = agent.start("for i in 1 2 3; do echo $i; sleep 0.05; done; echo e >&2; exit 2")
    found = events(agent, f"/v1/processes/{pid}/output")
    assert text_of(found) == "1\n2\n3\ne\n" and text_of(found, "stderr") == "e\n"
    assert found[-1][0] == "exit" and found[-1][2] == {"exit_code": 2}
    assert events(agent, f"/v1/processes/{pid}/output?stream=stderr")[0][2]["data"] == "e\n"


def test_output_is_resumed(agent):
    pid = agent.start("printf 0123456789")
    finished(agent, pid)
    path = f"/v1/processes/{pid}/output"
    assert text_of(events(agent, path + "?offset=4")) == "456789"
    assert text_of(events(agent, path, {"Last-Event-ID": "7"})) == "789"
    last = [i for e, i, _ in events(agent, path) if e == "output"][-1]
    assert last == "10"
    assert text_of(events(agent, path + "?offset=99")) == ""


def test_output_that_was_dropped_is_said(agent):
    pid = agent.start("head -c 3000000 /dev/zero | tr '\\0' x")
    p = finished(agent, pid)
    assert p["dropped_bytes"] == 3000000 - (1 << 20)
    found = events(agent, f"/v1/processes/{pid}/output")
    assert found[0][0] == "dropped" and found[0][2] == {"bytes": p["dropped_bytes"]}
    assert len(text_of(found)) == 1 << 20


def test_output_as_base64_and_repaired_text(agent):
    pid = agent.start(r"printf '\xff\xe2\x82'; sleep 0.1; printf '\xac'")
    found = events(agent, f"/v1/processes/{pid}/output?encoding=base64")
    assert b"".join(base64.b64decode(d["base64"]) for e, _, d in found
                    if e == "output") == b"\xff\xe2\x82\xac"
    assert text_of(events(agent, f"/v1/processes/{pid}/output")) == "\ufffd€"


def test_a_follower_that_leaves(agent):
    pid = agent.start("while :; do echo x; sleep 0.01; done")
    s = agent.raw()
    s.sendall(f"GET /v1/processes/{pid}/output HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert s.recv(1000)
    s.close()
    assert agent.get(f"/v1/processes/{pid}").json()["state"] == "running"
    agent.request("DELETE", f"/v1/processes/{pid}")
    wait_until(lambda: not alive(pid))


def test_a_follower_that_does_not_read(agent):
    pid = agent.start("head -c 20000000 /dev/zero | tr '\\0' y; sleep 1000")
    s = agent.raw()
    s.sendall(f"GET /v1/processes/{pid}/output HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    wait_until(lambda: agent.get(f"/v1/processes/{pid}").json()["stdout_bytes"] == 20000000)
    s.close()
    agent.request("DELETE", f"/v1/processes/{pid}")


def test_input(agent):
    pid = agent.start(["cat"], stdin=True)
    path = f"/v1/processes/{pid}/stdin"
    assert agent.post(path, b"one ").json() == {"written": 4}
    assert agent.post(path + "?eof=1", b"two").json() == {"written": 3}
    assert text_of(events(agent, f"/v1/processes/{pid}/output")) == "one two"
    agent.post(path, b"x").error(409, "busy", "ended")


def test_input_of_a_process_without_one(agent):
    pid = agent.start(["sleep", "1000"])
    agent.post(f"/v1/processes/{pid}/stdin", b"x").error(409, "busy", "stdin")
    agent.request("DELETE", f"/v1/processes/{pid}")


def test_much_input_waits_for_the_reader(agent):
    pid = agent.start("sleep 0.2; wc -c", stdin=True)
    data = b"z" * 5_000_000
    assert agent.post(f"/v1/processes/{pid}/stdin?eof=1", data).json() == {"written": len(data)}
    assert text_of(events(agent, f"/v1/processes/{pid}/output")).strip() == "5000000"


def test_signals_go_to_the_group(agent):
    for given in ("TERM", "SIGTERM", 15):
        pid = agent.start("sleep 1000 | sleep 1000")
        assert agent.post(f"/v1/processes/{pid}/signal", {"signal": given}).json() == {}
        p = finished(agent, pid)
        assert p["signal"] == "SIGTERM" and p["exit_code"] == 143
    agent.post(f"/v1/processes/{pid}/signal", {"signal": "TERM"}).error(409, "busy")
    for bad in ("NOPE", 0, 99, None, [], -1):
        agent.post(f"/v1/processes/{pid}/signal", {"signal": bad}).error(400, "invalid_argument")


def test_a_terminal(agent):
    pid = agent.start("stty size; tty; read x; echo got $x; stty size",
                      pty={"rows": 30, "cols": 100})
    assert agent.post(f"/v1/processes/{pid}/resize", {"rows": 40, "cols": 120}).json() == {}
    agent.post(f"/v1/processes/{pid}/stdin", b"typed\n")
    text = text_of(events(agent, f"/v1/processes/{pid}/output"))
    assert "/dev/pts/" in text and "got typed\r\n40 120\r\n" in text
    pid = agent.start(["sleep", "1000"])
    agent.post(f"/v1/processes/{pid}/resize", {"rows": 1, "cols": 1}).error(
        400, "invalid_argument", "terminal")
    agent.request("DELETE", f"/v1/processes/{pid}")


def test_a_terminals_last_words_are_complete(agent):
    for _ in range(20):
        pid = agent.start("seq 1 20000", pty={"rows": 24, "cols": 80})
        text = text_of(events(agent, f"/v1/processes/{pid}/output"))
        assert text.endswith("19999\r\n20000\r\n") and len(text.splitlines()) == 20000


def test_a_timeout(agent):
    pid = agent.start("sleep 1000", timeout_s=0.1)
    p = finished(agent, pid)
    assert p["exit_code"] == 124 and p["timed_out"] is True


def test_deleting_kills(agent):
    pid = agent.start("trap '' TERM; sleep 1000")
    ws = agent.websocket(f"/v1/processes/{pid}/attach")
    agent.request("DELETE", f"/v1/processes/{pid}")
    wait_until(lambda: not alive(pid))
    assert ws.receive()[0] == 8
    ws.close()


def test_attach(agent):
    pid = agent.start("stty -echo; echo ready; read x; echo [$x]; stty size; exit 5",
                      pty={"rows": 24, "cols": 80})
    ws = agent.websocket(f"/v1/processes/{pid}/attach")
    assert ws.status == 101
    seen = b""
    while b"ready\r\n" not in seen:
        opcode, data = ws.receive()
        assert opcode == 2
        seen += data
    ws.send(json.dumps({"type": "resize", "rows": 50, "cols": 90}))
    ws.send(b"hello\n")
    while (frame := ws.receive())[0] == 2:
        seen += frame[1]
    assert b"[hello]\r\n50 90\r\n" in seen
    assert frame == (1, b'{"type":"exit","exit_code":5}')
    opcode, data = ws.receive()
    assert opcode == 8 and data[:2] == b"\x03\xe8"
    ws.close()


def test_attach_again_with_an_offset_and_signals(agent):
    pid = agent.start("printf 0123456789; sleep 1000")
    wait_until(lambda: agent.get(f"/v1/processes/{pid}").json()["stdout_bytes"] == 10)
    ws = agent.websocket(f"/v1/processes/{pid}/attach?offset=6")
    assert ws.receive() == (2, b"6789")
    ws.send(json.dumps({"type": "signal", "signal": "INT"}))
    opcode, data = ws.receive()
    assert opcode == 1 and json.loads(data) == {"type": "exit", "exit_code": 130,
                                                "signal": "SIGINT"}
    ws.close()


def test_attach_eof_and_nonsense(agent):
    pid = agent.start(["wc", "-c"], stdin=True)
    ws = agent.websocket(f"/v1/processes/{pid}/attach")
    ws.send(b"12345")
    ws.send(json.dumps({"type": "eof"}))
    assert ws.receive()[1].strip() == b"5"
    ws.close()
    pid = agent.start(["sleep", "1000"])
    for nonsense in ("{", '{"type":"dance"}', '{"type":"resize"}', '{"type":"signal","signal":0}'):
        ws = agent.websocket(f"/v1/processes/{pid}/attach")
        ws.send(nonsense)
        opcode, data = ws.receive()
        assert opcode == 8 and data[:2] == b"\x03\xf0", (nonsense, data)
        ws.close()
    agent.request("DELETE", f"/v1/processes/{pid}")
    agent.get(f"/v1/processes/{pid}/attach").error(404, "not_found")


def test_bad_input(agent):
    def bad(body, *words):
        agent.post("/v1/processes", body).error(400, "invalid_argument", *words)
    bad({"command": ["true"], "pty": {"rows": 0, "cols": 80}}, "pty.rows")
    bad({"command": ["true"], "pty": {"rows": 24}}, "pty.cols")
    bad({"command": ["true"], "pty": {"rows": 24, "cols": 99999}}, "pty.cols")
    bad({"command": ["true"], "stdin": "text"}, "stdin")
    agent.get("/v1/processes/0").error(400, "invalid_argument")
    agent.get("/v1/processes/abc").error(400, "invalid_argument")
    agent.get("/v1/processes/4194999").error(404, "not_found")
    agent.get("/v1/processes/1").error(404, "not_found")
    pid = agent.start(["true"])
    agent.get(f"/v1/processes/{pid}/output?stream=x").error(400, "invalid_argument", "stream")
    agent.get(f"/v1/processes/{pid}/output?offset=-1").error(400, "invalid_argument", "offset")
    agent.get(f"/v1/processes/{pid}/output?encoding=x").error(400, "invalid_argument")


def test_a_thousand_ended_ones_make_room(fresh):
    first = fresh.start(["true"])
    finished(fresh, first)
    pids = [fresh.start(["true"]) for _ in range(1024)]
    for pid in pids[-5:]:
        finished(fresh, pid)
    assert len(fresh.get("/v1/processes").json()["processes"]) <= 1024
    fresh.get(f"/v1/processes/{first}").error(404, "not_found")
