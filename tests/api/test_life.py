# SPDX-License-Identifier: Apache-2.0
"""The daemon's life: ends of sandboxes and of itself, and what is left then (nothing)."""
import http.client
import json
import os
import resource
import signal
import subprocess
import time

import pytest
from conftest import (BUILD, cgroups_of, count_below, descendants, grows_at_most, mounts,
                      wait_gone)
from processes import Events, first_line
from processes import start as run
from websocket import WebSocket

BOXES = "/v1/sandboxes"


def until(server, condition, seconds=20):
    """Asks the server again until it holds; each question is a round trip."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        server.get("/healthz")


def state_of(server, box):
    return server.get(f"{BOXES}/{box['id']}").json()


def agents(server):
    """Process ids of the agents below the server."""
    found = []
    for pid, fd in descendants(server.pid).items():
        os.close(fd)
        try:
            command = open(f"/proc/{pid}/cmdline").read()
        except OSError:
            continue
        if command.startswith("cay-agent") or "/cay-agent" in command.split("\0")[0]:
            found.append(pid)
    return found


def nothing_left(server, box, pidfds, mounts_before):
    assert wait_gone(pidfds) == []
    assert cgroups_of(box["id"]) == []
    assert mounts() == mounts_before
    assert os.listdir(server.state / "sandboxes") == []


def test_nothing_is_left_after_delete(start):
    server = start()
    launcher = descendants(server.pid)
    before = mounts()
    box = server.create(resources={"memory_mb": 128, "pids": 32})
    server.post(f"{BOXES}/{box['id']}/processes", {"command": "sleep 1000 & sleep 1000"})
    assert os.listdir(server.state / "sandboxes") == [box["id"]]
    assert len(os.listdir(server.state / "sandboxes" / box["id"])) == 2
    until(server, lambda: count_below(server.pid) >= len(launcher) + 3)
    below = {p: fd for p, fd in descendants(server.pid).items() if p not in launcher}
    assert server.delete(f"{BOXES}/{box['id']}").status == 200
    nothing_left(server, box, below, before)


def test_a_lease_ends(start):
    server = start()
    server.create()  # the first one takes longer
    box = server.create(timeout_s=0.5, name="short")
    until(server, lambda: state_of(server, box)["state"] == "gone")
    assert state_of(server, box)["reason"] == "expired"
    assert "session_api_key" not in state_of(server, box)
    server.post(f"{BOXES}/short/exec", {"command": ["true"]}).error(503, "unavailable", "expired")
    server.create(name="short")
    assert state_of(server, {"id": "short"})["state"] == "running", "the name is free again"
    assert server.delete(f"{BOXES}/{box['id']}").json()["reason"] == "expired"
    server.get(f"{BOXES}/{box['id']}").error(404, "not_found")


def test_a_killed_agent(start):
    server = start()
    box, other = server.create(), server.create()
    events = server.connection()
    pid = server.post(f"{BOXES}/{box['id']}/processes", {"command": ["sleep", "1000"]}).json()["pid"]
    events.request("GET", f"{BOXES}/{box['id']}/processes/{pid}/output",
                   headers={"X-API-Key": server.key})
    stream = events.getresponse()
    before = mounts()
    victim = [p for p in agents(server)
              if box["id"] in subprocess.run(["nsenter", "-t", str(p), "-u", "hostname"],
                                             capture_output=True, text=True).stdout]
    if not victim:
        # An ordinary user may not enter; the older of the two is the first one made.
        victim = [min(agents(server), key=lambda p: os.stat(f"/proc/{p}").st_ctime_ns)]
    os.kill(victim[0], signal.SIGKILL)
    until(server, lambda: state_of(server, box)["state"] == "error")
    shown = state_of(server, box)
    assert shown["reason"] == "crashed" and "signal 9" in shown["message"]
    server.post(f"{BOXES}/{box['id']}/exec", {"command": ["true"]}) \
        .error(503, "unavailable", "crashed", "signal 9")
    try:
        assert b"event: exit" not in stream.read(), "the stream breaks off, it does not end"
    except (http.client.HTTPException, OSError):
        pass
    assert server.exec(other, ["true"])["exit_code"] == 0
    assert os.listdir(server.state / "sandboxes") == [other["id"]]
    assert cgroups_of(box["id"]) == [] and mounts() == before
    assert server.delete(f"{BOXES}/{box['id']}").status == 200
    assert [s["id"] for s in server.sandboxes()] == [other["id"]]
    assert 'cay_sandbox_ends_total{reason="crashed"} 1' in server.get("/metrics").body.decode()


def test_a_killed_launcher(start):
    """It takes its sandboxes along; the next create makes another launcher."""
    server = start()
    box = server.create()
    below = descendants(server.pid)
    launcher = min(below)
    os.kill(launcher, signal.SIGKILL)
    until(server, lambda: state_of(server, box)["state"] == "error")
    assert state_of(server, box)["reason"] == "provider_error"
    assert wait_gone(below) == []
    new = server.create()
    assert server.exec(new, "echo again")["stdout"] == "again\n"


def test_sigterm(start):
    server = start()
    before = mounts()
    boxes = [server.create() for _ in range(3)]
    server.post(f"{BOXES}/{boxes[0]['id']}/processes", {"command": ["sleep", "1000"]})
    below = descendants(server.pid)
    assert server.stop(signal.SIGTERM) == 0
    for box in boxes:
        nothing_left(server, box, below, before)
        below = {}


def test_sigterm_lets_requests_finish(start, open_folder):
    """A command that waits for a fifo of ours runs when the signal comes, and ends afterwards."""
    server = start()
    os.mkfifo(open_folder / "go")
    box = server.create(workspace={"path": str(open_folder)})
    c = server.connection()
    c.request("POST", f"{BOXES}/{box['id']}/exec",
              json.dumps({"command": "read x < go; echo finished $x"}), {"X-API-Key": server.key})
    idle = server.connection()
    idle.request("GET", "/healthz")
    idle.getresponse().read()
    fifo = os.open(open_folder / "go", os.O_WRONLY)  # returns when the command has opened it
    server.process.send_signal(signal.SIGTERM)
    assert idle.sock.recv(1) == b"", "idle connections are closed at once"
    with pytest.raises(OSError):
        server.connect()
    os.write(fifo, b"now\n")
    os.close(fifo)
    answer = c.getresponse()
    assert answer.headers["Connection"] == "close"
    assert json.loads(answer.read())["stdout"] == "finished now\n"
    assert server.stop() == 0


def test_sigterm_does_not_wait_for_streams(start):
    """Who follows a process or sits at a terminal is cut off; that is no request to finish."""
    server = start()
    box = server.create()
    pid = run(server, box, ["sh", "-c", "echo up; exec sleep 1000"], pty={"rows": 24, "cols": 80})
    assert first_line(server, box, pid).strip() == "up"
    events = Events(server, box, pid)
    path = f"{BOXES}/{box['id']}/processes/{pid}/attach"
    terminal = WebSocket(server.connect(), path, {"X-API-Key": server.key})
    assert terminal.status == 101
    before = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - before < 5
    assert not any("not waiting" in line for line in server.log)
    events.close()
    terminal.close()


def test_kill_9_and_restart(start):
    server = start()
    before = mounts()
    box = server.create(resources={"pids": 32})
    server.post(f"{BOXES}/{box['id']}/processes", {"command": ["sleep", "1000"]})
    below = descendants(server.pid)
    assert server.stop(signal.SIGKILL) == -signal.SIGKILL
    assert wait_gone(below) == [], "nothing outlives its daemon"
    again = start()
    assert again.sandboxes() == []
    assert any("removed the folders of 1 dead" in line for line in again.log)
    nothing_left(again, box, {}, before)
    assert again.exec(again.create(), ["true"])["exit_code"] == 0


def test_a_second_daemon_is_refused(start):
    server = start()
    with pytest.raises(RuntimeError, match=rf"\(pid {server.pid}\) uses the state folder"):
        start()
    assert server.get("/healthz").status == 200


def test_the_port_is_taken(start, tmp_path):
    server = start()
    with pytest.raises(RuntimeError, match="in use"):
        start(state=tmp_path / "other", listen="127.0.0.1:%d" % server.address[1])


def test_a_unix_socket(start, tmp_path):
    path = tmp_path / "api.sock"
    server = start(listen=f"unix:{path}")
    assert server.url == f"unix:{path}"
    assert os.stat(path).st_mode & 0o777 == 0o600
    box = server.create()
    assert box["agent_url"] == f"{BOXES}/{box['id']}/agent"
    assert server.exec(box, ["true"])["exit_code"] == 0
    server.get("/v1/sandboxes", key=False).error(401, "unauthorized")
    server.get("/healthz", headers={"Host": "evil.example"}).error(421, "misdirected_request")
    assert server.stop() == 0
    assert not path.exists()


def test_a_thousand_half_open_connections(start):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        pytest.skip(f"at most {hard} open files are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    server = start()
    box = server.create()
    before = server.rss_kb()
    halves = []
    for i in range(1000):
        c = server.connect()
        c.sendall([b"", b"GET", b"POST /v1/sandboxes HTTP/1.1\r\nHost: localhost\r\nX-",
                   b"POST /v1/sandboxes HTTP/1.1\r\nHost: localhost\r\nX-API-Key: " +
                   server.key.encode() + b"\r\nContent-Length: 100\r\n\r\n{"][i % 4])
        halves.append(c)
    until(server, lambda: server.metric("cay_http_connections") >= 1000)
    assert server.exec(box, ["true"])["exit_code"] == 0
    assert grows_at_most(24 * 1024, before, server.rss_kb())
    for c in halves:
        c.close()
    until(server, lambda: server.metric("cay_http_connections") < 10)
    assert server.exec(box, ["true"])["exit_code"] == 0
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def descriptors(server):
    return len(os.listdir(f"/proc/{server.pid}/fd"))


@pytest.mark.slow
def test_nothing_leaks(start):
    """Descriptors and memory after many sandboxes and requests are as before."""
    server = start()

    def round_trip():
        box = server.create(name="again")
        server.exec(box, ["true"])
        server.get(f"{BOXES}/again/ports/9/")
        server.post(BOXES, {"name": "again"})
        server.delete(f"{BOXES}/again")

    for _ in range(20):
        round_trip()
    fds, rss = descriptors(server), server.rss_kb()
    for _ in range(100):
        round_trip()
    until(server, lambda: descriptors(server) <= fds + 2)
    assert grows_at_most(4 * 1024, rss, server.rss_kb())


@pytest.mark.parametrize("args,word", [
    (["serve", "--lisen", "x"], "did you mean --listen"),
    (["serve", "--listen", "nonsense"], "ADDR:PORT"),
    (["serve", "--listen", "127.0.0.1:99999"], "65535"),
    (["serve", "--max-sandboxes", "0"], "--max-sandboxes"),
    (["serve", "--state", "/proc/nothing"], "/proc/nothing"),
    (["nonsense"], "serve")])
def test_bad_arguments(args, word):
    r = subprocess.run([BUILD / "cay-server", *args], capture_output=True, text=True)
    assert r.returncode != 0 and word in r.stderr and r.stdout == ""


def test_help():
    r = subprocess.run([BUILD / "cay-server", "serve", "--help"], capture_output=True, text=True)
    assert r.returncode == 0 and "--listen" in r.stdout and r.stderr == ""


@pytest.mark.parametrize("key", ["", "a b", "x" * 300])
def test_bad_keys(tmp_path, key):
    r = subprocess.run([BUILD / "cay-server", "serve", "--state", tmp_path / "s"],
                       capture_output=True, text=True, env={**os.environ, "CAY_API_KEY": key})
    assert r.returncode != 0 and "CAY_API_KEY" in r.stderr
