"""Places that are not ours alone, or not of this machine."""

from __future__ import annotations

import os
import stat

import pytest

from capi_plugins import ConfigurationError, configure
from capi_plugins.outbox import sqlite_place
from capi_plugins.outbox.sqlite_place import place_problems
from tests.outbox.other_process import delivery


@pytest.fixture
def folder(path):
    path.parent.mkdir(mode=0o700)
    return path.parent


def settings(outbox):
    return {"CONSENT": {"DEFAULT": "granted"}, "DELIVERY": {"OUTBOX": outbox}}


@pytest.mark.fault("B10", "S22")
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_folder_others_may_write_to_is_refused(folder, path, mode):
    """The folder may be written by the group, by everybody, or is like /tmp.

    It is refused, and the reason says what to do.
    """
    folder.chmod(mode)
    assert "other users may write" in place_problems(path)[0]


@pytest.mark.fault("B10", "S22")
@pytest.mark.parametrize("name", ["outbox.sqlite3", "outbox.sqlite3.lock"])
def test_a_file_others_may_read_is_refused(folder, path, name):
    """The file, or that of its locks, may be read by others.

    It is refused, and the reason says what to do.
    """
    (folder / name).touch(mode=0o644)
    (folder / name).chmod(0o644)
    assert "chmod 600" in place_problems(path)[0]


@pytest.mark.fault("B10", "S22")
@pytest.mark.parametrize("name", ["outbox.sqlite3", "outbox.sqlite3.lock"])
def test_a_symbolic_link_is_refused(folder, path, name):
    """A symbolic link stands where the file, or that of its locks, should be.

    It is refused and not followed.
    """
    (folder / name).symlink_to("/etc/passwd")
    assert "symbolic link" in place_problems(path)[0]


@pytest.mark.fault("B10")
def test_a_folder_in_place_of_the_file_is_refused(folder, path):
    """A folder stands where the file should be.

    It is refused.
    """
    path.mkdir(mode=0o700)
    assert "not a regular file" in place_problems(path)[0]


@pytest.mark.fault("B10", "S22")
def test_another_users_file_and_folder_are_refused(folder, path, monkeypatch):
    """Folder and file belong to another user.

    They are refused, and the reason names the user.
    """
    path.touch(mode=0o600)
    stranger = os.geteuid() + 1
    monkeypatch.setattr(sqlite_place.os, "geteuid", lambda: stranger)
    problems = " ".join(place_problems(path))
    assert f"belongs to another user (uid {stranger - 1})" in problems


@pytest.mark.fault("B9")
def test_the_file_system_is_found_by_its_device():
    """The type of a file system is looked up among mounts with spaces and options.

    It is that of the device on which the folder is.
    """
    lines = [
        "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n",
        "40 27 0:52 / /srv/with\\040space rw shared:5 master:1 - nfs4 server:/export rw\n",
    ]
    assert sqlite_place._type_of("254:0", lines) == "ext4"
    assert sqlite_place._type_of("0:52", lines) == "nfs4"
    assert sqlite_place._type_of("0:53", lines) is None


@pytest.mark.fault("B9")
@pytest.mark.parametrize(
    ("kind", "refused"),
    [("nfs4", True), ("cifs", True), ("9p", True), ("fuse.sshfs", True), ("virtiofs", True),
     ("ext4", False), ("overlay", False), ("tmpfs", False), ("fuseblk", False)],
)  # fmt: skip
def test_file_systems_of_other_machines_are_refused(path, monkeypatch, kind, refused):
    """The folder is on NFS, SMB, 9p or FUSE: what a test cannot mount, so the type is given.

    It is refused with a reason; disks of this machine, memory and overlays are not.
    """
    monkeypatch.setattr(sqlite_place, "_kind", lambda device: kind)
    assert any(kind in problem for problem in place_problems(path)) is refused


@pytest.mark.fault("B10", "S22")
def test_everything_made_is_private_whatever_the_umask(open_outbox, path):
    """Folder and files are made by a process whose umask hides nothing.

    The folder has mode 0700, and every file in it 0600.
    """
    before = os.umask(0)
    try:
        outbox = open_outbox()
        outbox.put([delivery("1")])
        outbox.take("paper", limit=1, max_bytes=100, now=0)
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        modes = {item.name: stat.S_IMODE(item.stat().st_mode) for item in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {path.name + suffix: 0o600 for suffix in ("", "-wal", "-shm", ".lock")}


@pytest.mark.fault("B10")
def test_a_place_that_may_not_be_used_is_a_mistake_in_settings(folder, path):
    """Settings name a folder that others may write to.

    The app does not start, and the message says why.
    """
    folder.chmod(0o777)
    with pytest.raises(ConfigurationError, match=r"\['OUTBOX'\] is in .* other users may write"):
        configure(settings(f"sqlite:///{path}"))
