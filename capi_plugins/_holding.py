"""Holds the events of visitors who have not decided, and lets them go when they do.

Events are held where deliveries wait: the outbox decides. Whatever goes wrong here costs events
that nobody has consented to, and never anything of the host's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from capi_plugins._pipeline import Processed
from capi_plugins._trouble import Trouble
from capi_plugins._visitors import VISIT, holder_keys, look_of, new_visit, visitor_keys
from capi_plugins.browser import Cookie
from capi_plugins.consent import Consent
from capi_plugins.context import RequestContext
from capi_plugins.events import Event
from capi_plugins.held_store import MOST_EACH, HeldEvent, HeldStore
from capi_plugins.outbox.base import Delivery
from capi_plugins.request_owner import Owner, owner_of

if TYPE_CHECKING:
    from capi_plugins._client import Client

_PRUNE_SECONDS = 60.0
_ASK_AGAIN_SECONDS = 60.0
_MOST_ASKED = 4_096
_TOO_MANY = "no consent (nothing was decided, and newer events needed the room)"
_NOT_STORED = "no consent (nothing was decided, and what is held cannot be stored now)"


@attrs.frozen(kw_only=True)
class Decided:
    """What becomes of held events.

    Attributes:
        released: What is to be sent, with what was held of it.
        dropped: What is not, and why.
        known: Whether the store could be asked.
    """

    released: Sequence[tuple[HeldEvent, Delivery]] = ()
    dropped: Sequence[tuple[HeldEvent, str]] = ()
    known: bool = True


class Holding:
    """What one client holds; never raises.

    Args:
        client: Whose settings, plugins and destinations count.
        store: Returns where events are held.
        clock: Seconds since the epoch.
    """

    def __init__(
        self, client: Client, store: Callable[[], HeldStore], clock: Callable[[], float]
    ) -> None:
        self.active = client.settings.consent.default == "hold"
        self._client = client
        self._store = store
        self._clock = clock
        self._minutes = client.settings.consent.hold_minutes
        self._seconds = self._minutes * 60.0
        self._staff_are_visitors = not client.settings.exclude.staff
        # When this process last looked for what is held of a visitor who has decided.
        self._asked: dict[str, float] = {}
        self._prune_from = 0.0
        self._trouble = Trouble(client.failed)

    # ------------------------------------------------------------------ the visitor

    def undecided(self, context: RequestContext) -> bool:
        """Whether events of a request may have to be held.

        Args:
            context: The request.
        """
        return self.active and self._is_visitors(context) and None in self._answers(context)

    def recognisable(self, context: RequestContext) -> RequestContext:
        """Give a visitor who cannot be told from others the cookie by which that is possible.

        Args:
            context: The request of a visitor who has not decided.
        """
        if holder_keys(context):
            return context
        return attrs.evolve(context, cookies={**context.cookies, VISIT: new_visit()})

    def cookie(
        self, context: RequestContext, processed: Iterable[Processed], *, over: bool
    ) -> Cookie | None:
        """Make the cookie to be set or taken away with an answer, if there is one.

        Args:
            context: The request.
            processed: What became of its events.
            over: Whether what was held is let go, if the visitor has decided.
        """
        visit = context.cookies.get(VISIT)
        if not (self.active and visit and self._is_visitors(context)):
            return None
        if any(item.held for item in processed):
            return _visit_cookie(context, visit, int(self._seconds))
        if not over or None in self._answers(context):
            return None
        return _visit_cookie(context, "", 0)

    def _is_visitors(self, context: RequestContext) -> bool:
        owner = owner_of(context, staff_are_visitors=self._staff_are_visitors)
        return owner is Owner.SHOPPER

    def _answers(self, context: RequestContext) -> set[Consent | None]:
        event = look_of(context)
        # Without destinations in the settings a plugin knows them, and nobody all their names.
        names = list(self._client.destinations) or [""]
        return {self._client.plugins.consent(event, context, name)[0] for name in names}

    # ------------------------------------------------------------------ holding

    def hold(self, waiting: Sequence[tuple[Processed, RequestContext]]) -> dict[int, str]:
        """Hold events.

        Args:
            waiting: What has to wait, each with the request it happened in.

        Returns:
            Why some are not held, by their number.
        """
        if not waiting:
            return {}
        lost = dict.fromkeys(range(len(waiting)), _NOT_STORED)
        if self._trouble.is_recent:
            return lost
        try:
            now = self._clock()
            events = [self._event(item, context, now) for item, context in waiting]
            refused = {event.key for event in self._store().hold(events)}
        except Exception as error:
            self._met("holding events", error)
            return lost
        for event in events:
            self._asked.pop(event.visitor, None)
        reason = f"no consent (nothing was decided, and {MOST_EACH} events of the visitor are held)"
        return {number: reason for number, event in enumerate(events) if event.key in refused}

    def _event(self, item: Processed, context: RequestContext, now: float) -> HeldEvent:
        if item.held is None:
            raise ValueError("there is nothing to hold")
        granted, limited = item.held
        return HeldEvent(
            visitor=holder_keys(context)[0],
            user=visitor_keys(context).get("user"),
            destination=item.destination or "",
            event_name=item.event.event_name,
            event_id=item.event.event_id,
            at=item.event.event_time,
            until=now + self._seconds,
            granted=granted.body,
            limited=limited.body,
            expires_at=granted.expires_at,
        )

    # ------------------------------------------------------------------ letting go

    def decided(self, context: RequestContext) -> Decided:
        """Tell what the visitor of a request lets go, and what is over.

        Args:
            context: The request.
        """
        if self._trouble.is_recent:
            return Decided(known=False)
        try:
            now = self._clock()
            over = [
                (event, self._over if event.until < now else _TOO_MANY)
                for event in self._pruned(now)
            ]
            if not self._is_visitors(context) or self._answers(context) <= {None}:
                return Decided(dropped=over)
            released, dropped = self._of_visitor(context)
            return Decided(released=released, dropped=over + dropped)
        except Exception as error:
            self._met("looking for what is held", error)
            return Decided(known=False)

    def remove(self, events: Iterable[HeldEvent]) -> None:
        """Remove what was let go.

        Args:
            events: What was released and is stored now, or was dropped.
        """
        keys = {event.key for event in events}
        try:
            if keys:
                self._store().remove(keys)
        except Exception as error:
            # The outbox knows them: if they are found again, they are duplicates there.
            self._met("removing what was held", error)

    @property
    def _over(self) -> str:
        return f"no consent (the visitor did not decide within {self._minutes} minutes)"

    def _pruned(self, now: float) -> Sequence[HeldEvent]:
        if time.monotonic() < self._prune_from:
            return ()
        self._prune_from = time.monotonic() + _PRUNE_SECONDS
        return self._store().prune(now)

    def _of_visitor(
        self, context: RequestContext
    ) -> tuple[list[tuple[HeldEvent, Delivery]], list[tuple[HeldEvent, str]]]:
        released: list[tuple[HeldEvent, Delivery]] = []
        dropped: list[tuple[HeldEvent, str]] = []
        soon = time.monotonic() - _ASK_AGAIN_SECONDS
        keys = [key for key in holder_keys(context) if self._asked.get(key, soon) <= soon]
        if not keys:
            return released, dropped
        user, now = visitor_keys(context).get("user"), self._clock()
        for held in sorted(self._store().find(keys), key=lambda held: held.at):
            if held.until < now:
                dropped.append((held, self._over))
                continue
            if None not in (user, held.user) and user != held.user:
                # Two people at one browser: each decides for themselves.
                continue
            event = event_of(held)
            answer, by = self._client.plugins.consent(event, context, held.destination)
            if answer is Consent.DENIED:
                dropped.append((held, f"no consent ({by})"))
            elif answer is not None:
                body = held.granted if answer is Consent.GRANTED else held.limited
                released.append((held, _delivery(held, body)))
        self._remember_asked(keys)
        return list(self._completed(released)), dropped

    def _completed(
        self, released: Sequence[tuple[HeldEvent, Delivery]]
    ) -> Iterator[tuple[HeldEvent, Delivery]]:
        of_destination: dict[str, list[tuple[HeldEvent, Delivery]]] = {}
        for item in released:
            of_destination.setdefault(item[1].destination, []).append(item)
        for name, together in of_destination.items():
            payloads = [delivery.payload for _, delivery in together]
            if destination := self._client.destinations.get(name):
                try:
                    payloads = list(destination.released(payloads))
                except Exception as error:
                    self._client.failed(f"destination {name}", error)
            for (held, delivery), payload in zip(together, payloads, strict=True):
                yield held, attrs.evolve(delivery, payload=payload)

    def ask_again(self, context: RequestContext) -> None:
        """Look for what is held of a visitor the next time too: it could not be let go.

        Args:
            context: The visitor's request.
        """
        for key in holder_keys(context):
            self._asked.pop(key, None)

    def _remember_asked(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._asked.pop(key, None)
            self._asked[key] = time.monotonic()
        while len(self._asked) > _MOST_ASKED:
            self._asked.pop(next(iter(self._asked)), None)

    def _met(self, where: str, error: Exception) -> None:
        self._trouble.met(where, error, passing=getattr(error, "passing", False))


def event_of(held: HeldEvent) -> Event:
    """Return what is still known of a held event, for who is told of it.

    Args:
        held: The held event.
    """
    return Event(event_name=held.event_name, event_id=held.event_id, event_time=held.at)


def _delivery(held: HeldEvent, body: bytes) -> Delivery:
    return Delivery(
        destination=held.destination,
        event_name=held.event_name,
        event_id=held.event_id,
        payload=body,
        expires_at=held.expires_at,
    )


def _visit_cookie(context: RequestContext, value: str, max_age: int) -> Cookie:
    return Cookie(
        name=VISIT,
        value=value,
        max_age=max_age,
        secure=(context.url or "").startswith("https:"),
        http_only=True,
    )
