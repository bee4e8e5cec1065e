# SPDX-License-Identifier: Apache-2.0
"""The program itself: options, the key, the engine's way of starting it, its protection, its end."""
import json
import os
import signal
import socket
import struct
import subprocess
import threading

import pytest

from conftest import AGENT, UnixConnection, alive, sanitized, wait_until


def test_options():
    def run(*args):
        return subprocess.run([str(AGENT), *args], capture_output=True, text=True)
    assert run("--version").stdout.startswith("cay-agent ")
    assert "--listen" in run("--help").stdout
    for args in ((), ("--bogus",), ("--listen",), ("--inherit", "--listen", "unix:/x")):
        r = run(*args)
        assert r.returncode == 2 and r.stderr.startswith("cay-agent: "), args
    for where in ("nonsense", "127.0.0.1:99999", "unix:/no/such/folder/sock", "1.2.3:80"):
        assert run("--listen", where).returncode != 0, where


def test_a_bad_configuration(tmp_path):
    for text, word in (("{", "JSON"), ('{"bogus": 1}', "bogus"), ('{"working_dir": "x"}', "absolute"),
                       ('{"memory_events_fd": 900}', "descriptor"), ('{"env": {"A": 1}}', "env")):
        (tmp_path / "c").write_text(text)
        r = subprocess.run([str(AGENT), "--listen", f"unix:{tmp_path}/s", "--config",
                            str(tmp_path / "c")], capture_output=True, text=True)
        assert r.returncode == 2 and word in r.stderr, (text, r.stderr)


def test_health_and_unknown_routes(agent):
    r = agent.get("/v1/health").json()
    assert r["status"] == "ok" and r["uptime_s"] >= 0 and r["version"]
    agent.get("/v1/nothing").error(404, "not_found")
    agent.request("DELETE", "/v1/health").error(405, "method_not_allowed")


def test_the_key(start_agent):
    a = start_agent(env={"SESSION_API_KEY": "secret"})
    key = {"X-Session-API-Key": "secret"}
    a.get("/v1/health").error(401, "unauthorized")
    a.get("/v1/health", headers={"X-Session-API-Key": "secret2"}).error(401, "unauthorized")
    assert a.get("/v1/health", headers=key).status == 200
    assert a.get("/alive").status == 200 and a.get("/server_info").status == 200
    r = a.post("/execute_action", {})
    assert (r.status, r.json()) == (403, {"detail": "Invalid API Key"})
    assert a.post("/execute_action", {"action": {"action": "run", "args": {"command": "true"}}},
                  headers=key).status == 200
    # The key is not handed on to commands.
    assert "secret" not in a.post("/v1/exec", {"command": "env"}, headers=key).json()["stdout"]


def test_the_environment_of_commands(start_agent):
    a = start_agent(config={"env": {"EXTRA": "1", "PATH": "/usr/bin:/bin:/x"}},
                    env={"LEAK": "1"})
    env = dict(line.split("=", 1) for line in a.exec("env")["stdout"].splitlines())
    assert env["EXTRA"] == "1" and env["PATH"] == "/usr/bin:/bin:/x" and "LEAK" not in env
    assert env["HOME"] == str(a.home) and env["USER"] == "tester" and env["TERM"] and env["LANG"]


def test_tcp(start_agent, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    start_agent("--listen", f"127.0.0.1:{port}")
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(b"GET /alive HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert s.recv(100).startswith(b"HTTP/1.1 200")


def test_started_by_the_engine(tmp_path):
    """--inherit: descriptors 3, 4, 5 and what the configuration names."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen(16)
    ready, status = os.pipe()
    config = os.memfd_create("config")
    procs = os.open(tmp_path / "procs", os.O_CREAT | os.O_RDWR, 0o600)
    events = os.open(tmp_path / "events", os.O_CREAT | os.O_RDWR, 0o600)
    os.write(events, b"low 0\noom_kill 0\noom_group_kill 7\n")
    os.write(config, json.dumps({
        "working_dir": str(tmp_path), "username": "cay", "home": str(tmp_path), "uid": 1000,
        "gid": 1000, "env": {"A": "b"}, "session_api_key": "k", "work_cgroup_fds": [6],
        "memory_events_fd": 7}).encode())
    fds = [listener.fileno(), status, config, procs, events]
    # Out of the way first, then each to its place.
    high = [os.dup2(fd, 100 + i) for i, fd in enumerate(fds)]

    def place():
        for i, fd in enumerate(high):
            os.dup2(fd, 3 + i)
    p = subprocess.Popen([str(AGENT), "--inherit"], preexec_fn=place, pass_fds=range(3, 8),
                         stdin=subprocess.DEVNULL)
    for fd in high:
        os.close(fd)
    os.close(status)
    assert struct.unpack("II", os.read(ready, 8)) == (0x63617931, 1)
    c = UnixConnection(str(tmp_path / "s"))
    headers = {"X-Session-API-Key": "k", "Content-Type": "application/json"}

    def execute(command):
        c.request("POST", "/v1/exec", json.dumps({"command": command}), headers)
        return json.loads(c.getresponse().read())
    assert execute("echo $A $USER; ls /proc/self/fd | tr '\\n' ' '")["stdout"] == "b cay\n0 1 2 3 "
    # The child has joined the cgroup before it executed anything.
    assert os.pread(procs, 10, 0) == b"0"
    # The counter rises while a killed command runs: that was the OOM killer.
    r = execute(f"printf 'low 0\\noom_kill 1\\noom_group_kill 7\\n' > {tmp_path}/events; kill -9 $$")
    assert r["oom"] is True and r["exit_code"] == 137
    assert "oom" not in execute("kill -9 $$")
    p.send_signal(signal.SIGTERM)
    assert os.read(ready, 1) == b"" and p.wait(20) == 0
    for fd in (ready, config, procs, events):
        os.close(fd)
    listener.close()
    c.close()


def test_it_is_protected_from_its_commands(agent):
    pid = agent.process.pid
    if os.geteuid() == 0:
        pytest.skip("root may look into every process")
    r = agent.exec(f"cat /proc/{pid}/environ; ls /proc/{pid}/fd; cat /proc/{pid}/maps")
    assert r["stdout"] == "" and r["stderr"].count("Permission denied") == 3


def test_commands_are_the_oom_killers_choice(agent):
    own = int(open(f"/proc/{agent.process.pid}/oom_score_adj").read())
    work = int(agent.exec("cat /proc/self/oom_score_adj")["stdout"])
    assert work > own
    assert int(open(f"/proc/{agent.process.pid}/oom_score_adj").read()) == own


def test_orphans_are_reaped(fresh):
    mark = fresh.folder / "orphan"
    fresh.exec(f"(sleep 0.2; echo > {mark}) & true")
    wait_until(mark.exists)
    wait_until(lambda: not fresh.children())


def test_sigterm_ends_everything(start_agent):
    a = start_agent()
    pid = a.start("trap '' TERM HUP; sleep 1000")
    a.run("sleep 1000", timeout=0.1)
    children = a.children()
    assert pid in children and len(children) == 2
    a.process.send_signal(signal.SIGTERM)
    assert a.process.wait(20) == 0
    wait_until(lambda: not any(alive(p) for p in children))


def test_a_thousand_half_open_connections(fresh):
    sockets = []
    for _ in range(1000):
        s = fresh.raw()
        s.sendall(b"GET /alive HT")
        sockets.append(s)
    assert fresh.exec("echo still")["stdout"] == "still\n"
    for s in sockets:
        s.close()
    assert fresh.get("/alive").status == 200


def test_bad_http(agent):
    for text, status in ((b"nonsense\r\n\r\n", 400), (b"GET / HTTP/1.1\r\n\r\n", 400),
                         (b"POST /v1/exec HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
                          b"Transfer-Encoding: chunked\r\n\r\n", 400)):
        s = agent.raw()
        s.sendall(text)
        assert s.recv(100).startswith(f"HTTP/1.1 {status}".encode()), text
        s.close()


def test_forward(agent):
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    port = server.getsockname()[1]
    head = f"GET /v1/forward/{port} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"

    def echo():
        peer, _ = server.accept()
        while data := peer.recv(65536):
            peer.sendall(data)
        peer.close()
    t = threading.Thread(target=echo)
    t.start()
    s = agent.raw()
    s.sendall(head.encode() + b"early")
    f = s.makefile("rb")
    assert f.readline() == b"HTTP/1.1 101 Switching Protocols\r\n"
    while f.readline().strip():
        pass
    assert f.read(5) == b"early"
    data = os.urandom(1_000_000)
    sender = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
    sender.start()
    assert f.read() == data
    sender.join()
    t.join()
    s.close()
    server.close()
    c = agent.other()
    upgrade = {"Connection": "Upgrade", "Upgrade": "tcp"}
    agent.get(f"/v1/forward/{port}", headers=upgrade, connection=c).error(503, "unavailable",
                                                                            str(port))
    agent.get("/v1/forward/0", headers=upgrade).error(400, "invalid_argument")
    agent.get("/v1/forward/x", headers=upgrade).error(400, "invalid_argument")
    agent.get(f"/v1/forward/{port}").error(400, "invalid_argument", "Upgrade")


def test_forward_over_ipv6(agent):
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 loopback on this machine")
    port = server.getsockname()[1]
    s = agent.raw()
    s.sendall(f"GET /v1/forward/{port} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
              "Upgrade: tcp\r\n\r\n".encode())
    peer, _ = server.accept()
    peer.sendall(b"six")
    peer.close()
    received = b""
    while data := s.recv(1000):
        received += data
    assert received.startswith(b"HTTP/1.1 101") and received.endswith(b"six")
    s.close()
    server.close()


def test_it_is_small(fresh):
    if sanitized():
        pytest.skip("a build with sanitizers is large")
    assert AGENT.stat().st_size <= 2 << 20
    assert fresh.get("/alive").status == 200
    assert fresh.memory_kb() <= 1536
