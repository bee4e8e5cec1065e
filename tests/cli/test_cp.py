# SPDX-License-Identifier: Apache-2.0
"""cay cp: files and folders both ways, names as cp(1) has them, and hostile names."""
import json
import os
import socket
import subprocess
import threading

import pytest
from conftest import CAY, TIMEOUT, Cay


@pytest.fixture
def inside(client, box):
    """Runs a shell line in the sandbox, in an empty folder of this test."""
    client("exec", box, "--", "rm", "-rf", "/workspace/t", check=0)
    client("exec", box, "--", "mkdir", "/workspace/t", check=0)

    def run(line):
        return client("exec", "--cwd", "/workspace/t", box, "--", "sh", "-c", line, check=0).out
    return run


def test_a_file_both_ways(client, box, inside, tmp_path):
    data = os.urandom(5 << 20)
    source = tmp_path / "file.bin"
    source.write_bytes(data)
    source.chmod(0o750)
    client("cp", source, f"{box}:t/copy", check=0)
    assert inside("stat -c '%s %a' copy") == f"{len(data)} 750\n"
    client("cp", f"{box}:/workspace/t/copy", tmp_path / "back", check=0)
    assert (tmp_path / "back").read_bytes() == data
    assert (tmp_path / "back").stat().st_mode & 0o777 == 0o750
    assert sorted(os.listdir(tmp_path)) == ["back", "file.bin"]


def test_an_empty_file(client, box, inside, tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    client("cp", tmp_path / "empty", f"{box}:t/empty", check=0)
    assert inside("stat -c %s empty") == "0\n"
    client("cp", f"{box}:t/empty", tmp_path / "back", check=0)
    assert (tmp_path / "back").read_bytes() == b""


def test_names_as_cp_has_them(client, box, inside, tmp_path):
    (tmp_path / "f").write_text("x")
    client("cp", "f", f"{box}:t", cwd=tmp_path, check=0)
    client("cp", "f", f"{box}:t/", cwd=tmp_path, check=0)
    client("cp", tmp_path / "f", f"{box}:t/g", check=0)
    assert inside("ls") == "f\ng\n"
    (tmp_path / "d").mkdir()
    client("cp", f"{box}:t/g", tmp_path / "d", check=0)
    client("cp", f"{box}:t/f", ".", cwd=tmp_path / "d", check=0)
    client("cp", f"{box}:t/f", "h", cwd=tmp_path / "d", check=0)
    assert sorted(os.listdir(tmp_path / "d")) == ["f", "g", "h"]
    odd = "space ü % ? # & +'\"\\"
    (tmp_path / odd).write_text("odd")
    client("cp", tmp_path / odd, f"{box}:t/", check=0)
    client("cp", f"{box}:t/{odd}", tmp_path / "back", check=0)
    assert (tmp_path / "back").read_text() == "odd"


def test_stdin_and_stdout(client, box, inside):
    client("cp", "-", f"{box}:t/piped", stdin="from a pipe", check=0)
    assert inside("cat piped") == "from a pipe"
    assert client("cp", f"{box}:t/piped", "-", check=0).out == "from a pipe"
    client("cp", f"{box}:t/piped", "/dev/null", check=0)
    assert client("cp", "-", f"{box}:t").returncode == 2


def test_a_folder_both_ways(client, box, inside, tmp_path):
    top = tmp_path / "tree"
    (top / "a/b").mkdir(parents=True)
    (top / "empty").mkdir()
    (top / "a/b/deep").write_text("deep")
    (top / "run.sh").write_text("#!/bin/sh\n")
    (top / "run.sh").chmod(0o755)
    (top / "link").symlink_to("/etc/passwd")
    os.mkfifo(top / "fifo")
    done = client("cp", top, f"{box}:t", check=0)
    assert "2 symbolic links or special files" in done.err
    assert inside("cd tree && find . | sort") == \
        ".\n./a\n./a/b\n./a/b/deep\n./empty\n./run.sh\n"
    assert inside("stat -c %a tree/run.sh") == "755\n"
    inside("ln -s /etc tree/escape")
    result = client.json("cp", f"{box}:t/tree", tmp_path / "back")
    assert result == {"files": 2, "bytes": 4 + 10, "skipped": 1}
    found = sorted(str(p.relative_to(tmp_path / "back")) for p in (tmp_path / "back").rglob("*"))
    assert found == ["a", "a/b", "a/b/deep", "empty", "run.sh"]
    # Into a folder that exists, below its own name.
    client("cp", f"{box}:t/tree", tmp_path / "back", check=0)
    assert (tmp_path / "back/tree/a/b/deep").read_text() == "deep"


def test_an_existing_link_is_not_followed_into(client, box, inside, tmp_path):
    """A folder copied over one that has a link in it: the link is replaced or refused."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "out/d").mkdir(parents=True)
    (tmp_path / "out/d/sub").symlink_to(outside)
    (tmp_path / "out/d/file").symlink_to(outside / "target")
    inside("mkdir -p d/sub && echo x > d/sub/x && echo y > d/file")
    done = client("cp", f"{box}:t/d", tmp_path / "out")
    assert done.returncode != 0 and "sub" in done.err
    assert os.listdir(outside) == []


def test_failures_leave_what_was_there(client, box, inside, tmp_path):
    inside("echo old > old")
    done = client("cp", tmp_path / "missing", f"{box}:t/old")
    assert done.returncode == 4 and "missing" in done.err
    assert inside("cat old") == "old\n"
    (tmp_path / "old").write_text("mine")
    done = client("cp", f"{box}:t/nothing", tmp_path / "old")
    assert done.returncode == 4
    assert (tmp_path / "old").read_text() == "mine"
    assert client("cp", tmp_path / "old", f"{box}:/proc/1/nope").returncode != 0
    assert client("cp", f"{box}:t/old", tmp_path / "no/such/folder/f").returncode == 4
    assert client("cp", f"{box}:/dev/null", tmp_path / "device").returncode == 2
    assert sorted(os.listdir(tmp_path)) == ["old"]


def test_a_full_disk_while_copying_out(client, box, inside):
    inside("echo content > f")
    done = client("cp", f"{box}:t/f", "/dev/full")
    assert done.returncode == 1 and "No space left" in done.err


def test_reader_goes_away(client, box, inside):
    inside("head -c 3000000 /dev/zero > zeros")
    with subprocess.Popen([CAY, "cp", f"{box}:t/zeros", "-"], stdout=subprocess.PIPE,
                          env=client.env) as p:
        p.stdout.read(1)
        p.stdout.close()
        assert p.wait(TIMEOUT) == -13


def hostile_server(names):
    """A server that lists a folder with the given names, for one `cay cp`."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(conn):
        while True:
            text = b""
            while b"\r\n\r\n" not in text:
                part = conn.recv(65536)
                if not part:
                    return
                text += part
            if b"/files/stat" in text:
                body = {"type": "directory", "mode": "0755", "size": 0}
            elif b"/files/list" in text:
                body = {"entries": [{"name": n, "type": "file", "mode": "0644", "size": 1}
                                    for n in names]}
            else:
                body = {}
            raw = json.dumps(body).encode()
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                         b"Content-Length: %d\r\n\r\n" % len(raw) + raw)

    def serve():
        while True:
            try:
                conn, _ = listener.accept()
            except OSError:
                return
            with conn:
                answer(conn)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return listener


@pytest.mark.parametrize("name", ["../escaped", "..", ".", "", "/etc/x", "a/b", "x" * 300])
def test_names_out_of_a_sandbox_are_hostile(tmp_path, name):
    listener = hostile_server([name])
    port = listener.getsockname()[1]
    try:
        done = Cay()("cp", "--server", f"http://127.0.0.1:{port}", "x:/d", tmp_path / "out/")
        assert done.returncode == 5, done.err
        assert "bad file name" in done.err
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []
