"""``capi deliver``: the process that sends what the host's other processes put."""

from __future__ import annotations

import contextlib
import logging
import queue
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

import click

from capi_plugins import Client, signals
from capi_plugins.cli.doors import Door, current_door
from capi_plugins.cli.group import EXIT_INTERRUPTED
from capi_plugins.cli.shared_outbox import shared_outbox
from capi_plugins.destinations.base import Outcome
from capi_plugins.outbox.base import Delivery, Outbox

_log = logging.getLogger("capi_plugins.deliver")
_FORMAT = "%(asctime)s %(levelname)s %(message)s"


@click.command()
@click.option("--once", is_flag=True, help="Send what is due, then exit: for cron.")
@click.option("--quiet", is_flag=True, help="Tell problems only.")
def deliver(once: bool, quiet: bool) -> None:
    """Send what waits in the outbox, until SIGTERM or Ctrl-C.

    It stops gracefully: what is being sent gets EXIT_TIMEOUT seconds to be finished, the rest
    stays in the outbox. A second signal ends it at once. Several of them, and web processes that
    send themselves, do not get in each other's way.

    With --once the exit status is 1 when something that was due was not delivered.
    """
    door = current_door()
    client, outbox = shared_outbox(door)
    _insist_on_somewhere_to_send_to(client, door)
    with _telling(quiet=quiet), _signals_noted() as ended:
        count = _Count()
        with count.counting(client):
            _run(client, outbox, ended, once=once)
    if once and not ended():
        if count.trouble:
            raise click.exceptions.Exit(1)
    elif once:
        raise click.exceptions.Exit(EXIT_INTERRUPTED)


def _insist_on_somewhere_to_send_to(client: Client, door: Door) -> None:
    if not client.settings.enabled:
        raise click.UsageError(f"{door.where}: ENABLED is False, so nothing would be sent")
    if not client.has_destinations:
        raise click.UsageError(f"{door.where}: DESTINATIONS is empty, there is nowhere to send to")


def _run(client: Client, outbox: Outbox, ended: Callable[[], bool], *, once: bool) -> None:
    names = ", ".join(client.destinations) or "the destinations of plugins"
    _log.info("delivering to %s, %d waiting", names, outbox.stats().waiting)
    try:
        client.delivering.serve(ended, once=once)
    except Exception as error:
        # The database of the host, say: its message may hold anything.
        _log.error("the outbox cannot be read: %s", type(error).__name__)
        raise click.exceptions.Exit(1) from None
    if ended():
        _log.info("stopping; what is under way is finished or kept")
        # The outbox is closed by this, so it is asked before.
        client.close()
        _log.info("stopped")
    else:
        _log.info("nothing is due any more, %d waiting", outbox.stats().waiting)


class _Count:
    """Tells of every batch, and remembers whether all were accepted.

    Attributes:
        trouble: Whether some delivery was put off or given up.
    """

    def __init__(self) -> None:
        self.trouble = False

    @contextlib.contextmanager
    def counting(self, client: Client) -> Iterator[None]:
        """Listen meanwhile."""
        with (
            signals.delivered.connected_to(self._delivered, sender=client),
            signals.delivery_retried.connected_to(self._retried, sender=client),
            signals.delivery_dead.connected_to(self._dead, sender=client),
        ):
            yield

    def _delivered(self, _: Client, *, deliveries: Sequence[Delivery], outcome: Outcome) -> None:
        del outcome
        _log.info("destination %s: %d delivered", deliveries[0].destination, len(deliveries))

    # The worker logs both itself.
    def _retried(self, _: Client, **_told: object) -> None:
        self.trouble = True

    def _dead(self, _: Client, **_told: object) -> None:
        self.trouble = True


@contextlib.contextmanager
def _telling(*, quiet: bool) -> Iterator[None]:
    """Have what this library logs on standard error, unless the host has it there already."""
    ours = logging.getLogger("capi_plugins")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(_FORMAT))
    level = _log.level
    if not quiet:
        _log.setLevel(logging.INFO)
    if not _reaches_standard_error(ours):
        ours.addHandler(handler)
    try:
        yield
    finally:
        ours.removeHandler(handler)
        _log.setLevel(level)


def _reaches_standard_error(logger: logging.Logger) -> bool:
    known: logging.Logger | None = logger
    while known is not None:
        for handler in known.handlers:
            if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr:
                return True
        known = known.parent if known.propagate else None
    return False


@contextlib.contextmanager
def _signals_noted() -> Iterator[Callable[[], bool]]:
    """Note SIGTERM and Ctrl-C instead of ending; the second one is not held up."""
    # Its put may interrupt anything, where an Event's set may wait for the thread it interrupts.
    came: queue.SimpleQueue[int] = queue.SimpleQueue()
    before = {}

    def note(number: int, _frame: FrameType | None) -> None:
        came.put(number)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    with contextlib.suppress(ValueError):
        # Only the main thread gets signals, and only it may say so.
        for number in (signal.SIGTERM, signal.SIGINT):
            before[number] = signal.signal(number, note)
    try:
        yield lambda: not came.empty()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
