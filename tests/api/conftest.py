# SPDX-License-Identifier: Apache-2.0
"""A real `cay-server serve` on a free port with a state folder of its own, and a plain client."""
import http.client
import json
import os
import select
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

BUILD = Path(os.environ.get("CAY_BUILD", Path(__file__).resolve().parents[2] / "build"))
KEY = "test-key-0123456789"


def grows_at_most(kb, before, after):
    """Memory is only judged in a build without sanitizers, which keep what has been freed."""
    sanitized = b"__asan_init" in (BUILD / "cay-server").read_bytes()
    return sanitized or after - before <= kb


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def error(self, status, code, *words):
        """Checks the one error shape; returns the message."""
        assert self.status == status, self.body
        error = self.json()["error"]
        assert error["code"] == code, error
        assert set(error) <= {"code", "message", "hint", "details"}
        text = error["message"] + " " + error.get("hint", "")
        for word in words:
            assert word in text, text
        return error["message"]


class Server:
    def __init__(self, state, *args, key=KEY, listen="127.0.0.1:0"):
        env = {k: v for k, v in os.environ.items() if k != "CAY_API_KEY"}
        if key is not None:
            env["CAY_API_KEY"] = key
        self.state = Path(state)
        self.key = key
        self.log = []
        self.process = subprocess.Popen(
            [str(BUILD / "cay-server"), "serve", "--listen", listen, "--state", str(state), *args],
            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=env, text=True)
        self.url = self._wait_ready()
        if key is None:
            self.key = (self.state / "api-key").read_text().strip()
        if self.url.startswith("http://"):
            host, port = self.url[len("http://"):].rsplit(":", 1)
            self.address = (host.strip("[]"), int(port))

    def _wait_ready(self):
        for line in self.process.stderr:
            self.log.append(line)
            if line.startswith("cay: listening on "):
                return line.split()[-1]
        raise RuntimeError(f"no server, status {self.process.wait()}: {''.join(self.log)}")

    @property
    def pid(self):
        return self.process.pid

    def connect(self, timeout=60):
        if self.url.startswith("unix:"):
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(timeout)
            s.connect(self.url[len("unix:"):])
            return s
        s = socket.create_connection(self.address, timeout=timeout)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def connection(self, timeout=60):
        c = http.client.HTTPConnection("localhost", timeout=timeout)
        c.sock = self.connect(timeout)
        c.sock.settimeout(timeout)
        c.auto_open = 0
        return c

    def request(self, method, path, body=None, headers=None, key=True, raw=False, timeout=60):
        headers = dict(headers or {})
        if key:
            headers.setdefault("X-API-Key", self.key)
        if body is not None and not raw:
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        c = self.connection(timeout)
        try:
            c.request(method, path, body, headers)
            r = c.getresponse()
            return Response(r.status, r.headers, r.read())
        finally:
            c.close()

    def get(self, path, **kw):
        return self.request("GET", path, **kw)

    def post(self, path, body=None, **kw):
        return self.request("POST", path, body, **kw)

    def delete(self, path, **kw):
        return self.request("DELETE", path, **kw)

    def create(self, **body):
        r = self.post("/v1/sandboxes", body)
        assert r.status == 201, r.body
        return r.json()

    def exec(self, sandbox, command, **more):
        r = self.post(f"/v1/sandboxes/{sandbox['id']}/exec", {"command": command, **more})
        assert r.status == 200, r.body
        return r.json()

    def sandboxes(self, query=""):
        return self.get("/v1/sandboxes" + query).json()["sandboxes"]

    def metric(self, name):
        for line in self.get("/metrics").body.decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        raise KeyError(name)

    def rss_kb(self):
        for line in open(f"/proc/{self.pid}/status"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise RuntimeError("no VmRSS")

    def stop(self, sig=signal.SIGTERM, timeout=30):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        self.log += self.process.communicate(timeout=timeout)[1].splitlines(True)
        return self.process.returncode


@pytest.fixture
def start(tmp_path):
    """Starts servers that end with the test: start(*args, state=..., key=..., listen=...)."""
    servers = []

    def start(*args, state=None, **kw):
        servers.append(Server(state or tmp_path / "state", *args, **kw))
        return servers[-1]

    yield start
    for s in servers:
        s.stop()


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """One server for tests that leave it as it was."""
    server = Server(tmp_path_factory.mktemp("shared") / "state")
    yield server
    assert server.stop() == 0, "".join(server.log)


@pytest.fixture
def server(shared):
    before = {s["id"] for s in shared.sandboxes()}
    yield shared
    assert shared.process.poll() is None, "the server died"
    for s in shared.sandboxes():
        if s["id"] not in before:
            shared.delete(f"/v1/sandboxes/{s['id']}")


@pytest.fixture(scope="session")
def shared_box(shared):
    return shared.create(name="shared")


@pytest.fixture
def box(server, shared_box):
    """A sandbox that many tests use."""
    return shared_box


@pytest.fixture
def open_folder(tmp_path_factory):
    """A folder that the sandbox's unprivileged host id may reach: not below a private one."""
    folder = tmp_path_factory.mktemp("workspace")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


# ---- what is left ----

def descendants(pid):
    """Every process below pid, as pid -> pidfd; the caller closes them."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = open(f"/proc/{entry}/stat").read()
            except OSError:
                continue
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    found, todo = {}, [pid]
    while todo:
        for child in children.get(todo.pop(), []):
            try:
                found[child] = os.pidfd_open(child)
            except OSError:
                continue
            todo.append(child)
    return found


def count_below(pid):
    found = descendants(pid)
    for fd in found.values():
        os.close(fd)
    return len(found)


def wait_gone(pidfds, timeout=20):
    """Waits until all are gone; returns those that are not."""
    left = dict(pidfds)
    poll = select.poll()
    for fd in left.values():
        poll.register(fd, select.POLLIN)
    while left:
        ready = {fd for fd, _ in poll.poll(timeout * 1000)}
        if not ready:
            break
        for pid, fd in list(left.items()):
            if fd in ready:
                poll.unregister(fd)
                os.close(fd)
                del left[pid]
    return list(left)


def cgroups_of(name):
    """Control groups whose name holds an id."""
    found = []
    for folder, names, _ in os.walk("/sys/fs/cgroup"):
        found += [os.path.join(folder, n) for n in names if name in n]
    return found


def mounts():
    return open("/proc/self/mountinfo").read()
