# SPDX-License-Identifier: Apache-2.0
"""The actions "read" and "write"."""
import base64
import os

import pytest


def error(r, text):
    assert r == {"observation": "error", "content": text, "message": text,
                 "extras": {"error_id": ""}}


def read(agent, path, **kw):
    return agent.action("read", path=str(path), **kw)


def write(agent, path, content, **kw):
    return agent.action("write", path=str(path), content=content, **kw)


def test_the_whole_answers(agent, tmp_path):
    p = tmp_path / "f"
    assert write(agent, p, "a\nb") == {
        "observation": "write", "content": "", "extras": {"path": str(p)},
        "message": f"I wrote to the file {p}."}
    assert read(agent, p, start=0, end=-1, thought="", security_risk=-1, impl_source="default",
                view_range=None) == {
        "observation": "read", "content": "a\nb\n",
        "extras": {"path": str(p), "impl_source": "default"},
        "message": f"I read the file {p}."}


def test_each_line_gets_a_newline(agent, tmp_path):
    p = tmp_path / "f"
    for content, stored in (("a", "a\n"), ("a\n", "a\n\n"), ("", "\n"), ("ü\n中", "ü\n中\n")):
        write(agent, p, content)
        assert p.read_text() == stored


def test_modes(agent, tmp_path):
    write(agent, tmp_path / "new", "x")
    assert (tmp_path / "new").stat().st_mode & 0o7777 == 0o664
    (tmp_path / "new").chmod(0o640)
    write(agent, tmp_path / "new", "y")
    assert (tmp_path / "new").stat().st_mode & 0o7777 == 0o640
    write(agent, tmp_path / "a/b/c", "deep")
    assert (tmp_path / "a/b/c").read_text() == "deep\n"


@pytest.mark.parametrize("start, end, result", [
    (0, -1, "NEW\n"), (1, -1, "1\nNEW\n"), (1, 2, "1\nNEW\n3\n4\n"), (0, 1, "NEW\n2\n3\n4\n"),
    (4, -1, "1\n2\n3\n4\nNEW\n"), (2, 2, "1\n2\nNEW\n3\n4\n"), (9, 9, "1\n2\n3\n4\nNEW\n"),
    (-1, -1, "1\n2\n3\nNEW\n"), (1, -2, "1\nNEW\n3\n4\n"),
])
def test_writing_a_range(agent, tmp_path, start, end, result):
    p = tmp_path / "f"
    p.write_text("1\n2\n3\n4\n")
    write(agent, p, "NEW", start=start, end=end)
    assert p.read_text() == result


@pytest.mark.parametrize("start, end, result", [
    (0, -1, "1\n2\n3\n4\n"), (2, -1, "3\n4\n"), (1, 3, "2\n3\n"), (0, 1, "1\n"), (-5, 2, "1\n2\n"),
    (2, 100, "3\n4\n"), (3, 3, "3\n"), (50, -1, ""), (1, 1, "2\n"), (0, -7, "1\n"),
])
def test_reading_a_range(agent, tmp_path, start, end, result):
    p = tmp_path / "f"
    p.write_text("1\n2\n3\n4\n")
    assert read(agent, p, start=start, end=end)["content"] == result


def test_paths_are_relative_to_the_shell(fresh, tmp_path):
    (tmp_path / "sub").mkdir()
    fresh.run(f"cd {tmp_path}/sub")
    r = write(fresh, "./x//y", "1")
    assert r["extras"]["path"] == f"{tmp_path}/sub/x/y"
    r = read(fresh, "../sub/x/y")
    assert r["extras"]["path"] == f"{tmp_path}/sub/../sub/x/y" and r["content"] == "1\n"
    error(read(fresh, "none"),
          f"File not found: {tmp_path}/sub/none. Your current working directory is {tmp_path}/sub.")
    fresh.run("cd /")
    assert read(fresh, tmp_path / "sub/x/y")["content"] == "1\n"


def test_before_there_is_a_shell(start_agent):
    a = start_agent()
    write(a, "x", "1")
    assert (a.work / "x").read_text() == "1\n" and not a.children()


def test_newlines_are_unified(agent, tmp_path):
    p = tmp_path / "f"
    p.write_bytes(b"a\r\nb\rc\n")
    assert read(agent, p)["content"] == "a\nb\nc\n"
    write(agent, p, "X", start=1, end=2)
    assert p.read_bytes() == b"a\nX\nc\n"


def test_errors_of_reading(agent, tmp_path):
    error(read(agent, tmp_path), f"Path is a directory: {tmp_path}. You can only read files")
    (tmp_path / "latin").write_bytes(b"caf\xe9 " * 300)
    error(read(agent, tmp_path / "latin"),
          f"File could not be decoded as utf-8: {tmp_path}/latin.")
    for data in (b"\x00text", b"text\xff", bytes(range(256))):
        (tmp_path / "bin").write_bytes(data)
        error(read(agent, tmp_path / "bin"), "ERROR_BINARY_FILE")
    (tmp_path / "text").write_text("中文" * 1000)
    assert read(agent, tmp_path / "text")["content"] == "中文" * 1000
    (tmp_path / "empty").write_text("")
    assert read(agent, tmp_path / "empty")["content"] == ""
    os.mkfifo(tmp_path / "fifo")
    error(read(agent, tmp_path / "fifo"),
          f"Path is not a regular file: {tmp_path}/fifo. You can only read files")
    error(write(agent, tmp_path / "fifo", "x"),
          f"Path is not a regular file: {tmp_path}/fifo. You can only write to files")


def test_errors_of_writing(agent, tmp_path):
    error(write(agent, tmp_path, "x"),
          f"Path is a directory: {tmp_path}. You can only write to files")
    (tmp_path / "latin").write_bytes(b"caf\xe9\n")
    error(write(agent, tmp_path / "latin", "x"),
          f"File could not be decoded as utf-8: {tmp_path}/latin")
    assert (tmp_path / "latin").read_bytes() == b"caf\xe9\n"


def test_errors_that_the_original_does_not_catch(agent, tmp_path):
    (tmp_path / "file").write_text("")

    def internal(kind, **args):
        r = agent.post("/execute_action", {"action": {"action": kind, "args": args}})
        assert r.status == 500
        return r.json()["detail"]
    path = f"{tmp_path}/file/below"
    assert internal("read", path=path) == \
        f"Internal server error: [Errno 20] Not a directory: '{path}'"
    assert internal("write", path=path, content="x").startswith(
        "Internal server error: [Errno 20] Not a directory")
    if os.geteuid() != 0:
        assert internal("read", path="/etc/shadow") == \
            "Internal server error: [Errno 13] Permission denied: '/etc/shadow'"


@pytest.mark.parametrize("name, mime", [
    ("x.png", "image/png"), ("x.JPG", "image/jpeg"), ("x.jpeg", "image/jpeg"),
    ("x.gif", "image/gif"), ("x.bmp", "image/bmp"), ("x.pdf", "application/pdf"),
    ("x.mp4", "video/mp4"), ("x.webm", "video/webm"),
])
def test_media_are_data_urls(fresh, name, mime):
    data = bytes(range(256)) * 3
    (fresh.work / name).write_bytes(data)
    r = read(fresh, name)
    assert r["content"] == f"data:{mime};base64," + base64.b64encode(data).decode()
    # By its absolute path the original finds that it is binary first.
    error(read(fresh, fresh.work / name), "ERROR_BINARY_FILE")


# ---- the editor's view ----

def view(agent, path, view_range=None):
    r = agent.action("read", path=str(path), impl_source="oh_aci", view_range=view_range)
    assert r["observation"] == "read"
    assert r["extras"] == {"path": str(path), "impl_source": "oh_aci"}
    return r["content"]


def test_view_a_file(agent, tmp_path):
    p = tmp_path / "f"
    p.write_text("a\nb\n")
    head = f"Here's the result of running `cat -n` on {p}:\n"
    assert view(agent, p) == head + "     1\ta\n     2\tb\n     3\t\n"
    p.write_text("a\nb")
    assert view(agent, p) == head + "     1\ta\n     2\tb\n"
    p.write_text("".join(f"{i}\n" for i in range(1, 21)))
    assert view(agent, p, [3, 4]) == head + "     3\t3\n     4\t4\n     5\t\n"
    assert view(agent, p, [19, -1]) == head + "    19\t19\n    20\t20\n    21\t\n"
    assert view(agent, p, [20, 99]) == (
        "NOTE: We only show up to 20 since there're only 20 lines in this file.\n" + head +
        "    20\t20\n    21\t\n")


def test_view_errors(agent, tmp_path):
    p = tmp_path / "f"
    p.write_text("a\nb\n")
    bad = "ERROR:\nInvalid `view_range` parameter: "
    assert view(agent, p, [1]) == bad + "[1]. It should be a list of two integers."
    assert view(agent, p, ["a", 2]) == bad + "['a', 2]. It should be a list of two integers."
    assert view(agent, p, [0, 1]) == (
        bad + "[0, 1]. Its first element `0` should be within the range of lines of the file: "
        "[1, 2].")
    assert view(agent, p, [2, 1]) == (
        bad + "[2, 1]. Its second element `1` should be greater than or equal to the first element "
        "`2`.")
    assert view(agent, tmp_path, [1, 2]) == (
        bad + "[1, 2]. The `view_range` parameter is not allowed when `path` points to a directory.")
    assert view(agent, tmp_path / "no") == (
        f"ERROR:\nInvalid `path` parameter: {tmp_path}/no. The path {tmp_path}/no does not exist. "
        "Please provide a valid path.")
    relative = "ERROR:\nInvalid `path` parameter: rel. The path should be an absolute path, " \
               "starting with `/`."
    assert view(agent, "rel") == relative
    (agent.work / "rel").write_text("")
    assert view(agent, "rel") == relative + f" Maybe you meant {agent.work}/rel?"
    (tmp_path / "big").write_text("x" * (11 << 20))
    assert view(agent, tmp_path / "big") == (
        f"ERROR:\nFile validation failed for {tmp_path}/big: File is too large (11.0MB). Maximum "
        "allowed size is 10MB.")


def test_view_clips(agent, tmp_path):
    p = tmp_path / "f"
    p.write_text("é" * 20000)
    text = view(agent, p)
    assert "é" * 16000 + "<response clipped><NOTE>Due to the max output limit, only part of this " \
        "file has been shown" in text
    assert "é" * 16001 not in text


def test_view_a_folder(agent, tmp_path):
    for name in ("b/c", "b/.hid", "a", ".h/x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "b/d").mkdir()
    (tmp_path / "b/d/too-deep").write_text("")
    assert view(agent, tmp_path) == (
        f"Here's the files and directories up to 2 levels deep in {tmp_path}, excluding hidden "
        f"items:\n{tmp_path}/\n{tmp_path}/a\n{tmp_path}/b/\n{tmp_path}/b/c\n{tmp_path}/b/d/\n\n"
        "1 hidden files/directories in this directory are excluded. You can use "
        f"'ls -la {tmp_path}' to see them.")
