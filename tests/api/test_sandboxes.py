# SPDX-License-Identifier: Apache-2.0
"""Making, listing, showing and ending sandboxes; every kind of bad input."""
import concurrent.futures
import os
import re
import threading

import pytest

BOXES = "/v1/sandboxes"


def test_create(server):
    box = server.create(name="first", labels={"team": "x"}, env={"A": "1"}, timeout_s=60)
    assert re.fullmatch(r"[a-z][a-z2-9]{11}", box["id"])
    assert (box["name"], box["state"], box["runtime"]) == ("first", "running", "local")
    assert box["labels"] == {"team": "x"}
    assert box["isolation"]["level"] == "full"
    assert len(box["session_api_key"]) == 40
    assert box["agent_url"].endswith(f"/v1/sandboxes/{box['id']}/agent")
    assert set(box["timings_ms"]) == {"launch", "agent_ready", "total"}
    assert box["timings_ms"]["total"] >= box["timings_ms"]["launch"] > 0
    assert box["created_at"] < box["expires_at"]
    result = server.exec(box, "echo $A; pwd; id -un; hostname")
    assert result["stdout"].split() == ["1", "/workspace", "cay", box["id"]]


def test_create_answer_headers(server):
    r = server.post(BOXES)
    assert r.status == 201, "no body at all: every field has a default"
    box = r.json()
    assert r.headers["Location"] == f"{BOXES}/{box['id']}"
    assert re.search(r"launch;dur=[\d.]+, *agent_ready;dur=[\d.]+, *total;dur=[\d.]+",
                     r.headers["Server-Timing"])
    assert box["expires_at"] is None and box["name"] is None and box["labels"] == {}


def test_agent_url_works(server, box):
    path = re.sub(r"^http://[^/]+", "", box["agent_url"])
    assert server.get(path + "/alive").status == 200


def test_show_by_id_and_name(server):
    box = server.create(name="by-name")
    for key in (box["id"], "by-name"):
        shown = server.get(f"{BOXES}/{key}").json()
        assert shown == box
        assert server.exec({"id": key}, ["true"])["exit_code"] == 0
        assert server.get(f"{BOXES}/{key}/isolation").json() == box["isolation"]
    assert server.delete(f"{BOXES}/by-name").status == 200
    server.get(f"{BOXES}/by-name").error(404, "not_found")


def test_list_and_filters(server):
    a = server.create(name="list-a", labels={"job": "1", "x": "y=z"})
    b = server.create(name="list-b", labels={"job": "2"})

    def ids(query):
        return [s["id"] for s in server.sandboxes(query)]

    assert ids("?label=job=1") == [a["id"]]
    assert ids("?label=x=y%3Dz") == [a["id"]]
    assert ids("?label=job=3") == []
    assert ids("?name=list-b") == [b["id"]]
    assert {a["id"], b["id"]} <= set(ids("?state=running&runtime=local"))
    assert ids("?state=error") == []
    assert ids("?runtime=docker") == []
    assert "session_api_key" not in server.sandboxes("?name=list-a")[0]
    server.get(BOXES + "?state=runing").error(400, "invalid_argument", "did you mean 'running'")
    server.get(BOXES + "?label=job").error(400, "invalid_argument", "KEY=VALUE")


def test_delete(server):
    box = server.create()
    r = server.delete(f"{BOXES}/{box['id']}")
    assert r.status == 200
    assert r.json() == {"id": box["id"], "state": "gone", "reason": "killed"}
    assert "destroy;dur=" in r.headers["Server-Timing"]
    server.delete(f"{BOXES}/{box['id']}").error(404, "not_found", box["id"])
    assert box["id"] not in [s["id"] for s in server.sandboxes()]


def test_two_deletes_at_once(server):
    box = server.create()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: server.delete(f"{BOXES}/{box['id']}").status, range(8)))
    assert got.count(200) >= 1 and set(got) <= {200, 404}


@pytest.mark.parametrize("method,path", [
    ("GET", ""), ("DELETE", ""), ("GET", "/isolation"), ("POST", "/exec"), ("GET", "/processes"),
    ("GET", "/files?path=/"), ("GET", "/agent/alive"), ("GET", "/ports/80/")])
def test_unknown_ids(server, method, path):
    r = server.request(method, f"{BOXES}/nosuchbox{path}")
    r.error(404, "not_found", "nosuchbox", "GET /v1/sandboxes")


def test_unknown_routes_and_methods(server, box):
    server.get("/v2/sandboxes").error(404, "not_found")
    server.get(f"{BOXES}/{box['id']}/nothing").error(404, "not_found")
    r = server.request("PATCH", BOXES)
    r.error(405, "method_not_allowed")
    assert {"GET", "POST"} <= set(re.split(", *", r.headers["Allow"]))


# ---- names, keys, quotas ----

def test_duplicate_name(server):
    server.create(name="taken")
    server.post(BOXES, {"name": "taken"}).error(409, "conflict", "taken", "another name")
    server.delete(f"{BOXES}/taken")
    server.create(name="taken")


def test_a_name_must_not_be_an_id(server, box):
    server.post(BOXES, {"name": box["id"]}).error(409, "conflict")


def test_idempotency_key(server):
    key = {"Idempotency-Key": "one two"}
    first = server.post(BOXES, {"labels": {"a": "1", "b": "2"}}, headers=key)
    again = server.post(BOXES, {"labels": {"b": "2", "a": "1"}}, headers=key)
    assert first.status == again.status == 201
    assert first.json() == again.json()
    server.post(BOXES, {"labels": {}}, headers=key).error(409, "conflict", "Idempotency-Key")
    server.delete(f"{BOXES}/{first.json()['id']}")
    new = server.post(BOXES, {"labels": {}}, headers=key)
    assert new.status == 201 and new.json()["id"] != first.json()["id"]


def test_idempotency_key_while_creating(server):
    before = server.metric("cay_sandbox_creates_total")

    def create(_):
        return server.post(BOXES, {}, headers={"Idempotency-Key": "race"}).json()["id"]

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        assert len(set(pool.map(create, range(10)))) == 1
    assert server.metric("cay_sandbox_creates_total") == before + 1


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\xe9"])
def test_bad_idempotency_keys(server, key):
    server.post(BOXES, {}, headers={"Idempotency-Key": key}) \
        .error(400, "invalid_argument", "Idempotency-Key")


def test_quota(start):
    server = start("--max-sandboxes", "2")
    boxes = [server.create(), server.create()]
    r = server.post(BOXES, {})
    r.error(429, "overloaded", "quota", "--max-sandboxes")
    assert int(r.headers["Retry-After"]) >= 1
    server.delete(f"{BOXES}/{boxes[0]['id']}")
    server.create()


# ---- bad bodies ----

@pytest.mark.parametrize("text,word", [
    ("{", "line 1"), ("", None), ("{}x", "line 1"), ("nonsense", "line 1"),
    ('{"name":"a","name":"b"}', "duplicate"), ('{"name":"\xff"}', None), ("[]", "object"),
    ('"x"', "object"), ("7", "object"), ("null", "object"), ("[" * 100000, None)])
def test_malformed_json(server, text, word):
    r = server.request("POST", BOXES, text.encode("latin-1"), raw=True,
                       headers={"Content-Type": "application/json"})
    if text == "":
        assert r.status == 201
    else:
        r.error(400, "invalid_argument", *([word] if word else []))


@pytest.mark.parametrize("body,words", [
    ({"name": 7}, ["'name'", "a string"]),
    ({"name": ["x"]}, ["'name'", "a string"]),
    ({"env": []}, ["'env'"]),
    ({"env": {"A": 1}}, ["'env'", "strings"]),
    ({"labels": {"A": None}}, ["'labels'", "strings"]),
    ({"timeout_s": "60"}, ["'timeout_s'", "a number"]),
    ({"resources": 1}, ["'resources'", "an object"]),
    ({"resources": {"cpus": "2"}}, ["'resources.cpus'", "a number"]),
    ({"resources": {"memory_mb": 1.5}}, ["'resources.memory_mb'", "an integer"]),
    ({"network": {"mode": True}}, ["'network.mode'", "a string"]),
    ({"workspace": "/tmp"}, ["'workspace'", "an object"]),
])
def test_wrong_types(server, body, words):
    server.post(BOXES, body).error(400, "invalid_argument", *words)


@pytest.mark.parametrize("body,words", [
    ({"nmae": "x"}, ["unknown field 'nmae'", "did you mean 'name'"]),
    ({"resources": {"memory": 1}}, ["unknown field 'resources.memory'"]),
    ({"workspace": {"path": "/tmp", "x": 1}}, ["unknown field 'workspace.x'"]),
])
def test_unknown_fields(server, body, words):
    server.post(BOXES, body).error(400, "invalid_argument", *words)


@pytest.mark.parametrize("resources", [
    {"memory_mb": -1}, {"memory_mb": 0}, {"memory_mb": 1}, {"memory_mb": 2**62}, {"cpus": -1},
    {"cpus": 0}, {"cpus": 1e9}, {"pids": -5}, {"pids": 0}, {"pids": 2**40}])
def test_limits_out_of_range(server, resources):
    field = next(iter(resources))
    server.post(BOXES, {"resources": resources}) \
        .error(400, "invalid_argument", f"resources.{field}", "from")


@pytest.mark.parametrize("timeout", [0, -1, 1e12])
def test_timeouts_out_of_range(server, timeout):
    server.post(BOXES, {"timeout_s": timeout}).error(400, "invalid_argument", "timeout_s", "from")


def test_numbers_that_are_none(server):
    r = server.request("POST", BOXES, b'{"timeout_s": 1e999}', raw=True)
    r.error(400, "invalid_argument")


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "A", "a b", "-a", "a\x00b", "x" * 64,
                                  "caf\u00e9", "a\nb"])
def test_bad_names(server, name):
    server.post(BOXES, {"name": name}).error(400, "invalid_argument")


@pytest.mark.parametrize("body", [
    {"env": {"": "x"}}, {"env": {"A=B": "x"}}, {"env": {"1": "x"}}, {"env": {"A": "x\x00y"}},
    {"env": {f"V{i}": "x" for i in range(501)}}, {"labels": {"": "x"}}, {"labels": {"a b": "x"}},
    {"labels": {"a": "x" * 256}}, {"labels": {f"l{i}": "x" for i in range(65)}}])
def test_bad_environment_and_labels(server, body):
    server.post(BOXES, body).error(400, "invalid_argument")


def test_environment_too_large(server):
    server.post(BOXES, {"env": {"A": "x" * 60000}}).error(413, "too_large", "env")


@pytest.mark.parametrize("body,word", [
    ({"runtime": "docker"}, "docker"), ({"image": "debian:12"}, "image"),
    ({"template": "base"}, "template"), ({"on_timeout": "pause"}, "on_timeout"),
    ({"hostname": "h"}, "hostname"), ({"resources": {"disk_mb": 1}}, "disk_mb"),
    ({"network": {"mode": "filtered"}}, "filtered"),
    ({"network": {"mode": "none", "allow": ["x"]}}, "network.allow"),
    ({"workspace": {"path": "/tmp", "mode": "cow"}}, "cow")])
def test_not_supported(server, body, word):
    server.post(BOXES, body).error(501, "unsupported", word)


def test_a_body_too_large(server):
    """Refused by its declared length, before a byte of it has come; and without one, on the way."""
    c = server.connection()
    c.putrequest("POST", BOXES)
    c.putheader("X-API-Key", server.key)
    c.putheader("Content-Length", str(1 << 40))
    c.endheaders()
    r = c.getresponse()
    assert (r.status, r.headers["Connection"]) == (413, "close")
    assert b"too_large" in r.read()
    c = server.connection()
    c.putrequest("POST", BOXES)
    c.putheader("X-API-Key", server.key)
    c.putheader("Transfer-Encoding", "chunked")
    c.endheaders()
    with pytest.raises(OSError):
        for _ in range(64):
            c.send(b"100000\r\n" + bytes(1 << 20) + b"\r\n")


# ---- workspaces ----

def test_workspace(server, open_folder):
    (open_folder / "in.txt").write_text("from outside\n")
    box = server.create(workspace={"path": str(open_folder)})
    result = server.exec(box, "cat in.txt; echo from inside > out.txt")
    assert (result["exit_code"], result["stdout"]) == (0, "from outside\n"), result
    assert (open_folder / "out.txt").read_text() == "from inside\n"
    assert (open_folder / "out.txt").stat().st_uid == os.stat(open_folder).st_uid


def test_read_only_workspace(server, open_folder):
    (open_folder / "in.txt").write_text("x")
    box = server.create(workspace={"path": str(open_folder), "mode": "ro"})
    result = server.exec(box, "cat in.txt; echo y > in.txt")
    assert result["stdout"] == "x" and result["exit_code"] != 0
    assert (open_folder / "in.txt").read_text() == "x"


@pytest.mark.parametrize("path,word", [
    ("relative/path", "absolute"), ("", "absolute"), ("/tmp/../etc", ".."), ("/a\x00b", None),
    ("/" + "x" * 300, None), ("/x" * 3000, None), ("/no/such/folder", "No such file"),
    ("/etc/hostname", "not a folder")])
def test_bad_workspaces(server, path, word):
    server.post(BOXES, {"workspace": {"path": path}}) \
        .error(400, "invalid_argument", *([word] if word else []))


def test_a_workspace_never_shows_the_state_folder(server):
    for path in ("/", str(server.state), str(server.state.parent),
                 str(server.state / "sandboxes")):
        server.post(BOXES, {"workspace": {"path": path}}) \
            .error(403, "permission_denied", "state folder")


# ---- limits, network ----

def test_limits(server):
    """Every limit is reported with what enforces it, or why nothing does; the kernel kills the
    command, not the sandbox."""
    box = server.create(resources={"memory_mb": 64, "pids": 40, "cpus": 0.5})
    limits = box["isolation"]["limits"]
    assert limits["memory"]["value"] == 64 << 20 and limits["pids"]["value"] == 40
    assert all(limit["enforced_by"] or limit["reason"] for limit in limits.values())
    if not limits["memory"]["enforced_by"].startswith("cgroup"):
        pytest.skip(f"memory is limited by {limits['memory']['enforced_by']} here, not by a cgroup")
    result = server.exec(box, ["python3", "-c", "bytearray(300 << 20)"])
    assert result["oom"] and result["exit_code"] == 137 and result["signal"] == "SIGKILL"
    assert server.exec(box, "echo alive")["stdout"] == "alive\n"


def test_network_modes(server):
    none = server.create(network={"mode": "none"})
    host = server.create(network={"mode": "host"})
    links = "ls /sys/class/net 2>/dev/null || awk -F: 'NR > 2 {print $1}' /proc/net/dev"
    inside = os.readlink("/proc/self/ns/net")
    assert server.exec(host, "readlink /proc/self/ns/net")["stdout"].strip() == inside
    assert server.exec(none, "readlink /proc/self/ns/net")["stdout"].strip() != inside
    assert server.exec(none, links)["stdout"].split() == ["lo"]


# ---- many at once, clients that leave ----

def test_fifty_at_once(server):
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        boxes = list(pool.map(lambda i: server.create(labels={"n": str(i)}), range(50)))
        assert len({b["id"] for b in boxes}) == 50
        codes = list(pool.map(lambda b: server.exec(b, "exit 7")["exit_code"], boxes))
        assert codes == [7] * 50
        gone = list(pool.map(lambda b: server.delete(f"{BOXES}/{b['id']}").status, boxes))
        assert gone == [200] * 50


def wait_for(server, condition):
    """Asks again until it holds. Each question is a round trip to the server, no fixed time."""
    deadline = threading.Event()
    timer = threading.Timer(20, deadline.set)
    timer.start()
    try:
        while not condition():
            assert not deadline.is_set(), "waited for 20 s"
            server.get("/healthz")
    finally:
        timer.cancel()


@pytest.mark.parametrize("body,kept", [({}, False), ({"name": "kept"}, True)])
def test_a_client_that_leaves_while_creating(server, body, kept):
    before = {s["id"] for s in server.sandboxes()}
    creates = server.metric("cay_sandbox_creates_total")
    c = server.connection()
    c.request("POST", BOXES, str(body).replace("'", '"'), {"X-API-Key": server.key})
    c.sock.close()
    c.close()
    wait_for(server, lambda: server.metric("cay_sandbox_creates_total") > creates)
    new = lambda: [s for s in server.sandboxes() if s["id"] not in before]
    if kept:
        wait_for(server, lambda: [s["state"] for s in new()] == ["running"])
    else:
        # It may have been ready before the server saw its client leave: then it is listed.
        wait_for(server, lambda: not [s for s in new() if s["state"] != "running"])


def test_delete_while_creating(server):
    """Whoever waits for the creation is told, whatever comes first."""
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        creations = [pool.submit(server.post, BOXES, {"name": f"hasty-{i}"}) for i in range(8)]
        deletions = [pool.submit(server.delete, f"{BOXES}/hasty-{i}") for i in range(8)]
        for c in creations:
            r = c.result()
            assert r.status in (201, 409), r.body
        for d in deletions:
            assert d.result().status in (200, 404)
    for i in range(8):
        server.delete(f"{BOXES}/hasty-{i}")
