"""Outbox and worker of the process: made when they are needed, anew after a fork."""

from __future__ import annotations

import logging
import os
import sys
import time
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

import attrs

from capi_plugins._removing import Removing
from capi_plugins._worker import Worker
from capi_plugins.context_store import ContextStore, MemoryContextStore
from capi_plugins.held_store import HeldStore, MemoryHeldStore
from capi_plugins.leaving import pass_on
from capi_plugins.outbox import diversion
from capi_plugins.outbox.base import (
    Delivery,
    KeepsContexts,
    KeepsHeld,
    Make,
    Outbox,
    OutboxStats,
    Stored,
    TransactionalOutbox,
)

_log = logging.getLogger("capi_plugins.delivery")
_SAY_FULL_EVERY = 60.0


@attrs.frozen(kw_only=True)
class FlushResult:
    """What is left after a flush; true when nothing is.

    Attributes:
        waiting: Deliveries that still wait.
    """

    waiting: int

    def __bool__(self) -> bool:
        return self.waiting == 0


class Nudger(Protocol):
    """Tells workers elsewhere that something waits; see ``capi_plugins.nudging.Nudges``."""

    def nudge(self, destinations: Collection[str]) -> None:
        """Say for which destinations; never waits and never raises."""
        ...

    def close(self, timeout: float) -> None:
        """Say what was not said yet, if it does not take long."""
        ...


class _Process:
    def __init__(
        self,
        outbox: Outbox,
        worker: Worker,
        nudger: Nudger | None,
        withdrawn: Callable[[Sequence[Delivery]], None],
    ) -> None:
        self.outbox = outbox
        self.removing = Removing(outbox, beside=lambda: not _threads_stand_still(), tell=withdrawn)
        # Asked once: on older interpreters the answer costs more than building an event.
        self.transactional = outbox if isinstance(outbox, TransactionalOutbox) else None
        self.worker = worker
        self.nudger = nudger
        self.begun = False
        self.contexts: ContextStore = (
            outbox.contexts if isinstance(outbox, KeepsContexts) else MemoryContextStore()
        )
        self.held: HeldStore = outbox.held if isinstance(outbox, KeepsHeld) else MemoryHeldStore()


class Delivering:
    """Puts deliveries into the outbox of this process and has its worker send them.

    A forked child gets an outbox and a worker of its own, and never the parent's deliveries.

    Args:
        outbox: Makes the outbox of a process.
        worker: Makes the worker for an outbox.
        threads: Whether the worker of this process sends by itself.
        withdrawn: Told what was removed because its visitor withdrew consent.
        grace: Seconds after which what is held is sent as it is.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        outbox: Callable[[], Outbox],
        worker: Callable[[Outbox], Worker],
        *,
        threads: bool,
        withdrawn: Callable[[Sequence[Delivery]], None],
        grace: float = 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._outbox = outbox
        self._worker = worker
        self._threads = threads
        self._withdrawn = withdrawn
        self._grace = grace
        self._clock = clock
        self._processes: dict[int, _Process] = {}
        self._diverted: weakref.WeakKeyDictionary[diversion.Diversion, _Process] = (
            weakref.WeakKeyDictionary()
        )
        self._lost, self._say_full_from = 0, 0.0
        self._nudger: Callable[[], Nudger] | None = None

    def begin(self, destinations: Collection[str]) -> None:
        """Have what earlier processes left delivered, though nothing new comes; never raises.

        Called with every request, and does something in the first one of a process: a master that
        preloads the host for its workers has none, and must neither start a thread nor open a file.

        Args:
            destinations: Names of the destinations there are.
        """
        process = self._processes.get(os.getpid())
        if (process is not None and process.begun) or diversion.current() is not None:
            return
        try:
            process = process or self._process()
            process.begun = True
            if process.outbox.durable and self._sends():
                process.worker.wake(destinations)
        except Exception as error:
            pass_on(error)
            _log.error("delivery did not begin: %s", type(error).__name__)

    def nudge_with(self, nudger: Callable[[], Nudger]) -> None:
        """Have workers elsewhere told of what is put.

        Args:
            nudger: Makes who tells them, for each process one.
        """
        self._nudger = nudger

    def joins(self, database: str) -> bool:
        """Whether what is put now becomes a part of an open transaction of a database."""
        outbox = self._process().transactional
        return outbox is not None and outbox.joins(database)

    def hold(self, make: Make, database: str) -> Sequence[Delivery]:
        """Store deliveries in the open transaction of a database, if the outbox is there.

        Args:
            make: Makes the deliveries.
            database: Name of the database.

        Returns:
            What the outbox holds now, to be given to ``put`` for completion.
        """
        outbox = self._process().transactional
        if outbox is not None and outbox.joins(database):
            return outbox.hold(make, due=self._clock() + self._grace)
        return ()

    def put(self, deliveries: Sequence[Delivery], withdrawn: Sequence[Delivery] = ()) -> Stored:
        """Queue deliveries; those with a key complete what is held under it.

        Args:
            deliveries: The deliveries.
            withdrawn: What is held and must not be sent.
        """
        process = self._process()
        if process.transactional is not None:
            stored = process.transactional.complete(deliveries, withdrawn)
        else:
            stored = process.outbox.put(deliveries)
        if stored.refused:
            self._say_full(len(stored.refused))
        if len(stored.duplicates) < len(deliveries) and diversion.current() is None:
            try:
                self._start(process, deliveries)
            except Exception as error:
                pass_on(error)
                # They are stored: whoever looks into the outbox next finds them.
                _log.error("delivery did not start: %s", type(error).__name__)
        return stored

    def _say_full(self, lost: int) -> None:
        """Log a full outbox once a minute: while it is full it is so for every event."""
        self._lost += lost
        now = time.monotonic()
        if now >= self._say_full_from:
            _log.error("outbox is full: %d deliveries lost", self._lost)
            self._lost, self._say_full_from = 0, now + _SAY_FULL_EVERY

    def _start(self, process: _Process, deliveries: Sequence[Delivery]) -> None:
        if process.outbox.inline:
            process.worker.run_inline()
        elif self._sends():
            process.worker.wake({delivery.destination for delivery in deliveries})
        elif process.nudger is not None:
            process.nudger.nudge({delivery.destination for delivery in deliveries})

    def _sends(self) -> bool:
        """Whether threads of this process may send."""
        if self._threads and _threads_stand_still():
            # A thread would run during requests only, and be stopped with the file locked.
            self._threads = False
            _log.warning(
                "uWSGI runs without threads, so this process sends nothing before it ends: start "
                "uWSGI with enable-threads, or have another process deliver"
            )
        return self._threads

    def flush(self, timeout: float) -> int:
        """Have everything delivered, from here; return how many deliveries still wait."""
        process = self._process()
        if diversion.current() is not None:
            return 0
        # Who leaves the sending to others must not have become a sender by this.
        here = process.outbox.inline or not self._sends()
        return process.worker.flush(timeout, here=here)

    @property
    def outbox(self) -> Outbox:
        """The outbox of this process."""
        return self._process().outbox

    @property
    def contexts(self) -> ContextStore:
        """Where this process keeps contexts of shoppers: beside the deliveries."""
        return self._process().contexts

    @property
    def held(self) -> HeldStore:
        """Where this process holds events of visitors who have not decided."""
        return self._process().held

    def withdraw(self, wanted: Mapping[str, Collection[str]]) -> None:
        """Remove what waits for a visitor who withdrew consent; as far as it did not leave yet.

        Args:
            wanted: Texts by which the visitor's payloads are found, by destination.
        """
        self._process().removing.remove(wanted)

    def serve(self, over: Callable[[], bool], *, once: bool = False) -> None:
        """Send what all processes of the outbox put, and do nothing else.

        Args:
            over: Whether to end; asked twice a second.
            once: End as well as soon as nothing is due.
        """
        self._process().worker.serve(over, once=once)

    def drain(self, destination: str | None, timeout: float) -> None:
        """Send what is due, in the calling thread.

        Args:
            destination: Only to this one; None: to all.
            timeout: Most seconds.
        """
        if diversion.current() is None:
            self._process().worker.run_inline(timeout=timeout, only=destination)

    def stats(self) -> OutboxStats:
        """Count what the outbox holds."""
        return self._process().outbox.stats()

    def stopped(self) -> list[str]:
        """Names of the destinations stopped because of their configuration."""
        return self._process().worker.stopped()

    def close(self, timeout: float) -> int:
        """Deliver what can be delivered in time; return how many deliveries still wait."""
        process = self._processes.get(os.getpid())
        if process is None:
            return 0
        if process.nudger is not None:
            process.nudger.close(timeout)
        begun = time.monotonic()
        process.removing.close(timeout)
        waiting = process.worker.close(max(timeout - (time.monotonic() - begun), 0.0))
        process.outbox.close()
        return waiting

    def _process(self) -> _Process:
        aside = diversion.current()
        if aside is not None:
            return self._aside(aside)
        pid = os.getpid()
        process = self._processes.get(pid)
        if process is None:
            outbox = self._outbox()
            nudger = self._nudger and self._nudger()
            made = _Process(outbox, self._worker(outbox), nudger, self._withdrawn)
            # setdefault is atomic, so that no lock is needed that a fork could leave locked.
            process = self._processes.setdefault(pid, made)
        return process

    def _aside(self, aside: diversion.Diversion) -> _Process:
        process = self._diverted.get(aside)
        if process is None:
            outbox = aside.outbox()
            # Its worker is never woken.
            made = _Process(outbox, self._worker(outbox), None, self._withdrawn)
            process = self._diverted.setdefault(aside, made)
        return process


def _threads_stand_still() -> bool:
    """Whether threads run only while a request does: uWSGI's way where nobody asks for them."""
    uwsgi = sys.modules.get("uwsgi")
    if uwsgi is None or "gevent" in getattr(uwsgi, "opt", ()):
        return False
    return not getattr(uwsgi, "has_threads", True)
