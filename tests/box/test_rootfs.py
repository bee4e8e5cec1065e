# SPDX-License-Identifier: Apache-2.0
"""A given folder as the root. It comes from a stranger: whatever is at the names that we use in it,
nothing outside of it is touched, and nothing of ours is made where it says."""
import os
import shutil
import socket
import subprocess

import pytest
from conftest import CAY, IS_ROOT, PROBE, TOP, clean_env

NAMES = ["dev", "proc", "sys", "tmp", "etc", "home", "run", "workspace"]


def reach(path):
    for parent in path.parents:
        if parent == parent.parent or parent.stat().st_uid != os.geteuid():
            break
        parent.chmod(parent.stat().st_mode | 0o711)


@pytest.fixture
def rootfs(tmp_path):
    reach(tmp_path / "x")
    root = tmp_path / "rootfs"
    root.mkdir()
    shutil.copy(PROBE, root / "probe")
    return root


@pytest.fixture
def victim(tmp_path):
    """A folder of the host that must not change."""
    folder = tmp_path / "victim"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    (folder / "passwd").write_text("kept")
    (folder / "passwd").chmod(0o666)
    yield folder
    assert sorted(p.name for p in folder.iterdir()) == ["passwd"]
    assert (folder / "passwd").read_text() == "kept"


def test_it_is_the_root_and_stays_as_it_is(run, rootfs):
    (rootfs / "data").write_text("theirs")
    before = sorted(os.listdir(rootfs))
    done = run("/probe", "ls", "/", options=["--rootfs", rootfs])
    assert {"data", "probe", *NAMES} <= set(done.out.split())
    done = run("/probe", "write", "/data", "/new", "/etc/new", "/tmp/new",
               options=["--rootfs", rootfs])
    assert done.out.count("ok") == 4
    assert sorted(os.listdir(rootfs)) == before and (rootfs / "data").read_text() == "theirs"


def test_nothing_of_the_host_shows(run, rootfs):
    done = run("/probe", "ls", "/", "/dev", "/etc", options=["--rootfs", rootfs])
    assert not {"usr", "root", "var", "boot"} & set(done.out.split())
    assert {"null", "pts", "passwd", "hosts"} <= set(done.out.split())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("target", ["absolute", "relative", "up", "proc", "dangling", "loop"])
def test_a_symlink_at_a_name_of_ours_is_covered(run, rootfs, victim, name, target):
    (rootfs / name).symlink_to({
        "absolute": victim,
        "relative": os.path.relpath(victim, rootfs),
        "up": "../" * 30 + str(victim)[1:],
        "proc": "/proc/1/root" + str(victim),
        "dangling": "/none/such",
        "loop": name,
    }[target])
    done = run("/probe", "stat", f"/{name}", options=["--rootfs", rootfs])
    assert int(done.out.split()[1], 8) & 0o170000 == 0o040000, done.out
    run("/probe", "write", "/tmp/x", "/etc/passwd", "/workspace/x", "/home/cay/x",
        options=["--rootfs", rootfs])


@pytest.mark.parametrize("name", NAMES)
def test_a_file_at_a_name_of_ours_is_covered(run, rootfs, name):
    (rootfs / name).write_text("in the way")
    done = run("/probe", "stat", f"/{name}", options=["--rootfs", rootfs])
    assert int(done.out.split()[1], 8) & 0o170000 == 0o040000
    assert (rootfs / name).read_text() == "in the way"


@pytest.mark.parametrize("path", ["etc/passwd", "etc/resolv.conf", "etc/hosts", "dev/null",
                                  "dev/pts", "dev/ptmx", "home/cay"])
def test_symlinks_one_folder_down_are_covered(run, rootfs, victim, path):
    (rootfs / path).parent.mkdir()
    (rootfs / path).symlink_to(victim / "passwd")
    done = run("/probe", "stat", f"/{path}", "/etc/passwd", "/dev/null",
               options=["--rootfs", rootfs])
    kinds = [int(line.split()[1], 8) >> 12 for line in done.out.splitlines()]
    assert kinds[1:] == [0o10, 0o2]
    if path != "dev/ptmx":
        assert kinds[0] != 0o12
    run("/probe", "write", f"/{path}", options=["--rootfs", rootfs])


def test_device_files_and_sockets_in_it_lead_nowhere(run, rootfs, tmp_path):
    path = rootfs / "host.sock"
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(rootfs)
        try:
            server.bind("host.sock")
        finally:
            os.chdir(TOP)
    if IS_ROOT:
        os.mknod(rootfs / "mem", 0o020666, os.makedev(1, 1))
        done = run("/probe", "cat", "/mem", options=["--rootfs", rootfs], check=1)
        assert "EACCES" in done.out
    assert path.exists()


@pytest.mark.parametrize("how", ["interpreter", "symlink"])
def test_the_program_that_makes_sandboxes_cannot_be_had(run, rootfs, how):
    """CVE-2019-5736: a script whose interpreter, or a command that, is /proc/self/exe: executed, it
    would be cay itself, of the host, which could then be opened and overwritten."""
    command = rootfs / "command"
    if how == "interpreter":
        command.write_text("#!/proc/self/exe\n")
        command.chmod(0o755)
    else:
        command.symlink_to("/proc/self/exe")
    if run.json("/probe", "ls", "/", options=["--rootfs", rootfs]
                )["isolation"]["landlock"] == "none":
        pytest.skip("this kernel has no Landlock")
    done = run("/command", "help", options=["--rootfs", rootfs], check=126)
    assert done.out == "" and "cannot be executed" in done.err


def test_input_cannot_be_written_to(workspace, tmp_path):
    """Through /proc/self/fd/0 the file that was given to read could be opened again."""
    given = tmp_path / "given"
    given.write_text("kept")
    given.chmod(0o666)
    out = tmp_path / "out"
    out.touch()
    out.chmod(0o666)  # root's sandboxes have an id of their own
    with given.open() as source, out.open("w") as sink:
        subprocess.run([CAY, "run", "-i", "--", "bash", "-c",
                        "cat; echo lost > /proc/self/fd/0; echo more >> /dev/stdout; "
                        "echo shown > /dev/stderr"],
                       stdin=source, stdout=sink, stderr=subprocess.PIPE, env=clean_env())
    assert given.read_text() == "kept"
    assert out.read_text() == "keptmore\n"


def test_a_workspace_in_it(run, rootfs, workspace):
    (workspace / "given").write_text("shared")
    done = run("/probe", "cat", "/workspace/given",
               options=["--rootfs", rootfs, "--workspace", workspace])
    assert done.out == "shared"


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_what_is_not_a_folder_is_refused(run, tmp_path, kind):
    path = tmp_path / kind
    if kind == "file":
        path.write_text("")
    done = run("true", options=["--rootfs", path], check=None)
    assert done.returncode in (2, 125) and str(path) in done.err
