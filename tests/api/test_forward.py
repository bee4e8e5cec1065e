# SPDX-License-Identifier: Apache-2.0
"""What the agent answers, through the daemon: commands, processes, files, the OpenHands dialect,
ports; streams in both directions."""
import base64
import hashlib
import json
import os
import socket
import struct

import pytest
from conftest import grows_at_most
from processes import Events, first_line, path_of, start
from websocket import WebSocket

MIB = 1 << 20


# ---- exec ----

def test_exec(server, box):
    result = server.exec(box, ["sh", "-c", "cat; echo err >&2; exit 3"], stdin="in\n")
    assert (result["exit_code"], result["stdout"], result["stderr"]) == (3, "in\n", "err\n")
    assert not result["timed_out"] and result["duration_ms"] >= 0


def test_exec_timeout(server, box):
    result = server.exec(box, ["sleep", "60"], timeout_s=0.2)
    assert result["timed_out"] and result["exit_code"] == 124


@pytest.mark.parametrize("body,status,code", [
    ({"command": ["no-such-command-x"]}, 422, "command_not_found"),
    ({"command": ["/etc/hostname"]}, 422, "not_executable"),
    ({}, 400, "invalid_argument"), ({"command": []}, 400, "invalid_argument"),
    ({"command": 7}, 400, "invalid_argument"), ({"command": ["a\x00b"]}, 400, "invalid_argument"),
    ({"command": ["true"], "x": 1}, 400, "invalid_argument"),
    ({"command": ["true"], "cwd": "relative"}, 400, "invalid_argument"),
    ({"command": ["true"], "timeout_s": -1}, 400, "invalid_argument")])
def test_bad_exec(server, box, body, status, code):
    server.post(path_of(box, "/exec"), body).error(status, code)


def test_a_client_that_leaves_ends_its_command(server, box):
    c = server.connection()
    c.request("POST", path_of(box, "/exec"), json.dumps({"command": [
        "sh", "-c", "mkfifo /tmp/f; trap 'echo ended > /tmp/f' TERM; echo up > /tmp/f & sleep 99 & wait"]}),
        {"X-API-Key": server.key})
    server.exec(box, "until test -p /tmp/f; do :; done; head -1 /tmp/f", timeout_s=30)
    c.sock.close()
    c.close()
    done = server.exec(box, "while pgrep -x sleep; do :; done; rm /tmp/f", timeout_s=30)
    assert done["exit_code"] == 0, "the command and its children are gone"


# ---- processes ----

def test_process_output_stream(server, box):
    pid = start(server, box, ["sh", "-c", "echo one; echo two >&2; exit 4"])
    got = list(Events(server, box, pid))
    text = "".join(d["data"] for n, d, _ in got if n == "output")
    assert sorted(text.split()) == ["one", "two"]
    assert got[-1][0] == "exit" and got[-1][1]["exit_code"] == 4
    again = list(Events(server, box, pid, "?offset=4"))
    assert "".join(d["data"] for n, d, _ in again if n == "output") == text[4:]
    assert server.get(path_of(box, f"/processes/{pid}")).json()["state"] == "exited"
    assert server.delete(path_of(box, f"/processes/{pid}")).status == 200
    server.get(path_of(box, f"/processes/{pid}")).error(404, "not_found")


def test_process_stdin_and_signal(server, box):
    pid = start(server, box, ["cat"], stdin=True)
    path = path_of(box, f"/processes/{pid}")
    events = Events(server, box, pid)
    r = server.request("POST", path + "/stdin", b"hello\n", raw=True)
    assert r.json() == {"written": 6}
    name, data, _ = next(iter(events))
    assert (name, data["data"]) == ("output", "hello\n")
    assert pid in [p["pid"] for p in server.get(path_of(box, "/processes")).json()["processes"]]
    assert server.post(path + "/signal", {"signal": "TERM"}).status == 200
    assert [n for n, _, _ in events][-1] == "exit"
    server.post(path + "/signal", {"signal": "NOSUCH"}).error(400, "invalid_argument")
    server.delete(path)


def test_attach_a_terminal(server, box):
    pid = start(server, box, ["sh", "-c", "stty size; read x; stty size; echo got $x"],
                pty={"rows": 24, "cols": 80})
    path = path_of(box, f"/processes/{pid}")
    ws = WebSocket(server.connect(), path + "/attach", {"X-API-Key": server.key})
    assert ws.status == 101
    seen, end = b"", None
    while b"24 80" not in seen:
        seen += ws.receive()[1]
    ws.send(json.dumps({"type": "resize", "rows": 30, "cols": 100}))
    ws.send(b"hi\r")
    while end is None:
        opcode, data = ws.receive()
        if opcode == 2:
            seen += data
        elif opcode == 1:
            end = json.loads(data)
    assert b"30 100" in seen and b"got hi" in seen
    assert end == {"type": "exit", "exit_code": 0}
    assert ws.receive()[0] == 8
    ws.close()
    server.delete(path)


def test_a_reader_that_leaves(server, box):
    pid = start(server, box, ["sh", "-c", "while :; do echo x; done"])
    for _ in range(20):
        c = server.connection()
        c.request("GET", path_of(box, f"/processes/{pid}/output"),
                  headers={"X-API-Key": server.key})
        c.getresponse().read(1000)
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        c.close()
    assert server.delete(path_of(box, f"/processes/{pid}")).status == 200
    assert server.exec(box, ["true"])["exit_code"] == 0


# ---- files ----

def test_files(server, box):
    data = os.urandom(100000)
    file = path_of(box, "/files?path=/workspace/dir/a%20b.bin")
    r = server.request("PUT", file + "&mkdirs=1", data, raw=True)
    assert (r.status, r.json()) == (201, {"path": "/workspace/dir/a b.bin", "size": 100000})
    assert server.request("PUT", file, data, raw=True).status == 200
    assert server.get(file).body == data
    r = server.get(file, headers={"Range": "bytes=10-19"})
    assert (r.status, r.body) == (206, data[10:20])
    assert server.get(file.replace("/files?", "/files/stat?")).json()["size"] == 100000
    listing = server.get(path_of(box, "/files/list?path=/workspace/dir")).json()
    assert [e["name"] for e in listing["entries"]] == ["a b.bin"]
    move = {"from": "/workspace/dir/a b.bin", "to": "/workspace/dir/c"}
    assert server.post(path_of(box, "/files/move"), move).status == 200
    assert server.post(path_of(box, "/files/mkdir"), {"path": "/workspace/dir/e/f"}).status == 201
    head = server.request("HEAD", path_of(box, "/files?path=/workspace/dir/c"))
    assert (head.status, head.headers["Content-Length"], head.body) == (200, "100000", b"")
    assert server.delete(path_of(box, "/files?path=/workspace/dir&recursive=1")).status == 200
    server.get(file).error(404, "not_found")


@pytest.mark.parametrize("query", ["", "?path=", "?path=relative", "?path=/a/../b", "?path=/a%00b",
                                   "?path=/" + "x" * 300, "?path=" + "/x" * 2100])
def test_bad_paths(server, box, query):
    for method in ("GET", "PUT", "DELETE"):
        server.request(method, path_of(box, "/files" + query), b"", raw=True) \
            .error(400, "invalid_argument")


def test_an_upload_that_breaks_off_leaves_nothing(server, box):
    c = server.connect()
    c.sendall(f"PUT {path_of(box, '/files?path=/workspace/half')} HTTP/1.1\r\nHost: localhost\r\n"
              f"X-API-Key: {server.key}\r\nContent-Length: 1000000\r\n\r\n".encode() + b"x" * 1000)
    c.close()
    # The agent removes what it had begun as soon as it sees the end; this waits for that.
    done = server.exec(box, "while ls -A /workspace | grep -q .; do :; done", timeout_s=20)
    assert done["exit_code"] == 0


class Zeros:
    """A body of a given size that is never in memory."""

    def __init__(self, n):
        self.left = n

    def read(self, n=MIB):
        n = min(n, self.left, MIB)
        self.left -= n
        return bytes(n)


@pytest.mark.slow
def test_memory_is_flat(server, box):
    size = 256 * MIB
    file = path_of(box, "/files?path=/tmp/large")
    server.request("PUT", path_of(box, "/files?path=/tmp/small"), b"x", raw=True)
    before = server.rss_kb()
    r = server.request("PUT", file, Zeros(size), {"Content-Length": str(size)}, raw=True,
                       timeout=300)
    assert r.json()["size"] == size
    during = server.rss_kb()
    c = server.connection(300)
    c.request("GET", file, headers={"X-API-Key": server.key})
    r = c.getresponse()
    got, digest = 0, hashlib.sha1()
    while (block := r.read(MIB)):
        got += len(block)
        digest.update(block)
        if got % (32 * MIB) == 0:
            during = max(during, server.rss_kb())
    assert got == size
    assert digest.hexdigest() == "7b91dbdc56c5781edf6c8847b4aa6965566c5c75"
    assert grows_at_most(8 * 1024, before, during), f"grew by {during - before} kB"
    server.delete(file)


def test_a_slow_reader_costs_no_memory(server, box):
    server.exec(box, "head -c 64M /dev/zero > /tmp/slow")
    before = server.rss_kb()
    readers = []
    for _ in range(8):
        c = server.connect()
        c.sendall(f"GET {path_of(box, '/files?path=/tmp/slow')} HTTP/1.1\r\nHost: localhost\r\n"
                  f"X-API-Key: {server.key}\r\n\r\n".encode())
        assert c.recv(12) == b"HTTP/1.1 200"
        readers.append(c)
    assert server.exec(box, ["true"])["exit_code"] == 0, "others go on"
    assert grows_at_most(16 * 1024, before, server.rss_kb())
    for c in readers:
        c.close()
    server.exec(box, "rm /tmp/slow")


# ---- the agent itself ----

def test_agent_routes(server, box):
    assert server.get(path_of(box, "/agent/alive")).status == 200
    assert "uptime" in server.get(path_of(box, "/agent/server_info")).json()
    assert server.get(path_of(box, "/agent/v1/health")).json()["status"] == "ok"
    action = {"action": {"action": "run", "args": {"command": "echo $((6 * 7))"}}}
    session = {"X-Session-API-Key": box["session_api_key"]}
    r = server.post(path_of(box, "/agent/execute_action"), action, key=False, headers=session)
    assert r.status == 200 and "42" in r.json()["content"]
    server.get(path_of(box, "/agent/v1/nothing")).error(404, "not_found")


# ---- ports ----

ECHO = """
import base64, hashlib, socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
print(s.getsockname()[1], flush=True)
while True:
    c, _ = s.accept(); f = c.makefile("rb"); key = b""
    while (line := f.readline().strip()):
        if line.lower().startswith(b"sec-websocket-key:"): key = line.split(b":")[1].strip()
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    c.sendall(b"HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
              b"Sec-WebSocket-Accept: " + accept + b"\\r\\n\\r\\n")
    while len(head := f.read(2)) == 2:
        n = head[1] & 127
        if n == 126: n = int.from_bytes(f.read(2), "big")
        mask = f.read(4); data = bytes(b ^ mask[i % 4] for i, b in enumerate(f.read(n)))
        size = bytes([n]) if n < 126 else b"\\x7e" + n.to_bytes(2, "big")
        c.sendall(head[:1] + size + data)
        if head[0] & 15 == 8: break
    f.close(); c.close()
"""


@pytest.fixture
def web(server, box):
    """A python3 -m http.server inside; its path."""
    server.request("PUT", path_of(box, "/files?path=/workspace/www/page.txt&mkdirs=1"), b"hello\n",
                   raw=True)
    pid = start(server, box, ["python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", "0",
                              "-d", "/workspace/www"])
    port = first_line(server, box, pid).split("port ")[1].split()[0]
    yield path_of(box, f"/ports/{port}")
    server.delete(path_of(box, f"/processes/{pid}"))
    server.delete(path_of(box, "/files?path=/workspace/www&recursive=1"))


def test_a_web_server_inside(server, web):
    assert server.get(web + "/page.txt").body == b"hello\n"
    assert b"page.txt" in server.get(web + "/?x=1").body
    r = server.get(web + "/none")
    assert r.status == 404 and b"Error response" in r.body, "the program's own answer"
    assert server.request("HEAD", web + "/page.txt").headers["Content-Length"] == "6"
    assert server.request("POST", web + "/page.txt", b"x" * 10, raw=True).status == 501


def test_many_requests_to_a_port(server, web):
    c = server.connection()
    for _ in range(200):
        c.request("GET", web + "/page.txt", headers={"X-API-Key": server.key})
        assert c.getresponse().read() == b"hello\n"
    c.close()


def test_websocket_inside(server, box):
    pid = start(server, box, ["python3", "-c", ECHO])
    port = first_line(server, box, pid)
    ws = WebSocket(server.connect(), path_of(box, f"/ports/{port}/chat"),
                   {"X-API-Key": server.key})
    assert ws.status == 101
    for message in ("hello", b"\x00\xff" * 30000):
        ws.send(message)
        opcode, data = ws.receive()
        assert opcode == (1 if isinstance(message, str) else 2)
        assert data == (message.encode() if isinstance(message, str) else message)
    ws.send(struct.pack(">H", 1000), opcode=8)
    assert ws.receive()[0] == 8
    assert ws.file.read() == b"", "the end is handed on"
    ws.close()
    server.delete(path_of(box, f"/processes/{pid}"))


def test_a_port_where_nobody_listens(server, box):
    server.get(path_of(box, "/ports/9/")).error(503, "unavailable")


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "80x"])
def test_bad_ports(server, box, port):
    server.get(path_of(box, f"/ports/{port}/")).error(400, "invalid_argument", "port")


def test_more_ports_than_are_kept(server, box):
    """Each port's endpoint is kept for reuse, but only so many."""
    for port in range(20000, 20100):
        server.get(path_of(box, f"/ports/{port}/")).error(503, "unavailable")
