# SPDX-License-Identifier: Apache-2.0
"""A real server on a free port, with its own state folder, and a client that hides nothing."""
import http.client
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("CAY_BUILD", TOP / "build"))
KEY = "key-of-the-tests"


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        """The one error shape, checked."""
        assert self.status >= 400, self.body
        error = self.json["error"]
        assert set(error) <= {"code", "message", "hint", "details"}
        assert error["message"] and isinstance(error["message"], str)
        return error


class Server:
    def __init__(self, folder):
        self.state = folder / "state"
        self.log = folder / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [BUILD / "cay", "serve", "--listen", "127.0.0.1:0", "--state", self.state],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.PIPE,
                env={**os.environ, "CAY_API_KEY": KEY})
        for line in self.process.stderr:
            if line.startswith(b"cay: listening on http://127.0.0.1:"):
                self.port = int(line.rsplit(b":", 1)[1])
                break
        else:
            raise AssertionError("the server did not start")
        # The rest of the log flows into a file, so that the server never waits for a reader.
        self.drain = subprocess.Popen(["cat"], stdin=self.process.stderr,
                                      stdout=open(self.log, "wb"))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            assert self.process.wait(20) == 0
        finally:
            self.process.kill()
            self.process.wait()
            self.drain.wait(20)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def request(self, method, path, body=None, headers=None):
        """body: bytes as they are, anything else as JSON."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"X-API-Key": KEY, **(headers or {})}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        try:
            c.request(method, path, body, headers)
            r = c.getresponse()
            return Answer(r.status, r.headers, r.read())
        finally:
            c.close()

    def create(self, **spec):
        a = self.request("POST", "/v1/sandboxes", spec)
        assert a.status == 201, a.body
        return a.json


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    s = Server(tmp_path_factory.mktemp("server"))
    yield s
    s.stop()


@pytest.fixture(scope="session")
def sandbox(server):
    box = server.create(name="steady")
    yield box
    server.request("DELETE", f"/v1/sandboxes/{box['id']}")


@pytest.fixture
def cay(tmp_path):
    def run(*args, **options):
        return subprocess.run([BUILD / "cay", *args], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, cwd=tmp_path, **options)
    return run
