"""Opening the file of a SQLite outbox, and getting a turn at it within a budget of time.

Three of SQLite's traps decide how it is done:

* Its busy handler sleeps up to 100 ms at a time and starves. So waiting is ours, and short.
* Closing any descriptor of the file drops the process's locks on it. So only SQLite opens it.
* It knows open files by their inode, also those a forked child inherits, and believes to hold for
  them the locks that no fork inherits: what a child commits beside an inherited connection can be
  lost. So connections are closed before a fork, and a child that inherits one all the same (a fork
  in C, which calls no hooks) does not touch the file.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from capi_plugins.background import started
from capi_plugins.exceptions import CapiError
from capi_plugins.outbox import sqlite_rows as rows
from capi_plugins.outbox.patience import Patience
from capi_plugins.outbox.sqlite_locks import SETUP, FileLocks
from capi_plugins.outbox.sqlite_place import SqlitePlace, place_problems
from capi_plugins.outbox.sqlite_presence import SUFFIXES, Presence
from capi_plugins.outbox.sqlite_salvage import salvaged
from capi_plugins.outbox.turn import Turn, pause

_log = logging.getLogger("capi_plugins.outbox")
APPLICATION_ID = 0x43415049  # "CAPI"
SCHEMA_VERSION = 1
REOPEN = 30.0
# Every commit writes whole pages to the log: a row or two and a key of each index.
_PAGE = 1024
_CLOSE_BUDGET = 1.0
_SALVAGE_BUDGET = 10.0
_MOMENT = 0.01


class Unavailable(CapiError):
    """The file cannot be used now.

    Attributes:
        problem: Why.
        passing: Whether the next moment may do.
        full: Whether there is no room.
    """

    def __init__(self, problem: str, *, passing: bool = False, full: bool = False) -> None:
        super().__init__(problem)
        self.problem = problem
        self.passing = passing
        self.full = full


class Door:
    """One connection to the file: opened when it is needed, used by one thread at a time.

    Args:
        place: The file and how it is written.
        locks: This process's locks on it.
    """

    def __init__(self, place: SqlitePlace, locks: FileLocks) -> None:
        self._place = place
        self._locks = locks
        self._pid = os.getpid()
        self._mutex = Turn()
        self._patience = Patience()
        self._deadline = 0.0  # of the turn that is being taken
        self._connection: sqlite3.Connection | None = None
        self._presence = Presence(place.path)
        self._suspect = False
        self._opened = False
        self._closed_until = 0.0
        self._problem = ""
        self._forking: int | None = None
        _doors[id(self)] = self

    def reading(
        self, budget: float | None
    ) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """Read; every statement sees what was committed before it.

        Args:
            budget: Most seconds to wait for other threads, and for the file to be opened; None: as
                long as requests do.

        Raises:
            Unavailable: The file cannot be used now.
        """
        return self._turn(budget, at_least=_MOMENT)

    @contextlib.contextmanager
    def writing(self, budget: float | None) -> Iterator[sqlite3.Connection]:
        """Write in one transaction, which is undone if anything is raised.

        Args:
            budget: Most seconds to wait for other threads and processes; None: as long as requests
                do.

        Raises:
            Unavailable: The file cannot be used now.
        """
        with self._turn(budget) as connection:
            try:
                _begin(connection, self._deadline)
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    connection.rollback()
                raise
        self._patience.rewarded()

    def close(self) -> None:
        """Close the connection, unless a thread is busy with it; the next use opens another."""
        if self._mutex.acquire(timeout=_CLOSE_BUDGET):
            try:
                self._drop()
            finally:
                self._mutex.release()
            _doors.pop(id(self), None)

    # ------------------------------------------------------------------ a turn

    @contextlib.contextmanager
    def _turn(self, budget: float | None, *, at_least: float = 0.0) -> Iterator[sqlite3.Connection]:
        """Be the only thread at the connection; what SQLite and the system say is translated."""
        seconds = max(self._patience.left() if budget is None else budget, at_least)
        deadline = time.monotonic() + seconds
        try:
            if not self._mutex.acquire(timeout=seconds):
                raise Unavailable("it is busy", passing=True)  # noqa: TRY301 - it is noted below
            try:
                self._deadline = deadline
                yield self._ready(deadline)
            except sqlite3.Error as error:
                raise self._translated(error) from None
            except OSError as error:
                self._drop()
                raise self._shut(error.strerror or type(error).__name__) from None
            finally:
                self._mutex.release()
        except Unavailable as error:
            if budget is None and error.passing:
                self._patience.in_vain()
            raise

    def _translated(self, error: sqlite3.Error) -> Unavailable:
        code = _code(error)
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return Unavailable("it is locked by another process", passing=True)
        if code == sqlite3.SQLITE_FULL:
            return Unavailable("the disk or the file is full", full=True)
        moved = self._presence.noted and not self._presence.lasts()
        self._drop()
        if moved:
            return Unavailable("it was replaced by another file", passing=True)
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) and not self._suspect:
            self._suspect = True
            return Unavailable("it is damaged")
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        return self._shut(f"SQLite says {name}")

    def _shut(self, problem: str) -> Unavailable:
        """Leave the file alone for a while."""
        self._closed_until = time.monotonic() + REOPEN
        self._problem = problem
        return Unavailable(problem)

    def _ready(self, deadline: float) -> sqlite3.Connection:
        if time.monotonic() < self._closed_until:
            raise Unavailable(self._problem)
        if self._connection is not None:
            if self._presence.lasts():
                return self._connection
            self._drop_all()
            _log.error("outbox %s was replaced by another file", self._place.path.name)
        if _inherited(self._place.path):
            raise self._shut("this process was forked while it was open, without Python's hooks")
        if problems := place_problems(self._place.path):
            raise self._shut("; ".join(problems))
        with self._locks.alone(SETUP, deadline - time.monotonic()) as alone:
            if not alone:
                raise Unavailable("another process opens it", passing=True)
            aside = _set_aside_if_damaged(self._place.path) if self._suspect else None
            try:
                anew = self._opened or aside is not None
                self._connection = _open(self._place, anew=anew)
            except _Foreign as error:
                raise self._shut(str(error)) from None
            self._suspect = False
            self._opened = True
        _doors[id(self)] = self
        self._presence.note()
        if aside is not None:
            # In a thread: a request cannot wait for it. At the end of an interpreter there is none.
            started(self._salvage, "capi-salvage", aside)
        return self._connection

    def _salvage(self, aside: Path) -> None:
        """Put what a damaged file still holds into the new one."""
        count = 0
        try:
            for deliveries in salvaged(aside):
                with self.writing(_SALVAGE_BUDGET) as connection:
                    count += len(deliveries) - len(rows.insert(connection, deliveries, time.time()))
        except Unavailable as error:
            _log.error("outbox %s: salvage ended: %s", self._place.path.name, error.problem)
        if count:
            _log.warning("outbox %s: deliveries saved: %d", self._place.path.name, count)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _drop_all(self) -> None:
        """Close all connections of this process: a new one would share the index of an old one."""
        for door in list(_doors.values()):
            if door is not self:
                door.drop_beside(self._place.path)
        self._drop()

    def drop_beside(self, path: Path) -> None:
        """Close the connection if it is to some file; raise ``Unavailable`` while it is in use."""
        if self._pid != os.getpid() or self._place.path != path:
            return
        if not self._mutex.acquire(timeout=_MOMENT):
            raise Unavailable("it is busy", passing=True)
        try:
            self._drop()
        finally:
            self._mutex.release()

    # ------------------------------------------------------------------ forks

    def before_fork(self) -> None:
        """Close the connection and let no thread open it until the fork is over."""
        if self._pid == os.getpid() and self._mutex.acquire(timeout=_CLOSE_BUDGET):
            self._forking = threading.get_ident()
            self._drop()

    def after_fork(self) -> None:
        """Let the parent's threads go on."""
        if self._forking == threading.get_ident() and self._pid == os.getpid():
            self._forking = None
            self._mutex.release()

    def is_inherited(self, path: Path) -> bool:
        """Whether this is another process's open connection to a file."""
        ours = self._pid == os.getpid()
        return not ours and self._connection is not None and self._place.path == path


_doors: dict[int, Door] = {}


def _inherited(path: Path) -> bool:
    return any(door.is_inherited(path) for door in list(_doors.values()))


def _before_fork() -> None:
    for door in list(_doors.values()):
        door.before_fork()


def _after_fork() -> None:
    for door in list(_doors.values()):
        door.after_fork()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork)


class _Foreign(Exception):
    """The file is sound, and not an outbox this version can use."""


def _open(place: SqlitePlace, *, anew: bool) -> sqlite3.Connection:
    """Open the file, made if there is none; alone among all processes."""
    # A plain connect would give the file the mode of the umask. Closing the descriptor is safe
    # this once: the file is new, so nobody has a lock on it.
    place.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(place.path, flags, 0o600))
    connection = sqlite3.connect(
        f"file:{quote(str(place.path))}?mode=rw",
        uri=True,
        timeout=0,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        _set_up(connection, place, anew=anew)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: sqlite3.Connection, place: SqlitePlace, *, anew: bool) -> None:
    run = connection.execute
    run("PRAGMA trusted_schema = OFF")
    owner = run("PRAGMA application_id").fetchone()[0]
    version = run("PRAGMA user_version").fetchone()[0]
    empty = run("SELECT COUNT(*) FROM sqlite_master").fetchone()[0] == 0
    if owner != APPLICATION_ID and not (empty and owner == 0):
        raise _Foreign("it belongs to another program: name a file of its own for the outbox")
    if version > SCHEMA_VERSION:
        raise _Foreign("a newer version of capi-plugins has written it: update this process")
    if empty:
        run(f"PRAGMA page_size = {_PAGE}")
    if run("PRAGMA journal_mode").fetchone()[0] != "wal":
        run("PRAGMA journal_mode = WAL")
    run("PRAGMA wal_autocheckpoint = 0")
    run(f"PRAGMA synchronous = {'FULL' if place.power_safe else 'NORMAL'}")
    run("PRAGMA secure_delete = ON")
    page = run("PRAGMA page_size").fetchone()[0]
    run(f"PRAGMA max_page_count = {place.max_bytes // page}")
    if empty:
        connection.executescript(
            f"BEGIN IMMEDIATE; {rows.SCHEMA} PRAGMA application_id = {APPLICATION_ID}; "
            f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )
        if anew:
            # What is in flight from the file before must not be taken for a row of this one.
            run(rows.FIRST, (int(time.time() * 1000),))


def _set_aside_if_damaged(path: Path) -> Path | None:
    """Move a damaged file away, with its log, so that a new one can take its place."""
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=0)
        with contextlib.closing(connection):
            if connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok":
                return None
    except sqlite3.Error as error:
        if _code(error) not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
    aside = f"{path}.corrupt-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}"
    # The log's name is the file's name and a suffix, so that the pair can still be opened.
    for suffix in SUFFIXES:
        with contextlib.suppress(FileNotFoundError):
            os.rename(f"{path}{suffix}", f"{aside}{suffix}")  # noqa: PTH104
    _log.error(
        "outbox %s is damaged and was moved aside to %s; what can be read of it is saved",
        path.name,
        Path(aside).name,
    )
    return Path(aside)


def _begin(connection: sqlite3.Connection, deadline: float) -> None:
    """Begin a transaction that writes, as soon as no other process has one."""
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() >= deadline:
                raise
        else:
            return
        pause()


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _is_busy(error: sqlite3.Error) -> bool:
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
