# SPDX-License-Identifier: Apache-2.0
"""Bad input, a test a kind: each gets the one error shape with a message that helps, or is dropped
without harm; the server goes on, and nothing leaks. The command line is asked the same."""
import json
import os
import socket
import time

import pytest

from conftest import KEY


@pytest.fixture(autouse=True)
def unharmed(request, server, sandbox):
    """Around each test: the server answers, the sandbox works, no sandbox or descriptor is left."""
    before = server.descriptors()
    yield
    assert server.request("GET", "/healthz").status == 200
    a = server.request("POST", f"/v1/sandboxes/{sandbox['id']}/exec", {"command": ["true"]})
    assert a.status == 200 and a.json["exit_code"] == 0
    names = [s["name"] for s in server.request("GET", "/v1/sandboxes").json["sandboxes"]]
    assert names == ["steady"]
    until(lambda: server.descriptors() <= before + 2)


def until(condition, seconds=20):
    """Polls what sends no event: the number of descriptors of another process."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def refused(answer, status, code, *words):
    assert answer.status == status, answer.body
    assert answer.error["code"] == code
    for word in words:
        assert word in answer.error["message"], answer.error["message"]


def create(server, **spec):
    return server.request("POST", "/v1/sandboxes", spec)


@pytest.mark.parametrize("body", [b"{", b"", b"[]", b"nonsense", b'{"name": "a"} x', b'{"name": "a", "name": "b"}',
                                  b'{"name": "\\u0000"}', b'{"name": "\xff"}', b"[" * 100000],
                         ids=lambda body: repr(body[:20]))
def test_malformed_json(server, body):
    a = server.request("POST", "/v1/sandboxes", body, {"Content-Type": "application/json"})
    if body == b"":
        # No body at all is a sandbox with defaults, or an error; never anything else.
        if a.status == 201:
            server.request("DELETE", f"/v1/sandboxes/{a.json['id']}")
            return
    refused(a, 400, "invalid_argument")


@pytest.mark.parametrize("spec, field", [
    ({"name": 1}, "name"), ({"env": []}, "env"), ({"env": {"A": 1}}, "env"),
    ({"resources": "much"}, "resources"), ({"resources": {"memory_mb": "8"}}, "memory_mb"),
    ({"resources": {"pids": 1.5}}, "pids"), ({"workspace": "/tmp"}, "workspace"),
    ({"labels": {"a": None}}, "labels"), ({"timeout_s": "1"}, "timeout_s"),
    ({"network": True}, "network"), ({"network": {"mode": 1}}, "mode"),
])
def test_wrong_types(server, spec, field):
    refused(create(server, **spec), 400, "invalid_argument", field)


@pytest.mark.parametrize("spec, field", [
    ({"nmae": "x"}, "nmae"), ({"resources": {"memory": 1}}, "memory"),
    ({"workspace": {"path": "/tmp", "owner": 1}}, "owner"),
])
def test_unknown_fields(server, spec, field):
    refused(create(server, **spec), 400, "invalid_argument", field)


def test_unknown_fields_of_exec(server, sandbox):
    refused(server.request("POST", f"/v1/sandboxes/{sandbox['id']}/exec",
                           {"command": ["true"], "shell": True}), 400, "invalid_argument", "shell")


@pytest.mark.parametrize("path, word", [
    ("/" + "a/" * 2100, "bytes"), ("/tmp/" + "a" * 256, "component"), ("relative/file", "absolute"),
    ("", ""), ("/tmp/../etc/passwd", ".."), ("/tmp/%00", ""),
], ids=lambda text: text[:12])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_bad_paths(server, sandbox, method, path, word):
    a = server.request(method, f"/v1/sandboxes/{sandbox['id']}/files?path={path}",
                       b"x" if method == "PUT" else None)
    refused(a, 400, "invalid_argument", word)


def test_path_of_a_million_bytes(server, sandbox):
    c = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    with c:
        try:
            c.sendall(b"GET /v1/sandboxes?x=" + b"a" * 1000000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
            head = c.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            head = b""    # dropped without harm
    assert head == b"" or head.split()[1] in (b"400", b"413", b"414", b"431")


@pytest.mark.parametrize("cwd, word", [("workspace", "absolute"), ("/a/../b", ".."),
                                       ("/" + "x" * 5000, "bytes"), ("/tmp\u0000", "NUL")])
def test_bad_cwd(server, sandbox, cwd, word):
    a = server.request("POST", f"/v1/sandboxes/{sandbox['id']}/exec",
                       {"command": ["true"], "cwd": cwd})
    refused(a, 400, "invalid_argument")


@pytest.mark.parametrize("argument", ["a\u0000b"])
def test_nul_in_a_command(server, sandbox, argument):
    refused(server.request("POST", f"/v1/sandboxes/{sandbox['id']}/exec",
                           {"command": ["echo", argument]}), 400, "invalid_argument")


def test_workspace(server, cay, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    for path, code in ((str(tmp_path / "none"), "not_found"), (str(file), "invalid_argument"),
                       ("relative", "invalid_argument"), (str(tmp_path) + "/../x", "invalid_argument")):
        a = create(server, workspace={"path": path, "mode": "rw"})
        assert a.status in (400, 404), a.body
        assert a.error["code"] in (code, "invalid_argument")
        assert "workspace" in a.error["message"]
    for path in (tmp_path / "none", file):
        p = cay("run", "--workspace", path, "--", "true")
        assert p.returncode == 125 and str(path) in p.stderr


@pytest.mark.parametrize("name, value", [
    ("memory_mb", -1), ("memory_mb", 0), ("memory_mb", 10**18), ("memory_mb", 10**30),
    ("pids", -5), ("pids", 10**12), ("cpus", -1), ("cpus", 10**9), ("cpus", 0),
])
def test_limits(server, name, value):
    refused(create(server, resources={name: value}), 400, "invalid_argument")


@pytest.mark.parametrize("value", [-1, 10**15])
def test_timeout(server, sandbox, value):
    refused(create(server, timeout_s=value), 400, "invalid_argument", "timeout_s")
    refused(server.request("POST", f"/v1/sandboxes/{sandbox['id']}/exec",
                           {"command": ["true"], "timeout_s": value}), 400, "invalid_argument")


@pytest.mark.parametrize("option", ["--memory=-1", "--memory=0", "--memory=99999999t", "--cpus=-1",
                                    "--cpus=nan", "--pids=0", "--pids=1e9", "--timeout=-1s",
                                    "--timeout=soon"])
def test_limits_of_run(cay, option):
    p = cay("run", option, "--", "true")
    assert p.returncode == 125
    assert option.split("=")[0].lstrip("-") in p.stderr


@pytest.mark.parametrize("route", ["", "/exec", "/processes", "/files?path=/", "/isolation",
                                   "/agent/alive", "/ports/80/"])
@pytest.mark.parametrize("sandbox_id", ["nosuchsandbx", "..", "%2e%2e", "a" * 3000, "%00", "-"],
                         ids=lambda name: name[:12])
def test_unknown_ids(server, sandbox_id, route):
    method, body = ("POST", {"command": ["true"]}) if route == "/exec" else ("GET", None)
    a = server.request(method, f"/v1/sandboxes/{sandbox_id}{route}", body)
    assert a.status in (400, 404), a.body
    assert a.error["code"] in ("invalid_argument", "not_found")


def test_unknown_process(server, sandbox):
    for pid in ("1", "999999999", "-1", "x", "99999999999999999999"):
        a = server.request("GET", f"/v1/sandboxes/{sandbox['id']}/processes/{pid}")
        assert a.status in (400, 404), a.body
        a.error


def test_duplicate_name(server, sandbox):
    refused(create(server, name="steady"), 409, "conflict", "steady")


@pytest.mark.parametrize("name", ["", "A", "a b", "../x", "x" * 64, ".", "-a"])
def test_bad_names(server, name):
    refused(create(server, name=name), 400, "invalid_argument", "name")


def test_no_such_command(server, sandbox, cay, tmp_path):
    url = f"/v1/sandboxes/{sandbox['id']}/exec"
    refused(server.request("POST", url, {"command": ["no-such-command"]}), 422,
            "command_not_found", "no-such-command")
    refused(server.request("POST", url, {"command": ["/etc/passwd"]}), 422, "not_executable")
    refused(server.request("POST", url, {"command": []}), 400, "invalid_argument")
    assert server.request("POST", url, {"command": "no-such-command"}).json["exit_code"] == 127
    p = cay("run", "--", "no-such-command")
    assert p.returncode == 127 and "no-such-command" in p.stderr
    assert cay("run", "--", "/etc/passwd").returncode == 126


def head(method, target, *lines):
    return "\r\n".join((f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", f"X-API-Key: {KEY}",
                        *lines, "", "")).encode()


def test_client_disconnects_while_it_uploads(server, sandbox):
    url = f"/v1/sandboxes/{sandbox['id']}/files"
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as c:
            c.sendall(head("PUT", f"{url}?path=/tmp/half", "Content-Length: 1000000") + b"x" * 1000)
    refused(server.request("GET", f"{url}?path=/tmp/half"), 404, "not_found")
    # Not even a temporary file beside it: nothing but the target would be in the folder.
    until(lambda: not [e for e in server.request("GET", f"{url}/list?path=/tmp").json["entries"]
                       if e["type"] == "file"])


def test_client_disconnects_while_it_downloads(server, sandbox):
    url = f"/v1/sandboxes/{sandbox['id']}/files?path=/tmp/large"
    assert server.request("PUT", url, b"y" * (8 << 20)).status in (200, 201)
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as c:
            c.sendall(head("GET", url))
            assert c.recv(100).startswith(b"HTTP/1.1 200")
    assert server.request("DELETE", url).status in (200, 204)


def test_client_disconnects_while_a_command_runs(server, sandbox):
    body = json.dumps({"command": ["sleep", "86399"]}).encode()
    url = f"/v1/sandboxes/{sandbox['id']}"
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as c:
        c.sendall(head("POST", f"{url}/exec", "Content-Type: application/json",
                       f"Content-Length: {len(body)}") + body)
        count = {"command": "pgrep -fc '^sleep 86399' || true"}
        until(lambda: server.request("POST", f"{url}/exec", count).json["stdout"] == "1\n")
    until(lambda: server.request("POST", f"{url}/exec", count).json["stdout"] == "0\n")


def test_half_open_connections(server):
    connections = []
    try:
        for i in range(1000):
            c = socket.create_connection(("127.0.0.1", server.port), timeout=30)
            c.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127" if i % 2 else b"G")
            connections.append(c)
        # Others are served meanwhile.
        assert server.request("GET", "/healthz").status == 200
        assert server.request("GET", "/v1/sandboxes").status == 200
    finally:
        for c in connections:
            c.close()


@pytest.mark.parametrize("request_bytes", [
    b"GET / HTTP/1.1\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    b"POST /v1/sandboxes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\r\n" * 1000, b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 10000 + b"\r\n",
], ids=lambda request: f"{request[:12]!r}-{len(request)}")
def test_not_http(server, request_bytes):
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as c:
        try:
            c.sendall(request_bytes)
            c.shutdown(socket.SHUT_WR)
            answer = b""
            while data := c.recv(65536):
                answer += data
        except (ConnectionResetError, BrokenPipeError, OSError):
            return    # dropped without harm
    assert answer == b"" or answer.split()[1][:1] == b"4"


def test_log_holds_no_key(server):
    assert KEY not in server.log.read_text()
    assert KEY not in open(f"/proc/{server.process.pid}/cmdline").read()


@pytest.mark.skipif(os.getuid() != 0, reason="root alone can give a folder away")
def test_workspace_that_root_alone_can_open(server, tmp_path):
    tmp_path.chmod(0o700)
    (tmp_path / "file").write_text("content")
    box = server.create(workspace={"path": str(tmp_path), "mode": "rw"})
    a = server.request("POST", f"/v1/sandboxes/{box['id']}/exec",
                       {"command": "cat file && echo more > new"})
    assert (a.json["exit_code"], a.json["stdout"]) == (0, "content"), a.body
    assert (tmp_path / "new").stat().st_uid == 0
    assert server.request("DELETE", f"/v1/sandboxes/{box['id']}").status in (200, 204)
