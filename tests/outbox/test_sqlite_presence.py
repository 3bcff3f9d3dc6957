"""Whether the files of an outbox are still those that were opened."""

from __future__ import annotations

import os

import pytest

from capi_plugins.outbox.sqlite_presence import SUFFIXES, Presence


@pytest.fixture
def files(tmp_path):
    """The files, in a folder that nothing has changed for long."""
    files = [tmp_path / f"outbox.sqlite3{suffix}" for suffix in SUFFIXES]
    for file in files:
        file.touch()
    os.utime(tmp_path, (1_000_000_000, 1_000_000_000))
    return files


@pytest.fixture
def presence(files):
    presence = Presence(files[0])
    presence.note()
    return presence


def test_files_last_while_others_come_and_go(presence, files):
    assert presence.lasts()
    (files[0].parent / "other").touch()
    assert presence.lasts()
    (files[0].parent / "other").unlink()
    assert presence.lasts()


@pytest.mark.parametrize("number", range(len(SUFFIXES)))
@pytest.mark.parametrize("looked", [True, False])
def test_a_file_that_is_deleted_is_missed_at_once(presence, files, number, looked):
    assert not looked or presence.lasts()
    files[number].unlink()
    assert not presence.lasts()


@pytest.mark.parametrize("number", range(len(SUFFIXES)))
def test_a_file_that_is_replaced_is_missed_at_once(presence, files, number):
    assert presence.lasts()
    other = files[0].parent / "other"
    other.touch()
    other.replace(files[number])
    assert not presence.lasts()


def test_a_folder_that_changed_just_now_is_not_trusted(presence, files):
    folder = files[0].parent
    (folder / "other").touch()
    changed = folder.stat().st_mtime_ns
    assert presence.lasts()
    files[1].unlink()
    # As if both had happened within what the file system rounds to.
    os.utime(folder, ns=(changed, changed))
    assert not presence.lasts()


def test_a_folder_that_is_gone_has_no_files(presence, files):
    assert presence.lasts()
    for file in files:
        file.unlink()
    files[0].parent.rmdir()
    assert not presence.lasts()


def test_files_that_were_never_noted_are_not_there(files):
    assert not Presence(files[0]).lasts()
