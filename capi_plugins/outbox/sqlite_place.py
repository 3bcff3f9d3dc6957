"""Where the file of a SQLite outbox may be: looked at, never opened.

Opening and closing a SQLite file outside of SQLite drops the locks the process holds on it, so all
of this is ``os.stat``. Nothing here imports ``sqlite3``: settings are checked in processes that
never use the outbox.
"""

from __future__ import annotations

import functools
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import parse_qsl

import attrs

SCHEME = "sqlite:///"
MAX_BYTES = 256_000_000
_SMALLEST = 1_000_000
_SWITCHES = {"true": True, "1": True, "false": False, "0": False}
_SHARED = tuple(
    "9p afs ceph cifs fuse glusterfs gpfs lustre ncpfs nfs smb virtiofs".split()  # noqa: SIM905
)
_LOCAL = ("fuse.fuse-overlayfs", "fuseblk")


@attrs.frozen(kw_only=True)
class SqlitePlace:
    """What ``CAPI["DELIVERY"]["OUTBOX"]`` says of a SQLite outbox.

    Attributes:
        path: The file, absolute, symbolic links of its folder resolved.
        power_safe: Whether every commit is synced to the disk.
        max_bytes: Largest size of the file.
    """

    path: Path
    power_safe: bool = False
    max_bytes: int = MAX_BYTES


def parse_place(url: str) -> tuple[SqlitePlace, list[str]]:
    """Read ``sqlite:///path``; a further slash makes the path absolute.

    Args:
        url: May end in ``?power_safe=true`` and ``max_bytes=...``.

    Returns:
        The place, and what is wrong with it, each a sentence that continues the setting's name.
    """
    problems = []
    if not url.startswith(SCHEME):
        problems.append("must be written sqlite:///path, with a fourth slash for absolute paths")
    text, _, query = url.removeprefix(SCHEME).partition("?")
    power_safe, max_bytes = False, MAX_BYTES
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name == "power_safe" and value.lower() in _SWITCHES:
            power_safe = _SWITCHES[value.lower()]
        elif name == "max_bytes" and value.isascii() and value.isdigit():
            max_bytes = int(value)
        else:
            problems.append(f"has {name!r} after the '?': power_safe=true and max_bytes=N may be")
    if max_bytes < _SMALLEST:
        problems.append(f"has max_bytes={max_bytes}, and at least {_SMALLEST} are needed")
    if not Path(text).name:
        problems.append("names no file: write sqlite:///folder/outbox.sqlite3")
        text = "outbox.sqlite3"
    place = SqlitePlace(path=absolute(text), power_safe=power_safe, max_bytes=max_bytes)
    return place, problems or place_problems(place.path)


def absolute(path: str | os.PathLike[str]) -> Path:
    """Return a path by which every process of the host knows the file."""
    given = Path(path)
    return given.parent.resolve() / given.name


def place_problems(path: Path) -> list[str]:
    """Say why a place may not be used; nothing where it may.

    Args:
        path: The file, which may not exist yet, in a folder that may not either.
    """
    problems = []
    folder = path.parent
    try:
        held = folder.stat()
    except FileNotFoundError:
        held = None
    except OSError as error:
        return [f"cannot be looked at: {folder}: {error.strerror}"]
    if held is not None:
        problems += _folder_problems(folder, held)
    for file in (path, lock_path(path)):
        try:
            found = os.lstat(file)
        except FileNotFoundError:
            continue
        except OSError as error:
            problems.append(f"cannot be looked at: {file}: {error.strerror}")
        else:
            problems += _file_problems(file, found)
    shared = _shared_file_system(folder)
    if shared:
        problems.append(
            f"is on a file system of type {shared}, whose locks cannot be relied on; "
            "choose a folder on a local disk"
        )
    return problems


def lock_path(path: Path) -> Path:
    """Return the file beside the outbox whose kernel locks say who does what."""
    return path.with_name(f"{path.name}.lock")


def _folder_problems(folder: Path, held: os.stat_result) -> list[str]:
    if not stat.S_ISDIR(held.st_mode):
        return [f"needs {folder} to be a folder"]
    problems = []
    if held.st_uid not in (os.geteuid(), 0):
        problems.append(f"is in {folder}, which belongs to another user (uid {held.st_uid})")
    if held.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        problems.append(
            f"is in {folder}, where other users may write: chmod go-w it, or name a folder in it "
            "that does not exist yet"
        )
    return problems


def _file_problems(file: Path, found: os.stat_result) -> list[str]:
    if stat.S_ISLNK(found.st_mode):
        return [f"is {file}, a symbolic link: name the file itself"]
    if not stat.S_ISREG(found.st_mode):
        return [f"is {file}, which is not a regular file"]
    problems = []
    if found.st_uid != os.geteuid():
        problems.append(
            f"is {file}, which belongs to another user (uid {found.st_uid}): run all processes "
            "that use it as one user"
        )
    if found.st_mode & 0o077:
        problems.append(f"is {file}, which other users may read or write: chmod 600 it")
    return problems


def _shared_file_system(folder: Path) -> str | None:
    """Return the type of a file system that other machines may write to, or that is a program."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        kind = _kind(folder.stat().st_dev)
    except OSError:
        return None  # not Linux: there is nobody to ask
    if kind is None or kind in _LOCAL:
        return None
    return kind if kind.startswith(_SHARED) else None


@functools.cache
def _kind(device: int) -> str | None:
    # Kept, because at the very end of an interpreter nothing can be opened by its name any more.
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as lines:  # noqa: PTH123
        return _type_of(f"{os.major(device)}:{os.minor(device)}", lines)


def _type_of(device: str, mountinfo: Iterable[str]) -> str | None:
    """Find a device in lines such as ``27 1 254:0 / / rw - ext4 /dev/vda rw``."""
    for line in mountinfo:
        fields, _, rest = line.partition(" - ")
        if fields.split()[2:3] == [device]:
            return rest.split()[0]
    return None
