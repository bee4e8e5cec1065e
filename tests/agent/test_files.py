# SPDX-License-Identifier: Apache-2.0
"""/v1/files."""
import os
import socket
from pathlib import Path
from urllib.parse import quote

import pytest

from conftest import sanitized, wait_until


@pytest.fixture
def folder(agent, tmp_path):
    return tmp_path


def at(path, **query):
    extra = "".join(f"&{k}={v}" for k, v in query.items())
    return f"/v1/files?path={quote(str(path))}{extra}"


def put(agent, path, data, **query):
    return agent.request("PUT", at(path, **query), data)


def test_round_trip(agent, folder):
    data = bytes(range(256)) * 100
    r = put(agent, folder / "new", data)
    assert r.status == 201
    assert r.json() == {"path": str(folder / "new"), "size": len(data)}
    assert (folder / "new").stat().st_mode & 0o7777 == 0o644
    r = agent.get(at(folder / "new"))
    assert r.status == 200 and r.body == data
    assert r.headers["content-type"] == "application/octet-stream"
    assert r.headers["last-modified"].endswith(" GMT")
    assert put(agent, folder / "new", b"").status == 200
    assert agent.get(at(folder / "new")).body == b""


def test_names_of_all_kinds(agent, folder):
    for name in ("with space", "ünïcode", "a&b=c?d#e%20", "-", ".hidden", "x" * 255):
        assert put(agent, folder / name, name.encode()).status == 201
        assert agent.get(at(folder / name)).body == name.encode()


def test_mode(agent, folder):
    put(agent, folder / "x", b"1", mode="0755")
    assert (folder / "x").stat().st_mode & 0o7777 == 0o755
    put(agent, folder / "x", b"2")
    assert (folder / "x").stat().st_mode & 0o7777 == 0o755
    put(agent, folder / "x", b"2", mode="600")
    assert (folder / "x").stat().st_mode & 0o7777 == 0o600
    for bad in ("8", "rw", "77777", ""):
        put(agent, folder / "x", b"3", mode=bad).error(400, "invalid_argument", "octal")


def test_range(agent, folder):
    (folder / "f").write_bytes(b"0123456789")
    r = agent.get(at(folder / "f"), headers={"Range": "bytes=2-4"})
    assert r.status == 206 and r.body == b"234"
    assert agent.get(at(folder / "f"), headers={"Range": "bytes=50-"}).status == 416


def test_parents(agent, folder):
    put(agent, folder / "a/b/c", b"x").error(404, "not_found", "mkdirs")
    assert put(agent, folder / "a/b/c", b"x", mkdirs=1).status == 201
    assert (folder / "a/b/c").read_bytes() == b"x"


def test_a_link_is_written_through(agent, folder):
    (folder / "link").symlink_to("target")
    assert put(agent, folder / "link", b"x").status == 201
    assert (folder / "link").is_symlink() and (folder / "target").read_bytes() == b"x"


def test_a_reader_sees_old_or_new(agent, folder):
    """An upload that is cut off leaves the old content and nothing beside it."""
    put(agent, folder / "f", b"old")
    s = agent.raw()
    s.sendall(f"PUT {at(folder / 'f')} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nnew"
              .encode())
    wait_until(lambda: len(list(folder.iterdir())) == 2)
    assert (folder / "f").read_bytes() == b"old"
    s.close()
    wait_until(lambda: len(list(folder.iterdir())) == 1)
    assert (folder / "f").read_bytes() == b"old"


def test_a_malformed_upload_leaves_nothing(agent, folder):
    s = agent.raw()
    s.sendall(f"PUT {at(folder / 'f')} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
              "3\r\nabc\r\nnonsense\r\n".encode())
    assert b" 400 " in s.recv(1000)
    s.close()
    wait_until(lambda: not list(folder.iterdir()))


def test_large_both_ways(agent, folder):
    block = os.urandom(1 << 20)
    before = agent.memory_kb()
    c = agent.other()
    c.request("PUT", at(folder / "big"), iter([block] * 64),
              {"Content-Length": str(64 << 20)})
    assert c.getresponse().read() and (folder / "big").stat().st_size == 64 << 20
    c.request("GET", at(folder / "big"))
    r = c.getresponse()
    for _ in range(64):
        assert r.read(1 << 20) == block
    c.close()
    assert sanitized() or agent.memory_kb() - before < 4096


def test_what_is_no_regular_file_does_not_block(agent, folder):
    os.mkfifo(folder / "fifo")
    listener = socket.socket(socket.AF_UNIX)
    os.chdir(folder)
    listener.bind("sock")
    for path, word in ((folder / "fifo", "fifo"), (folder / "sock", "socket"),
                       ("/dev/zero", "char"), (folder, "folder")):
        agent.get(at(path)).error(400, "invalid_argument", word)
        put(agent, path, b"x").error(400, "invalid_argument")
    listener.close()


def test_paths_that_are_refused(agent):
    for path, word in (("relative", "absolute"), ("/a/../b", ".."), ("/..", ".."),
                       ("/" + "x" * 256, "256"), ("/x" * 3000, "6000"), ("", "absolute")):
        for method, route in (("GET", "/v1/files"), ("PUT", "/v1/files"),
                              ("DELETE", "/v1/files"), ("GET", "/v1/files/stat"),
                              ("GET", "/v1/files/list")):
            agent.request(method, f"{route}?path={quote(path)}", b"" if method == "PUT" else None) \
                .error(400, "invalid_argument", word)
    agent.get("/v1/files?path=/a%00b").error(400, "invalid_argument")
    agent.get("/v1/files").error(400, "invalid_argument", "path")
    agent.get(at("/proc/self/exe")).error(400, "invalid_argument")
    agent.get(at("/no/such/file")).error(404, "not_found")


def test_permissions_are_the_sandboxs_users(agent, folder):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    agent.get(at("/etc/shadow")).error(403, "permission_denied")
    put(agent, "/etc/new", b"x").error(403, "permission_denied")


def test_stat(agent, folder):
    (folder / "f").write_bytes(b"12345")
    (folder / "f").chmod(0o640)
    (folder / "l").symlink_to("f")
    os.mkfifo(folder / "p")

    def stat(name):
        return agent.get(f"/v1/files/stat?path={folder / name}").json()
    s = stat("f")
    assert s["type"] == "file" and s["size"] == 5 and s["mode"] == "0640"
    assert s["uid"] == os.geteuid() and s["path"] == str(folder / "f") and "target" not in s
    assert s["mtime"].endswith("Z")
    assert stat("l")["type"] == "symlink" and stat("l")["target"] == "f"
    assert stat("p")["type"] == "fifo" and stat("")["type"] == "directory"
    assert agent.get("/v1/files/stat?path=/dev/null").json()["type"] == "char"
    agent.get(f"/v1/files/stat?path={folder}/none").error(404, "not_found")


def test_list(agent, folder):
    (folder / "b").mkdir()
    (folder / "b" / "deep").mkdir()
    (folder / "b" / "deep" / "file").write_text("")
    (folder / "a").write_text("text")
    (folder / "c").symlink_to("/")
    path = f"/v1/files/list?path={folder}"
    names = [e["name"] for e in agent.get(path).json()["entries"]]
    assert names == ["a", "b", "c"]
    entries = agent.get(path + "&depth=3").json()["entries"]
    assert [e["name"] for e in entries] == ["a", "b", "b/deep", "b/deep/file", "c"]
    assert [e["type"] for e in entries] == ["file", "directory", "directory", "file", "symlink"]
    assert entries[0]["size"] == 4 and entries[0]["mode"] == "0644"
    agent.get(path + "&depth=0").error(400, "invalid_argument", "depth")
    agent.get(path + "&depth=17").error(400, "invalid_argument", "depth")
    agent.get(f"/v1/files/list?path={folder}/a").error(400, "invalid_argument", "not a folder")


@pytest.mark.slow
def test_a_list_is_cut_and_says_so(agent, folder):
    for i in range(10001):
        (folder / str(i)).touch()
    r = agent.get(f"/v1/files/list?path={folder}").json()
    assert len(r["entries"]) == 10000 and r["truncated"] is True


def test_a_name_that_is_not_utf8(agent, folder):
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).touch()
    assert agent.get(f"/v1/files/list?path={folder}").json()["entries"][0]["name"] == "\ufffd"


def test_mkdir(agent, folder):
    def mkdir(**body):
        return agent.post("/v1/files/mkdir", body)
    assert mkdir(path=str(folder / "x/y")).status == 201
    assert mkdir(path=str(folder / "x/y")).status == 201
    mkdir(path=str(folder / "x"), parents=False).error(409, "conflict")
    mkdir(path=str(folder / "n/m"), parents=False).error(404, "not_found")
    assert mkdir(path=str(folder / "z"), parents=False, mode="0700").status == 201
    assert (folder / "z").stat().st_mode & 0o7777 == 0o700
    mkdir(path="rel").error(400, "invalid_argument")
    mkdir().error(400, "invalid_argument", "path")


def test_move(agent, folder):
    def move(**body):
        return agent.post("/v1/files/move", body)
    (folder / "a").write_text("a")
    (folder / "b").write_text("b")
    move(**{"from": str(folder / "a"), "to": str(folder / "b")}).error(409, "conflict",
                                                                         "overwrite")
    assert move(**{"from": str(folder / "a"), "to": str(folder / "c")}).json() == {}
    assert move(**{"from": str(folder / "c"), "to": str(folder / "b"),
                   "overwrite": True}).status == 200
    assert (folder / "b").read_text() == "a"
    move(**{"from": str(folder / "none"), "to": str(folder / "x")}).error(404, "not_found")
    move(**{"from": str(folder / "b"), "to": "../x"}).error(400, "invalid_argument")


def test_remove(agent, folder):
    (folder / "d").mkdir()
    (folder / "d" / "f").write_text("")
    (folder / "l").symlink_to("d")
    assert agent.request("DELETE", at(folder / "l")).status == 200
    assert (folder / "d" / "f").exists()
    agent.request("DELETE", at(folder / "d")).error(409, "conflict", "recursive")
    assert agent.request("DELETE", at(folder / "d", recursive=1)).json() == {}
    agent.request("DELETE", at(folder / "d")).error(404, "not_found")
    agent.request("DELETE", at("/", recursive=1)).error(400, "invalid_argument")
