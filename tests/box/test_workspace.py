# SPDX-License-Identifier: Apache-2.0
"""The shared folder: what is made inside belongs to its owner outside, and the other way round."""
import os
import stat
import subprocess

import pytest
from conftest import CAY, IS_ROOT, clean_env, needs_root


def owners(folder):
    return {p.name: (p.lstat().st_uid, p.lstat().st_gid) for p in folder.iterdir()}


def test_an_empty_one_by_default(run):
    assert run.sh("pwd; ls -A; touch x; ls").out.split() == ["/workspace", "x"]


def test_files_go_both_ways(run, workspace):
    (workspace / "given").write_text("from the host\n")
    done = run.sh("cat given; stat -c %u:%g given .; echo back > made; mkdir d; ln -s given l",
                  options=["-w", workspace])
    assert done.out.split("\n")[:3] == ["from the host", "1000:1000", "1000:1000"]
    assert (workspace / "made").read_text() == "back\n"
    assert set(owners(workspace).values()) == {(os.geteuid(), os.getegid())}


@needs_root
@pytest.mark.parametrize("uid,gid", [(0, 0), (1000, 1000), (12345, 54321)])
def test_the_owner_is_kept_whoever_that_is(run, workspace, uid, gid):
    (workspace / "given").write_text("x")
    for path in [workspace, workspace / "given"]:
        os.chown(path, uid, gid)
    run.sh("echo more >> given; echo y > made; mkdir d; chmod 600 given; rm -f none",
           options=["-w", workspace])
    assert set(owners(workspace).values()) == {(uid, gid)}
    assert (workspace / "given").read_text() == "xmore\n"
    assert stat.S_IMODE((workspace / "given").stat().st_mode) == 0o600


@needs_root
def test_files_of_others_stay_theirs(run, workspace):
    """Only the folder's owner is mapped: root's secret in a user's folder is not opened up."""
    os.chown(workspace, 1000, 1000)
    secret = workspace / "secret"
    secret.write_text("xyzzy")
    secret.chmod(0o600)
    done = run.sh("cat secret; stat -c %u secret; echo x >> secret; chown 1000 secret; "
                  "chmod 666 secret; true", options=["-w", workspace])
    assert done.out.split() == ["65534"]
    assert secret.read_text() == "xyzzy" and stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_set_id_bits_have_no_effect(run, workspace):
    done = run.sh("cp /usr/bin/id . && chmod 6755 id && ./id -u", options=["-w", workspace])
    assert done.out.strip() == "1000"


def test_read_only(run, workspace):
    (workspace / "given").write_text("kept")
    done = run.sh("cat given; echo x > given; touch new; rm -f given; mkdir d; chmod 777 given; true",
                  options=["-w", f"{workspace}:ro"])
    assert done.out == "kept" and done.err.count("Read-only") == 5
    assert (workspace / "given").read_text() == "kept" and len(list(workspace.iterdir())) == 1


def test_links_out_of_it_lead_inside(run, workspace, tmp_path):
    """A symlink to a file of the host means the sandbox's file of that name."""
    secret = tmp_path / "secret"
    secret.write_text("xyzzy")
    (workspace / "absolute").symlink_to(secret)
    (workspace / "relative").symlink_to("../secret")
    (workspace / "root").symlink_to("/")
    done = run.sh("cat absolute relative ../secret 2>/dev/null; ls root/ | grep -c workspace",
                  options=["-w", workspace])
    assert done.out.split() == ["1"]


def test_a_given_symlink_is_followed_on_the_host(run, workspace, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(workspace)
    run.sh("touch here", options=["-w", link])
    assert (workspace / "here").exists()


@pytest.mark.parametrize("kind,words", [("missing", "No such file"), ("file", "not a folder"),
                                        ("fifo", "not a folder"), ("dangling", "No such file")])
def test_what_is_not_a_folder_is_refused(run, tmp_path, kind, words):
    path = tmp_path / kind
    if kind == "file":
        path.write_text("")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "dangling":
        path.symlink_to(tmp_path / "nowhere")
    done = run("true", options=["-w", path], check=None)
    assert done.returncode in (2, 125) and done.out == ""
    assert str(path) in done.err and words in done.err, done.err


@pytest.mark.skipif(IS_ROOT, reason="root may open every folder")
def test_a_closed_folder_is_refused(run):
    done = run("true", options=["-w", "/root"], check=None)
    assert done.returncode != 0 and "/root" in done.err


def test_names_that_need_care(run, tmp_path, workspace):
    for name in ["a b", "comma,colon:x", "new\nline", "ä-ü", "%s", "-x"]:
        folder = workspace / name
        folder.mkdir()
        (folder / "f").write_text(name)
        done = subprocess.run([CAY, "run", "--workspace", folder, "--", "cat", "f"],
                              capture_output=True, env=clean_env())
        assert done.stdout.decode() == name, done.stderr
