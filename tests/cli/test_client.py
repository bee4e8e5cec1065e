# SPDX-License-Identifier: Apache-2.0
"""create, ls, show, rm and exec against a real server."""
import hashlib
import json
import os
import signal
import socket
import subprocess
import threading

import pytest
from conftest import CAY, TIMEOUT, Cay, Server


@pytest.fixture
def fresh(client):
    """Makes sandboxes that are gone afterwards."""
    made = []

    def create(*args):
        made.append(client("create", *args, check=0).out.strip())
        return made[-1]
    yield create
    for name in made:
        client("rm", name)


def test_create_list_show_remove(client, fresh):
    box = fresh("--name", "life", "--label", "job=42")
    assert "\n" not in box and box
    row = [line for line in client("ls", check=0).out.splitlines() if line.startswith(box)]
    assert len(row) == 1 and "life" in row[0] and "running" in row[0]
    assert client("ls", "--quiet", check=0).out.split().count("life") == 1
    assert client("ls", "-q", "--label", "job=42", check=0).out == "life\n"
    assert client("ls", "-q", "--label", "job=43", check=0).out == ""
    assert client("ls", "-q", "--in-state", "running", "--label", "job=42", check=0).out \
        == "life\n"
    shown = client("show", "life", check=0).out
    assert "id:" in shown and box in shown and "full" in shown
    assert client.json("show", box)["name"] == "life"
    assert client("rm", "life", check=0).out == ""
    assert client("show", "life").returncode == 4
    assert client("ls", "-q", "--label", "job=42", check=0).out == ""


def test_json_of_create_and_ls(client):
    made = client.json("create", "--timeout", "1h", "--memory", "64m", "--cpus", "1.5",
                       "--pids", "100")
    assert made["state"] == "running" and made["isolation"]["level"] == "full"
    assert made["expires_at"]
    listed = client.json("ls")["sandboxes"]
    assert made["id"] in [s["id"] for s in listed]
    removed = client.json("rm", made["id"])
    assert removed == {"removed": [made["id"]]}


def test_create_refusals(client, fresh):
    fresh("--name", "twice")
    done = client("create", "--name", "twice")
    assert done.returncode == 9 and "twice" in done.err
    assert client("create", "--name", "Not A Name").returncode == 2
    assert client("create", "--in-state", "x").returncode == 2


def test_rm_goes_on_after_a_failure(client, fresh):
    first, second = fresh(), fresh()
    done = client("rm", first, "never-was", second)
    assert done.returncode == 4
    assert "never-was" in done.err
    left = client("ls", "-q", check=0).out.split()
    assert first not in left and second not in left


def test_rm_all(tmp_path, needs_sandbox):
    """On a server of its own, so that the sandboxes of other tests live on."""
    server = Server(tmp_path / "state", CAY_API_KEY="key")
    try:
        client = Cay(CAY_URL=server.url, CAY_API_KEY="key")
        client("create", check=0)
        client("create", check=0)
        client("rm", "--all", check=0)
        assert client("ls", "-q", check=0).out == ""
        client("rm", "--all", check=0)
    finally:
        assert server.stop() == 0


def test_unknown_sandbox(client):
    for args, status in [(["show", "nope"], 4), (["rm", "nope"], 4),
                         (["exec", "nope", "true"], 125), (["cp", "nope:/x", "-"], 4)]:
        done = client(*args)
        assert done.returncode == status, (args, done.err)
        assert "nope" in done.err


def test_the_key(server, client):
    wrong = Cay(CAY_URL=server.url, CAY_API_KEY="wrong")("ls")
    assert wrong.returncode == 5
    assert "CAY_API_KEY" in wrong.err
    by_file = Cay(CAY_URL=server.url)
    by_file("ls", "--state", server.state, check=0)
    missing = Cay(CAY_URL=server.url)("ls", "--state", "/nonexistent")
    assert missing.returncode == 5


def test_the_key_of_the_file_stays_on_this_machine(server):
    """Only loopback addresses and unix sockets get the key that is found in a file."""
    asked = []
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def serve():
        for _ in range(2):
            conn, _ = listener.accept()
            text = b""
            while b"\r\n\r\n" not in text:
                text += conn.recv(65536)
            asked.append(text.decode())
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                         b"Connection: close\r\nContent-Length: 16\r\n\r\n{\"sandboxes\":[]}")
            conn.close()
    thread = threading.Thread(target=serve)
    thread.start()
    key = (server.state / "api-key").read_text().strip()
    plain = Cay()
    plain("ls", "--state", server.state, "--server", f"http://127.0.0.1:{port}", check=0)
    # 0.0.0.0 leads here as well, but is not spelled as loopback.
    plain("ls", "--state", server.state, "--server", f"http://0.0.0.0:{port}", check=0)
    thread.join(TIMEOUT)
    listener.close()
    assert key in asked[0]
    assert key not in asked[1]


# ---- exec ----

@pytest.mark.parametrize("command,status", [
    (["true"], 0),
    (["sh", "-c", "exit 42"], 42),
    (["sh", "-c", "kill -KILL $$"], 137),
    (["no-such-command-anywhere"], 127),
    (["/etc/passwd"], 126),
])
def test_exec_statuses(client, box, command, status):
    assert client("exec", box, "--", *command).returncode == status


def test_exec_streams_apart_and_raw(client, box):
    done = client("exec", box, "--", "sh", "-c",
                  r"printf 'a\033[31m\377\000b'; printf err >&2; exit 3")
    assert done.returncode == 3
    assert done.stdout == b"a\x1b[31m\xff\x00b"
    assert done.stderr == b"err"


def test_exec_stdin(client, box):
    assert client("exec", box, "cat", stdin="x", check=0).out == ""
    data = os.urandom(3 << 20)
    done = client("exec", "-i", box, "--", "sha256sum", stdin=data, check=0)
    assert done.out.split()[0] == hashlib.sha256(data).hexdigest()
    assert client("exec", "-i", box, "head", "-c", "3", stdin="abcdef" * 100000,
                  check=0).out == "abc"


def test_exec_stdin_from_a_file(client, box, tmp_path):
    (tmp_path / "in").write_bytes(b"line\n" * 100000)
    with open(tmp_path / "in") as f:
        done = subprocess.run([CAY, "exec", "-i", box, "wc", "-l"], stdin=f, timeout=TIMEOUT,
                              capture_output=True, env=client.env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == b"100000"


def test_exec_output_arrives_while_it_runs(client, box):
    with subprocess.Popen([CAY, "exec", "-i", box, "--", "cat"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, env=client.env) as p:
        for word in (b"one\n", b"two\n"):
            p.stdin.write(word)
            p.stdin.flush()
            assert p.stdout.readline() == word
        p.stdin.close()
        assert p.wait(TIMEOUT) == 0


def test_exec_options(client, box):
    out = client("exec", "-e", "A=1", "--cwd", "/usr", box, "--", "sh", "-c", "echo $A; pwd",
                 check=0).out
    assert out == "1\n/usr\n"
    assert client("exec", box, "-e", "A=2", "sh", "-c", "echo $A", check=0).out == "2\n"
    assert client("exec", box, "echo", "-e", "--", "x", check=0).out != ""
    done = client("exec", "--timeout", "300ms", box, "sleep", "50")
    assert done.returncode == 124


def test_exec_json(client, box):
    result = json.loads(client("exec", "--json", box, "--", "sh", "-c",
                               "echo out; echo err >&2; exit 4").out)
    assert result["exit_code"] == 4
    assert result["stdout"] == "out\n" and result["stderr"] == "err\n"
    done = client("exec", "--json", box, "no-such-command-anywhere")
    assert done.returncode == 127
    assert json.loads(done.err)["error"]["code"] == "command_not_found"


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_exec_hands_signals_on(client, box, sig):
    name = sig.name[3:]
    script = f"trap 'echo got; exit 9' {name}; echo ready; while :; do read -t 1 x; done"
    with subprocess.Popen([CAY, "exec", "-i", box, "--", "bash", "-c", script],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=client.env) as p:
        assert p.stdout.readline() == b"ready\n"
        p.send_signal(sig)
        assert p.stdout.readline() == b"got\n"
        assert p.wait(TIMEOUT) == 9


def test_exec_reader_goes_away(client, box):
    with subprocess.Popen([CAY, "exec", box, "--", "yes"], stdout=subprocess.PIPE,
                          env=client.env) as p:
        p.stdout.read(10)
        p.stdout.close()
        assert p.wait(TIMEOUT) == -signal.SIGPIPE
    assert client("exec", box, "--", "sh", "-c", "pgrep -x yes || echo none",
                  check=0).out == "none\n"


@pytest.mark.slow
def test_exec_loses_no_output_however_slow_the_reader(client, box):
    """The process waits rather than that the server's bounded memory of its output overflows."""
    with subprocess.Popen([CAY, "exec", box, "--", "sh", "-c",
                           "seq 1 3000000; seq 1 1000 >&2"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=client.env) as p:
        out = b"".join(iter(lambda: p.stdout.read(1 << 16), b""))
        err = p.stderr.read()
        assert p.wait(TIMEOUT) == 0
    assert out == b"".join(b"%d\n" % i for i in range(1, 3000001))
    assert err.count(b"\n") == 1000


def test_exec_leaves_no_process_behind(client, box):
    client("exec", box, "true", check=0)
    assert client("exec", box, "--", "sh", "-c", "pgrep -x sleep || echo none",
                  check=0).out == "none\n"
