# SPDX-License-Identifier: Apache-2.0
"""Routes about the server itself, and that the documents name every route."""
import json
import re
from pathlib import Path

from conftest import grows_at_most

TOP = Path(__file__).resolve().parents[2]


def routes():
    """(method, pattern) of every row in the tables of src/api."""
    found = []
    for file in (TOP / "src" / "api").glob("*.c"):
        text = file.read_text()
        prefix = re.search(r'#define S +"([^"]+)"', text)
        for method, s, pattern in re.findall(r'\{"([A-Z*]+)", (S )?"([^"]+)", \w+,', text):
            found.append((method, (prefix.group(1) if s else "") + pattern))
    return found


def test_openapi_has_every_route(server):
    doc = server.get("/openapi.json", key=False).json()
    assert doc["openapi"].startswith("3.")
    assert len(routes()) >= 28
    for method, pattern in routes():
        path = doc["paths"][pattern.replace("{rest*}", "{rest}")]
        wanted = ["get", "post", "put", "delete"] if method == "*" else [method.lower()]
        for m in wanted:
            assert path[m]["summary"], (method, pattern)
    assert "/v1/sandboxes/{id}/exec" in doc["paths"]


def test_healthz(server):
    r = server.get("/healthz", key=False)
    assert r.json()["status"] == "ok"
    assert server.request("HEAD", "/healthz", key=False).body == b""


def test_runtimes(server):
    local, = server.get("/v1/runtimes").json()["runtimes"]
    assert local["name"] == "local" and local["default"]
    assert local["configured"] and local["healthy"] and local["latency_ms"] >= 0
    assert {"workspace", "limits", "network_none", "network_host"} == set(local["capabilities"])


def test_metrics(server):
    def metrics():
        r = server.get("/metrics")
        assert r.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        values = {}
        for line in r.body.decode().splitlines():
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                values[name] = float(value)
        return values

    before = metrics()
    box = server.create()
    assert metrics()['cay_sandboxes{state="running"}'] == before['cay_sandboxes{state="running"}'] + 1
    server.delete(f"/v1/sandboxes/{box['id']}")
    server.post("/v1/sandboxes", {"workspace": {"path": "/"}})
    after = metrics()
    assert after["cay_sandbox_creates_total"] == before["cay_sandbox_creates_total"] + 2
    assert after["cay_sandbox_create_failures_total"] == \
        before["cay_sandbox_create_failures_total"] + 1
    assert after["cay_sandbox_create_seconds_count"] == before["cay_sandbox_create_seconds_count"] + 1
    assert after["cay_sandbox_create_seconds_sum"] > before["cay_sandbox_create_seconds_sum"]
    assert after['cay_sandbox_ends_total{reason="killed"}'] == \
        before['cay_sandbox_ends_total{reason="killed"}'] + 1
    assert after['cay_http_requests_total{status="201"}'] == \
        before.get('cay_http_requests_total{status="201"}', 0) + 1
    assert after["process_resident_memory_bytes"] > 1 << 20


def test_json_logs(start):
    server = start("--log-format", "json", "--log-level", "debug")
    server.get("/v1/sandboxes")
    assert server.stop() == 0
    lines = [json.loads(line) for line in server.log if not line.startswith("cay: ")]
    assert any("GET /v1/sandboxes" in line["message"] for line in lines)


def test_idle_memory(start):
    """At most 10 MB resident when nothing is going on."""
    server = start()
    server.delete("/v1/sandboxes/" + server.create()["id"])
    assert grows_at_most(10 * 1024, 0, server.rss_kb())
