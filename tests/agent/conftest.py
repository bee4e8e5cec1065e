# SPDX-License-Identifier: Apache-2.0
"""A real cay-agent, run bare on a unix socket, and a plain client for it."""
import http.client
import importlib.util
import json
import os
import select
import signal
import socket
import subprocess
from pathlib import Path

import pytest

BUILD = Path(os.environ.get("CAY_BUILD", Path(__file__).resolve().parents[2] / "build"))
AGENT = BUILD / "cay-agent"
SOFT_TIMEOUT_S = 1    # NO_CHANGE_TIMEOUT_SECONDS of the agents here


def _load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


WebSocket = _load(Path(__file__).resolve().parents[1] / "api" / "websocket.py").WebSocket


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=60):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def error(self, status, code, *words):
        assert self.status == status, self.body
        error = self.json()["error"]
        assert error["code"] == code, error
        text = error["message"] + " " + error.get("hint", "")
        for word in words:
            assert word in text, text


class Agent:
    def __init__(self, folder, *args, env=None, config=None, sock=None):
        self.folder = Path(folder)
        self.work = self.folder / "work"
        self.home = self.folder / "home"
        self.home.mkdir(parents=True, exist_ok=True)
        self.socket = str(sock or self.folder / "agent.sock")
        file = self.folder / "config.json"
        file.write_text(json.dumps({"home": str(self.home), "username": "tester",
                                    **(config or {})}))
        environment = {"PATH": "/usr/bin:/bin", "NO_CHANGE_TIMEOUT_SECONDS": str(SOFT_TIMEOUT_S),
                       **{k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")},
                       **(env or {})}
        self.log = open(self.folder / "log", "w+b")
        self.process = subprocess.Popen(
            [str(AGENT), "--listen", "unix:" + self.socket, "--working-dir", str(self.work),
             "--config", str(file), *args],
            stdin=subprocess.DEVNULL, stderr=self.log, env=environment)
        self.wait_ready()
        self.connection = UnixConnection(self.socket)

    def wait_ready(self):
        while True:
            assert self.process.poll() is None, self.messages()
            try:
                self.raw().close()
                return
            except OSError:
                select.select([], [], [], 0.005)

    def messages(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def raw(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(60)
        try:
            s.connect(self.socket)
        except OSError:
            s.close()
            raise
        return s

    def request(self, method, path, body=None, headers=None, connection=None):
        c = connection or self.connection
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        c.request(method, path, body, headers)
        r = c.getresponse()
        return Response(r.status, r.headers, r.read())

    def get(self, path, **kw):
        return self.request("GET", path, **kw)

    def post(self, path, body=None, **kw):
        return self.request("POST", path, body, **kw)

    def exec(self, command, **fields):
        r = self.post("/v1/exec", {"command": command, **fields})
        assert r.status == 200, r.body
        return r.json()

    def start(self, command, **fields):
        r = self.post("/v1/processes", {"command": command, **fields})
        assert r.status == 201, r.body
        return r.json()["pid"]

    def action(self, kind, timeout=None, connection=None, **args):
        event = {"action": kind, "args": args}
        if timeout is not None:
            event["timeout"] = timeout
        r = self.post("/execute_action", {"action": event}, connection=connection)
        assert r.status == 200, r.body
        return r.json()

    def run(self, command, **kw):
        return self.action("run", command=command, **kw)

    def other(self):
        return UnixConnection(self.socket)

    def websocket(self, path):
        return WebSocket(self.raw(), path)

    def children(self):
        """Pids of the agent's children, zombies too."""
        out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)],
                             capture_output=True, text=True).stdout
        return [int(p) for p in out.split()]

    def memory_kb(self):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")

    def stop(self):
        self.connection.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(30)
        messages = self.messages()
        self.log.close()
        assert status == 0, messages
        assert not messages, messages


def sanitized():
    return b"__asan_init" in AGENT.read_bytes()


def wait_until(condition, seconds=20):
    """For what shows itself only by looking: processes, files of others."""
    end = signal_time() + seconds
    while not condition():
        assert signal_time() < end, "it did not happen"
        select.select([], [], [], 0.01)


def signal_time():
    return os.times().elapsed


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # the latter: it ended while it was read
        return False


@pytest.fixture(scope="module")
def agent(tmp_path_factory):
    a = Agent(tmp_path_factory.mktemp("agent"))
    yield a
    a.stop()


@pytest.fixture
def fresh(tmp_path):
    """An agent of one test's own."""
    a = Agent(tmp_path)
    yield a
    a.stop()


@pytest.fixture
def start_agent(tmp_path):
    started = []

    def start(*args, **kw):
        a = Agent(tmp_path / str(len(started)), *args, **kw)
        started.append(a)
        return a
    yield start
    for a in started:
        a.stop()
