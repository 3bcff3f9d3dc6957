"""Which destinations are stopped, known to all processes if the outbox has a noticeboard."""

from __future__ import annotations

import hashlib
import logging

import attrs

from capi_plugins._retry import STOPPED
from capi_plugins.destinations.base import Destination
from capi_plugins.leaving import pass_on
from capi_plugins.outbox.base import Noticeboard, Outbox, Standing

_log = logging.getLogger("capi_plugins.worker")
_WRITE_EVERY = 30.0
_PROBE = 60.0
"""How long the others are held while one process tries, seconds: more than a request takes."""


class Standings:
    """How the destinations of an outbox have taken what was sent to them.

    Args:
        outbox: Where other processes can read it, if it is a ``Noticeboard``.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._board = outbox if isinstance(outbox, Noticeboard) else None
        self._own: dict[str, Standing] = {}

    def held_until(self, name: str, destination: Destination | None, *, now: float) -> float:
        """When the next request may be made; not after ``now``: at once.

        Args:
            name: The destination's name.
            destination: The destination; with another configuration than the one that was
                stopped there is nothing to wait for.
            now: Seconds since the epoch.
        """
        return _held_until(self._stopped(name, destination), now)

    def turn(self, name: str, destination: Destination | None, *, now: float) -> float:
        """Ask for a turn to send; when to ask again, not after ``now``: at once.

        Of all processes one gets a turn with a stopped destination, when its time has come.

        Args:
            name: The destination's name.
            destination: The destination.
            now: Seconds since the epoch.
        """
        known = self._stopped(name, destination)
        until = _held_until(known, now)
        if until > now or known is None or self._board is None:
            return until
        try:
            mine = self._board.probe(known, until=now + _PROBE)
        except Exception as error:
            pass_on(error)
            _log.debug("the noticeboard cannot be written: %s", type(error).__name__)
            return 0.0
        return 0.0 if mine else now + _PROBE

    def is_stopped(self, name: str, destination: Destination | None) -> bool:
        """Whether it is stopped, as far as anybody knows: another process may have got through.

        Args:
            name: The destination's name.
            destination: The destination.
        """
        return self._stopped(name, destination) is not None

    def _stopped(self, name: str, destination: Destination | None) -> Standing | None:
        """Return what is known of a destination if it is stopped with this configuration."""
        known = self._known(name)
        if known is None or known.stopped_until is None:
            return None
        return known if known.configuration == fingerprint(destination) else None

    def answered(self, name: str, destination: Destination, *, now: float) -> None:
        """Note that a destination deals with what it gets, accepted or refused.

        It is written down when that is news, and else now and then only, because it costs a commit.

        Args:
            name: The destination's name.
            destination: The destination.
            now: Seconds since the epoch.
        """
        known = self._known(name)
        if known is None or _is_failing(known) or not 0 <= now - known.tried_at < _WRITE_EVERY:
            self._post(name, destination, now, reason=None, stopped_until=None)

    def refused(
        self,
        name: str,
        destination: Destination | None,
        *,
        now: float,
        reason: str,
        stopped_until: float | None,
    ) -> None:
        """Note that a destination has not accepted a batch.

        Args:
            name: The destination's name.
            destination: The destination; None: there is none of this name.
            now: Seconds since the epoch.
            reason: Why, in words without match keys.
            stopped_until: When it is tried again if its configuration is wrong.
        """
        self._post(name, destination, now, reason=reason, stopped_until=stopped_until)

    def _known(self, name: str) -> Standing | None:
        if self._board is not None:
            try:
                found = self._board.standings()
                return next((each for each in found if each.destination == name), None)
            except Exception as error:
                pass_on(error)
                _log.debug("the noticeboard cannot be read: %s", type(error).__name__)
        return self._own.get(name)

    def _post(
        self,
        name: str,
        destination: Destination | None,
        now: float,
        *,
        reason: str | None,
        stopped_until: float | None,
    ) -> None:
        standing = Standing(
            destination=name,
            configuration=fingerprint(destination),
            tried_at=now,
            failed_at=now,
            reason=reason,
            stopped_until=stopped_until,
        )
        if reason is None:
            before = self._known(name)
            standing = attrs.evolve(
                standing,
                failed_at=before.failed_at if before else None,
                reason=before.reason if before else None,
            )
        self._own[name] = standing
        if self._board is not None:
            try:
                self._board.post(standing)
            except Exception as error:
                pass_on(error)
                # Others find out for themselves; sending goes on.
                _log.debug("the noticeboard cannot be written: %s", type(error).__name__)


def _held_until(known: Standing | None, now: float) -> float:
    until = known and known.stopped_until
    # Later than that, and the clock was set back since.
    return until if until and until <= now + STOPPED else 0.0


def _is_failing(known: Standing) -> bool:
    failed_last = known.failed_at is not None and known.failed_at >= known.tried_at
    return failed_last or known.stopped_until is not None


def fingerprint(destination: Destination | None) -> str:
    """Tell configurations apart by a part of a digest, which gives no secret away."""
    if destination is None:
        return ""
    kind = type(destination)
    options = sorted((name, repr(_now(value))) for name, value in destination.options.items())
    described = repr((kind.__module__, kind.__qualname__, options))
    return hashlib.sha256(described.encode()).hexdigest()[:16]


def _now(option: object) -> object:
    """Ask options that are functions what they are now."""
    if not callable(option):
        return option
    try:
        return option()
    except Exception:
        return None
