"""Places that are not ours alone, or not of this machine."""

from __future__ import annotations

import os
import stat

import pytest

from capi_plugins import ConfigurationError, configure
from capi_plugins.outbox import sqlite, sqlite_place
from capi_plugins.outbox.sqlite_place import place_problems
from tests.outbox.other_process import delivery


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch):
    """Have an outbox not wait, when it is closed, for a place that stays as it is."""
    monkeypatch.setattr(sqlite, "_CLOSE_BUDGET", 0.05)


@pytest.fixture
def folder(path):
    path.parent.mkdir(mode=0o700)
    return path.parent


def refused(open_outbox):
    """Store an event in a place that may not be used; return why it stays in memory."""
    outbox = open_outbox()
    assert not outbox.put([delivery("1")]).refused
    assert outbox.stats().in_memory == 1
    return outbox.stats().problem


def settings(outbox):
    return {"CONSENT": {"DEFAULT": "granted"}, "DELIVERY": {"OUTBOX": outbox}}


@pytest.mark.fault("B10", "S22")
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_folder_others_may_write_to_is_refused(open_outbox, folder, path, mode):
    """The folder may be written by the group, by everybody, or is like /tmp.

    It is refused, and the reason says what to do.
    """
    folder.chmod(mode)
    assert "other users may write" in place_problems(path)[0]
    assert "other users may write" in refused(open_outbox)
    assert list(folder.iterdir()) == []


@pytest.mark.fault("B10", "S22")
@pytest.mark.parametrize("name", ["outbox.sqlite3", "outbox.sqlite3.lock"])
def test_a_file_others_may_read_is_refused(open_outbox, folder, path, name):
    """The file, or that of its locks, may be read by others.

    It is refused, and the reason says what to do.
    """
    (folder / name).touch(mode=0o644)
    (folder / name).chmod(0o644)
    assert "chmod 600" in place_problems(path)[0]
    assert "chmod 600" in refused(open_outbox)
    assert (folder / name).read_bytes() == b""


@pytest.mark.fault("B10", "S22")
@pytest.mark.parametrize("name", ["outbox.sqlite3", "outbox.sqlite3.lock"])
@pytest.mark.parametrize("leads", ["to a file", "to nothing"])
def test_a_symbolic_link_is_refused(open_outbox, folder, path, name, leads, tmp_path):
    """A symbolic link stands where the file, or that of its locks, should be.

    It is refused and not followed.
    """
    target = tmp_path / "precious"
    if leads == "to a file":
        target.touch(mode=0o600)
    (folder / name).symlink_to(target)
    assert "symbolic link" in place_problems(path)[0]
    assert "symbolic link" in refused(open_outbox)
    assert target.exists() is (leads == "to a file")
    assert not target.exists() or target.read_bytes() == b""


@pytest.mark.fault("B10")
def test_a_folder_in_place_of_the_file_is_refused(folder, path):
    """A folder stands where the file should be.

    It is refused.
    """
    path.mkdir(mode=0o700)
    assert "not a regular file" in place_problems(path)[0]


@pytest.mark.fault("B10", "S22")
def test_another_users_file_and_folder_are_refused(open_outbox, folder, path, monkeypatch):
    """Folder and file belong to another user.

    They are refused, and the reason names the user.
    """
    path.touch(mode=0o600)
    owner = os.geteuid()
    if owner == 0:
        owner = 65534
        os.chown(path, owner, -1)
        os.chown(folder, owner, -1)
    else:
        # Only root gives files away.
        monkeypatch.setattr(sqlite_place.os, "geteuid", lambda: owner + 1)
    for problem in (" ".join(place_problems(path)), refused(open_outbox)):
        assert f"belongs to another user (uid {owner})" in problem
    assert path.read_bytes() == b""


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
