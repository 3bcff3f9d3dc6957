"""Where the file may be, what is made there, and how settings name it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from capi_plugins import ConfigurationError, configure
from capi_plugins.outbox import sqlite_place
from capi_plugins.outbox.sqlite_place import parse_place, place_problems
from tests.outbox.other_process import delivery


@pytest.fixture
def folder(path):
    path.parent.mkdir(mode=0o700)
    return path.parent


def test_a_relative_path_starts_at_the_working_folder(tmp_path, monkeypatch):
    tmp_path.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    place, problems = parse_place("sqlite:///box/outbox.sqlite3")
    assert (place.path, problems) == (tmp_path / "box" / "outbox.sqlite3", [])


def test_a_fourth_slash_makes_the_path_absolute(path):
    place, problems = parse_place(f"sqlite:///{path}?power_safe=true&max_bytes=5000000")
    assert problems == []
    assert (place.path, place.power_safe, place.max_bytes) == (path, True, 5_000_000)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("sqlite://outbox.sqlite3", "four"),
        ("sqlite:///", "names no file"),
        ("sqlite:////tmp/x/y?fast=yes", "'fast'"),
        ("sqlite:////tmp/x/y?power_safe=maybe", "'power_safe'"),
        ("sqlite:////tmp/x/y?max_bytes=12", "1000000"),
    ],
)
def test_what_cannot_be_read_is_told(url, problem):
    assert problem in " ".join(parse_place(url)[1])


def test_a_place_that_does_not_exist_yet_is_fine(path):
    assert place_problems(path) == []


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_folder_others_may_write_to_is_refused(folder, path, mode):
    folder.chmod(mode)
    assert "other users may write" in place_problems(path)[0]


@pytest.mark.parametrize("name", ["outbox.sqlite3", "outbox.sqlite3.lock"])
def test_a_file_others_may_read_is_refused(folder, path, name):
    (folder / name).touch(mode=0o644)
    (folder / name).chmod(0o644)
    assert "chmod 600" in place_problems(path)[0]


@pytest.mark.parametrize("name", ["outbox.sqlite3", "outbox.sqlite3.lock"])
def test_a_symbolic_link_is_refused(folder, path, name):
    (folder / name).symlink_to("/etc/passwd")
    assert "symbolic link" in place_problems(path)[0]


def test_a_folder_in_place_of_the_file_is_refused(folder, path):
    path.mkdir(mode=0o700)
    assert "not a regular file" in place_problems(path)[0]


def test_another_users_file_and_folder_are_refused(folder, path, monkeypatch):
    path.touch(mode=0o600)
    stranger = os.geteuid() + 1
    monkeypatch.setattr(sqlite_place.os, "geteuid", lambda: stranger)
    problems = " ".join(place_problems(path))
    assert f"belongs to another user (uid {stranger - 1})" in problems


def test_the_file_system_is_found_by_its_device():
    lines = [
        "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n",
        "40 27 0:52 / /srv/with\\040space rw shared:5 master:1 - nfs4 server:/export rw\n",
    ]
    assert sqlite_place._type_of("254:0", lines) == "ext4"
    assert sqlite_place._type_of("0:52", lines) == "nfs4"
    assert sqlite_place._type_of("0:53", lines) is None


@pytest.mark.parametrize(
    ("kind", "refused"),
    [("nfs4", True), ("cifs", True), ("9p", True), ("fuse.sshfs", True), ("virtiofs", True),
     ("ext4", False), ("overlay", False), ("tmpfs", False), ("fuseblk", False)],
)  # fmt: skip
def test_file_systems_of_other_machines_are_refused(path, monkeypatch, kind, refused):
    monkeypatch.setattr(sqlite_place, "_kind", lambda device: kind)
    assert any(kind in problem for problem in place_problems(path)) is refused


def test_everything_made_is_private_whatever_the_umask(open_outbox, path):
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


# ------------------------------------------------------------------ settings


def settings(outbox, **delivery):
    return {"CONSENT": {"DEFAULT": "granted"}, "DELIVERY": {"OUTBOX": outbox, **delivery}}


def test_settings_name_the_file_and_nothing_is_made_before_it_is_used(path):
    client = configure(settings(f"sqlite:///{path}"))
    assert not path.parent.exists()
    assert client.stats().waiting == 0
    assert path.exists()
    client.close()


def test_a_worker_of_its_own_may_send_from_the_file(path):
    configure(settings(f"sqlite:///{path}", WORKER="external")).close()


@pytest.mark.parametrize("outbox", ["memory", "immediate", "auto"])
def test_a_worker_of_its_own_cannot_send_from_memory(outbox):
    with pytest.raises(ConfigurationError, match="other processes"):
        configure(settings(outbox, WORKER="external"))


def test_a_place_that_may_not_be_used_is_a_mistake_in_settings(folder, path):
    folder.chmod(0o777)
    with pytest.raises(ConfigurationError, match=r"\['OUTBOX'\] is in .* other users may write"):
        configure(settings(f"sqlite:///{path}"))


def test_neither_importing_nor_configuring_loads_sqlite(path):
    code = (
        "import sys; from capi_plugins import configure; "
        f"configure({settings(f'sqlite:///{path}')!r}); assert 'sqlite3' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)
