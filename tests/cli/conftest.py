# SPDX-License-Identifier: Apache-2.0
"""The command line as people use it: real programs, a real server, real sandboxes."""
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("CAY_BUILD", TOP / "build"))
CAY = BUILD / "cay"
TIMEOUT = 60


def clean_env(**more):
    """Our environment without what steers cay."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("CAY_") and k != "NO_COLOR"}
    env.update(more)
    return env


class Cay:
    """Runs `cay ARGS`; the server of the fixture is found through the environment."""

    def __init__(self, **env):
        self.env = clean_env(**env)

    def __call__(self, *args, stdin=b"", check=None, env=None, **kwargs):
        if isinstance(stdin, str):
            stdin = stdin.encode()
        if "stdout" not in kwargs:
            kwargs["stdout"] = subprocess.PIPE
        done = subprocess.run([CAY, *map(str, args)], input=stdin, stderr=subprocess.PIPE,
                              env={**self.env, **(env or {})}, timeout=TIMEOUT, **kwargs)
        done.out = (done.stdout or b"").decode(errors="replace")
        done.err = done.stderr.decode(errors="replace")
        if check is not None:
            assert done.returncode == check, (args, done.returncode, done.out, done.err)
        return done

    def json(self, *args, **kwargs):
        return json.loads(self(*args, "--json", check=0, **kwargs).out)


class Server:
    """`cay serve` on a free port with a state folder of its own."""

    def __init__(self, state, *args, **env):
        self.state = state
        self.process = subprocess.Popen(
            [CAY, "serve", "--listen", "127.0.0.1:0", "--state", state, *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env=clean_env(**env))
        self.log = []
        for line in self.process.stderr:
            self.log.append(line.decode(errors="replace"))
            found = re.search(r"listening on (http://127\.0\.0\.1:\d+)", self.log[-1])
            if found:
                self.url = found.group(1)
                return
        raise AssertionError("the server did not start: " + "".join(self.log))

    def stop(self):
        self.process.terminate()
        status = self.process.wait(TIMEOUT)
        self.process.stderr.close()
        return status


@pytest.fixture
def cay():
    return Cay()


def sandboxes_work():
    """Why this machine cannot make sandboxes, or None."""
    done = Cay()("run", "--", "/bin/true")
    return None if done.returncode == 0 else done.err.strip()


@pytest.fixture(scope="session")
def needs_sandbox():
    reason = sandboxes_work()
    if reason:
        pytest.skip("no sandbox here: " + reason)


@pytest.fixture(scope="session")
def server(tmp_path_factory, needs_sandbox):
    s = Server(tmp_path_factory.mktemp("state"))
    yield s
    assert s.stop() == 0


@pytest.fixture(scope="session")
def client(server):
    """cay with the server of this session."""
    return Cay(CAY_URL=server.url, CAY_API_KEY=(server.state / "api-key").read_text().strip())


@pytest.fixture(scope="session")
def box(client):
    """A sandbox that many tests share."""
    name = "shared"
    client("create", "--name", name, check=0)
    yield name
    client("rm", name, check=0)
