# SPDX-License-Identifier: Apache-2.0
"""Who is let in: keys, Host, Origin, on every method and on upgrades."""
import os

import pytest
from processes import first_line, start
from websocket import WebSocket

METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]


@pytest.mark.parametrize("path", ["/v1/sandboxes", "/metrics", "/v1/runtimes", "/nothing",
                                  "/v1/sandboxes/x/exec", "/v1/sandboxes/x/ports/80/"])
@pytest.mark.parametrize("method", METHODS)
def test_a_key_is_needed(server, method, path):
    r = server.request(method, path, key=False)
    r.error(401, "unauthorized", "missing", "X-API-Key")
    assert r.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("headers", [
    {"X-API-Key": "wrong"}, {"Authorization": "Bearer wrong"}, {"X-API-Key": ""},
    {"Authorization": "Basic dGVzdDp0ZXN0"}, {"X-Session-API-Key": "test-key-0123456789"}])
def test_wrong_keys(server, headers):
    server.get("/v1/sandboxes", key=False, headers=headers).error(401, "unauthorized")


def test_both_header_forms(server):
    for headers in ({"X-API-Key": server.key}, {"Authorization": f"Bearer {server.key}"}):
        assert server.get("/v1/sandboxes", key=False, headers=headers).status == 200


@pytest.mark.parametrize("path", ["/healthz", "/openapi.json"])
def test_open_routes(server, path):
    assert server.get(path, key=False).status == 200


def test_a_session_key_opens_its_sandbox_only(server, box):
    other = server.create()
    mine = {"X-Session-API-Key": box["session_api_key"]}
    path = f"/v1/sandboxes/{box['id']}"
    assert server.get(path + "/agent/alive", key=False, headers=mine).status == 200
    assert server.get(path + "/ports/1/", key=False, headers=mine).status == 503
    server.get(f"/v1/sandboxes/{other['id']}/agent/alive", key=False, headers=mine) \
        .error(401, "unauthorized")
    # Neither the rest of the API, nor the sandbox's own life.
    for method, path in (("GET", path), ("DELETE", path), ("POST", path + "/exec"),
                         ("GET", path + "/files?path=/etc/hosts"), ("GET", "/v1/sandboxes")):
        server.request(method, path, key=False, headers=mine).error(401, "unauthorized")


def test_a_session_key_dies_with_its_sandbox(server):
    box = server.create()
    assert server.delete(f"/v1/sandboxes/{box['id']}").status == 200
    server.get(f"/v1/sandboxes/{box['id']}/agent/alive", key=False,
               headers={"X-Session-API-Key": box["session_api_key"]}).error(401, "unauthorized")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7070", "localhost.evil.example",
                                  "10.1.2.3", "127.0.0.1.nip.io", "[::2]"])
@pytest.mark.parametrize("method", METHODS)
def test_unknown_hosts_are_refused(server, method, host):
    for path in ("/healthz", "/v1/sandboxes"):
        r = server.request(method, path, headers={"Host": host})
        r.error(421, "misdirected_request", host.split(":")[0][:20], "--allow-host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:7070", "[::1]:7070"])
def test_loopback_hosts(server, host):
    assert server.get("/v1/sandboxes", headers={"Host": host}).status == 200


def test_allowed_host(start):
    server = start("--allow-host", "box.example")
    assert server.get("/healthz", headers={"Host": "box.example:80"}).status == 200
    server.get("/healthz", headers={"Host": "other.example"}).error(421, "misdirected_request")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:3000",
                                    "https://localhost.evil.example"])
@pytest.mark.parametrize("method", METHODS)
def test_foreign_origins_are_refused(server, method, origin):
    for path in ("/healthz", "/v1/sandboxes"):
        server.request(method, path, headers={"Origin": origin}).error(403, "permission_denied")


def test_own_origin(server):
    headers = {"Host": "localhost:7070", "Origin": "http://localhost:7070"}
    assert server.get("/v1/sandboxes", headers=headers).status == 200
    headers["Sec-Fetch-Site"] = "cross-site"
    server.get("/v1/sandboxes", headers=headers).error(403, "permission_denied")


@pytest.mark.parametrize("headers,status", [
    ({"Host": "evil.example"}, 421), ({"Origin": "http://evil.example"}, 403), ({}, 401)])
def test_upgrades_are_checked_too(server, box, headers, status):
    key = {} if status == 401 else {"X-API-Key": server.key}
    for path in ("processes/1/attach", "ports/80/ws", "agent/v1/processes/1/attach"):
        ws = WebSocket(server.connect(), f"/v1/sandboxes/{box['id']}/{path}", {**key, **headers})
        assert ws.status == status
        ws.close()


def test_a_generated_key(start, tmp_path):
    server = start(key=None)
    file = server.state / "api-key"
    assert os.stat(file).st_mode & 0o777 == 0o600
    assert os.stat(server.state).st_mode & 0o777 == 0o700
    assert len(server.key) >= 32
    assert server.get("/v1/sandboxes").status == 200
    server.get("/v1/sandboxes", key=False, headers={"X-API-Key": server.key + "x"}) \
        .error(401, "unauthorized")
    server.stop()
    assert start(key=None).key == server.key, "the key is kept"


def test_a_key_that_others_can_read_is_refused(start):
    server = start(key=None)
    server.stop()
    os.chmod(server.state / "api-key", 0o644)
    with pytest.raises(RuntimeError, match="can be read by others"):
        start(key=None)


def test_secrets_are_not_logged(start):
    server = start("--log-level", "debug")
    box = server.create(env={"TOKEN": "env-secret-value"})
    server.exec(box, ["true"])
    server.get("/v1/sandboxes?label=a=query-secret-value")
    assert server.stop() == 0
    log = "".join(server.log)
    assert "/v1/sandboxes" in log, "debug logs name the requests"
    for secret in (server.key, box["session_api_key"], "env-secret-value", "query-secret-value"):
        assert secret not in log


SHOW_HEAD = """
import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
print(s.getsockname()[1], flush=True)
while True:
    c, _ = s.accept()
    head = b""
    while b"\\r\\n\\r\\n" not in head: head += c.recv(65536)
    c.sendall(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(head) + head)
    c.close()
"""


def test_the_daemons_key_never_goes_inside(server, box):
    """A program in the sandbox that looks at what reaches its port finds no key of ours."""
    pid = start(server, box, ["python3", "-c", SHOW_HEAD])
    port = first_line(server, box, pid)
    path = f"/v1/sandboxes/{box['id']}/ports/{port}/x?y=1"
    for headers in ({"Authorization": f"Bearer {server.key}"},
                    {"X-API-Key": server.key, "X-Session-API-Key": box["session_api_key"],
                     "Authorization": "Bearer of-the-application"}):
        r = server.get(path, key=False, headers=headers)
        assert r.status == 200
        head = r.body.decode()
        assert head.startswith("GET /x?y=1 HTTP/1.1\r\n")
        assert server.key not in head and box["session_api_key"] not in head
    assert "Bearer of-the-application" in head, "the application's own credentials pass"
    assert f"Host: localhost:{port}" in head
    server.delete(f"/v1/sandboxes/{box['id']}/processes/{pid}")
