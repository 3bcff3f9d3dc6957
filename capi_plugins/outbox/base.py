"""What an outbox is: a queue of deliveries that are taken, and later settled."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol, runtime_checkable

import attrs

from capi_plugins.context_store import ContextStore
from capi_plugins.held_store import HeldStore
from capi_plugins.journal import Journal

RETENTION = 7 * 86_400.0
"""How long a dead letter is kept where nobody says otherwise, seconds."""


@attrs.frozen(kw_only=True)
class Delivery:
    """One payload on its way to one destination.

    Attributes:
        destination: Name of the destination; its secrets stay in settings.
        event_name: For logs and deduplication.
        event_id: For logs and deduplication.
        payload: The encoded event.
        expires_at: When the destination stops taking it, seconds since the epoch.
        attempts: Requests it has been part of that cost an attempt.
        key: The outbox's own handle; None before ``put``.
    """

    destination: str
    event_name: str
    event_id: str
    payload: bytes = attrs.field(repr=False)
    expires_at: float | None = None
    attempts: int = 0
    key: int | None = None


@attrs.frozen(kw_only=True)
class OutboxStats:
    """What an outbox holds.

    Attributes:
        waiting: Deliveries not settled yet, those in flight included.
        dead: Dead letters kept.
        oldest: When the oldest waiting delivery was put, seconds since the epoch.
        in_memory: How many of the waiting ones end with this process.
        problem: Why a durable outbox keeps deliveries in memory; None while all is well.
    """

    waiting: int
    dead: int = 0
    oldest: float | None = None
    in_memory: int = 0
    problem: str | None = None

    def and_stored(self, waiting: int, dead: int, oldest: float | None) -> OutboxStats:
        """Return what is in memory, which this is, together with what is stored.

        Args:
            waiting: Deliveries stored that are not settled yet.
            dead: Dead letters stored.
            oldest: When the oldest stored delivery was put, seconds since the epoch.
        """
        return OutboxStats(
            waiting=self.waiting + waiting,
            dead=self.dead + dead,
            oldest=min((at for at in (oldest, self.oldest) if at is not None), default=None),
            in_memory=self.waiting,
            problem=self.problem,
        )


@attrs.frozen(kw_only=True)
class DeadLetter:
    """A delivery that is not tried again by itself.

    Attributes:
        delivery: The delivery, with its key.
        reason: Why it was given up.
        died_at: When, seconds since the epoch.
    """

    delivery: Delivery
    reason: str
    died_at: float


@attrs.frozen(kw_only=True)
class Standing:
    """How a destination has taken what was sent to it.

    Attributes:
        destination: Its name.
        configuration: Tells the configuration it was tried with from others; it is no secret.
        tried_at: When something was sent there last, seconds since the epoch.
        failed_at: When it last did not accept; None: never.
        reason: Why it did not, in words without match keys.
        stopped_until: Its configuration is wrong: when it is tried again, seconds since the epoch.
            None: it is not stopped.
    """

    destination: str
    configuration: str
    tried_at: float
    failed_at: float | None = None
    reason: str | None = None
    stopped_until: float | None = None


@attrs.frozen(kw_only=True)
class Stored:
    """What ``put`` did not store.

    Attributes:
        refused: The outbox is full; others may be among them that had to make room.
        duplicates: (destination, event_name, event_id) was put within the last 48 hours.
        in_memory: A durable store could not be written, and the rest is in memory until it can.
    """

    refused: Sequence[Delivery] = ()
    duplicates: Sequence[Delivery] = ()
    in_memory: bool = False


class Outbox(Protocol):
    """A store of deliveries. Every method is safe to call from any thread.

    A delivery taken is leased to the taker until it is settled by one of ``delivered``, ``retry``
    or ``dead``.
    """

    @property
    def inline(self) -> bool:
        """Whether deliveries are sent by whoever puts them, instead of by the worker's thread."""
        ...

    @property
    def durable(self) -> bool:
        """Whether deliveries outlive the process, so that nothing has to leave before it ends.

        Other processes may put into and take from a durable outbox too.
        """
        ...

    def put(self, deliveries: Sequence[Delivery]) -> Stored:
        """Store deliveries, each (destination, event_name, event_id) once per 48 hours."""
        ...

    def take(
        self, destination: str, *, limit: int, max_bytes: int, now: float
    ) -> Sequence[Delivery]:
        """Lease deliveries of a destination that are due: the oldest, where all fit.

        A full batch may hold a few of the newest, so that they need not wait for a backlog. Where
        it raises, whatever it raises, nothing stays leased for longer than it would if the process
        had died.

        Args:
            destination: Name of the destination.
            limit: Most deliveries.
            max_bytes: Most bytes of payload; the first delivery is always taken.
            now: Seconds since the epoch.
        """
        ...

    def remaining(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Leave out what must not be sent any more: somebody was forgotten, or a lease ran out.

        Args:
            deliveries: Some of what was taken.
        """
        ...

    def delivered(self, deliveries: Sequence[Delivery]) -> None:
        """Remove deliveries their destination has accepted."""
        ...

    def retry(self, deliveries: Sequence[Delivery], *, at: float, attempt: bool) -> None:
        """Give deliveries back, due at ``at`` (seconds since the epoch).

        Args:
            deliveries: What was taken.
            at: When they are due again.
            attempt: Whether this counts as an attempt of each.
        """
        ...

    def dead(self, deliveries: Sequence[Delivery], *, reason: str) -> None:
        """Put deliveries aside for good; they are not tried again by themselves."""
        ...

    def dead_letters(self, limit: int) -> Sequence[DeadLetter]:
        """Return the dead letters that died last, the newest first.

        Args:
            limit: Most dead letters.
        """
        ...

    def replay(self, keys: Collection[int]) -> int:
        """Have dead letters tried again, at once and with no attempt counted.

        Args:
            keys: The keys of their deliveries.

        Returns:
            How many there were.
        """
        ...

    def drop(self, keys: Collection[int]) -> int:
        """Remove dead letters for good.

        Args:
            keys: The keys of their deliveries.

        Returns:
            How many there were.
        """
        ...

    def forget(
        self, needles: Sequence[str], *, destination: str | None = None
    ) -> Sequence[Delivery]:
        """Erase a person: remove waiting deliveries and dead letters that hold one of some texts.

        What is in flight may have left; it is not sent again.

        Args:
            needles: Hashes of match keys, as they stand in payloads.
            destination: Only what goes there; None: everything.

        Returns:
            What was removed.
        """
        ...

    def next_due(self, destination: str) -> float | None:
        """When the next delivery of a destination is due; None when none waits."""
        ...

    def waiting_for(self) -> Collection[str]:
        """Names of the destinations for which something waits."""
        ...

    def stats(self) -> OutboxStats:
        """Count what is stored."""
        ...

    def close(self) -> None:
        """Release what the outbox holds open. What is stored stays stored."""
        ...


@runtime_checkable
class Noticeboard(Protocol):
    """What an outbox of several processes may offer besides: each tells the others what it knows.

    Without it every process finds out for itself that a destination is stopped.
    """

    def post(self, standing: Standing) -> None:
        """Replace what is known of a destination."""
        ...

    def probe(self, standing: Standing, *, until: float) -> bool:
        """Be the one who tries a stopped destination, and have the others wait.

        Args:
            standing: What was known of the destination.
            until: How long the others wait, seconds since the epoch: its ``stopped_until``, if
                nobody has changed that in between.

        Returns:
            Whether nobody has.
        """
        ...

    def standings(self) -> Sequence[Standing]:
        """Return what is known of every destination that was tried, by name."""
        ...


@runtime_checkable
class KeepsContexts(Protocol):
    """What an outbox may offer besides: to keep the contexts of shoppers where deliveries wait.

    Without it they are kept in the memory of each process.
    """

    @property
    def contexts(self) -> ContextStore:
        """Where contexts are kept."""
        ...


@runtime_checkable
class KeepsHeld(Protocol):
    """What an outbox may offer besides: to hold events of visitors who have not decided.

    Without it they are held in the memory of each process.
    """

    @property
    def held(self) -> HeldStore:
        """Where they are held."""
        ...


@runtime_checkable
class KeepsJournal(Protocol):
    """What an outbox may offer besides: room for the journal, which ``capi explain`` reads.

    Without it nothing is written down, unless ``CAPI["JOURNAL"]`` names a folder.
    """

    @property
    def journal(self) -> Journal:
        """Where it is kept."""
        ...


Make = Callable[[], Sequence[Delivery]]


@runtime_checkable
class TransactionalOutbox(Outbox, Protocol):
    """An outbox in the host's own database: what is stored in a transaction shares its fate.

    An event of a transaction is stored twice: *held* at once, as far as it is known, and
    *completed* when the transaction is committed and everything is known. What is held is not due
    before a grace period is over, so it is sent only if nobody has lived to complete it.
    """

    def joins(self, database: str) -> bool:
        """Whether what is stored now belongs to an open transaction of this database.

        Args:
            database: The adapter's name for the database.
        """
        ...

    def hold(self, make: Make, *, due: float) -> Sequence[Delivery]:
        """Store deliveries in the open transaction; whatever fails, the transaction goes on.

        Args:
            make: Makes the deliveries; what it does to the database is guarded too.
            due: When they are sent as they are, seconds since the epoch.

        Returns:
            The deliveries, with their keys.
        """
        ...

    def complete(self, deliveries: Sequence[Delivery], withdrawn: Sequence[Delivery]) -> Stored:
        """Store final deliveries, due at once.

        Args:
            deliveries: Those with a key take the place of what is held under it; where that has
                left already they count as duplicates. Those without are stored as by ``put``.
            withdrawn: What is held and must not be sent.
        """
        ...
