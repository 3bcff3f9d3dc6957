"""The browser half: cookies for visitors who consented, and the twins of the server's events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import attrs

from capi_plugins._pipeline import Pipeline, Processed
from capi_plugins.browser import (
    CARRIED_SECONDS,
    CARRIER,
    BrowserEvent,
    Cookie,
    carried,
    uncarried,
)
from capi_plugins.collecting import Collecting
from capi_plugins.context import RequestContext
from capi_plugins.destinations.base import Destination, Payload
from capi_plugins.outbox.base import Delivery
from capi_plugins.settings import BrowserSettings
from capi_plugins.site import load_suffixes

Lacking = dict[str, tuple[str, Cookie]]


@attrs.frozen(kw_only=True)
class BrowserAnswer:
    """What an adapter adds to an answer of the host.

    Attributes:
        cookies: Cookies to set.
        script: JavaScript for the page, without its element; empty: none.
        twin: How a page that sent an event is to send it itself, and under which id; empty: it
            is not.
    """

    cookies: tuple[Cookie, ...] = ()
    script: str = attrs.field(default="", repr=False)
    twin: str = ""


class BrowserHalf:
    """Decides what goes to browsers. Nothing does without consent.

    Args:
        settings: What is wanted.
        pipeline: Knows who consented to what.
        destinations: The configured destinations, by name.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        settings: BrowserSettings,
        pipeline: Pipeline,
        destinations: Mapping[str, Destination],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.collecting = Collecting(settings)
        self._pipeline = pipeline
        self._destinations = destinations
        self._clock = clock

    def prepare(self) -> None:
        """Do what the first visitor should not wait for."""
        if self.settings.cookies:
            load_suffixes()

    def lacking(self, context: RequestContext) -> Lacking:
        """Make the cookies that a visitor lacks, each with the destination that wants it.

        Args:
            context: The visitor's request.
        """
        if not self.settings.cookies:
            return {}
        now = self._clock()
        found: Lacking = {}
        for name, destination in self._destinations.items():
            cookies = destination.browser_cookies(context, now=now)
            # Who refuses gets none, and must not be taken for somebody who has them.
            if cookies and self._pipeline.allows(context, name):
                for cookie in cookies:
                    found.setdefault(cookie.name, (name, cookie))
        return found

    def answer(
        self,
        context: RequestContext,
        lacking: Lacking,
        processed: Sequence[Processed],
        released: Sequence[Delivery] = (),
        *,
        page: bool,
        by: str = "",
    ) -> BrowserAnswer:
        """Decide what goes with an answer of the host.

        Args:
            context: The visitor's request.
            lacking: The cookies it lacks.
            processed: What became of the request's events.
            released: What was held until the visitor agreed, and was queued just now.
            page: Whether the answer is a page that may have code in it. If not, its events wait for
                the next page.
            by: How the page that made the request sends its events by itself; empty: it does not.
        """
        own = [item for item in processed if _is_of(item, context)]
        show = page and self.settings.pixel
        known = {item.destination: item.payload for item in own}
        if (show or lacking) and not known.keys() >= self._destinations.keys():
            for item in self._pipeline.visitor(context):
                known.setdefault(item.destination, item.payload)
        cookies = [cookie for name, cookie in lacking.values() if name in known]
        script = twin = ""
        if self.settings.pixel:
            held = context.cookies.get(CARRIER, "")
            sent = [(each.destination, Payload(body=each.payload)) for each in released]
            sent += [(each.destination or "", each.payload) for each in own if each.payload]
            twins = list(self._twins(sent))
            events = [*uncarried(held), *twins]
            if by:
                twin = self._to_be_sent(by, twins)
            elif show:
                script = self._script(known, events)
                if held:
                    cookies.append(_carrier(context, ""))
            elif twins and context.cookies:
                cookies.append(_carrier(context, carried(events)))
        return BrowserAnswer(cookies=tuple(cookies), script=script, twin=twin)

    def released_cookies(
        self, released: Sequence[Delivery], context: RequestContext
    ) -> list[Cookie]:
        """Make the cookies that a visitor would have got while events were held.

        Args:
            released: What was held until the visitor agreed, and was queued just now.
            context: The visitor's request.
        """
        found: dict[str, Cookie] = {}
        for delivery in released if self.settings.cookies else ():
            if destination := self._destinations.get(delivery.destination):
                payload = Payload(body=delivery.payload)
                # The last click counts.
                found |= {
                    cookie.name: cookie for cookie in destination.released_cookies(payload, context)
                }
        return list(found.values())

    def _to_be_sent(self, by: str, twins: Sequence[BrowserEvent]) -> str:
        """Tell a page to send its event, if every dataset that may be in it gets a twin."""
        ids = {twin.event_id for twin in twins}
        takers = {
            name
            for name, destination in self._destinations.items()
            if type(destination).browser_event is not Destination.browser_event
        }
        if len(ids) == 1 and takers == {twin.destination for twin in twins}:
            return f"{by} {ids.pop()}"
        return ""

    def _twins(self, sent: Iterable[tuple[str, Payload]]) -> Iterator[BrowserEvent]:
        for name, payload in sent:
            destination = self._destinations.get(name)
            if destination and (twin := destination.browser_event(payload)):
                yield twin

    def _script(
        self, known: Mapping[str | None, Payload | None], events: Sequence[BrowserEvent]
    ) -> str:
        chosen = [
            (destination, payload)
            for name, destination in self._destinations.items()
            if (payload := known.get(name)) is not None
        ]
        return "".join(
            destination.browser_script(
                payload,
                [event for event in events if event.destination == destination.name],
                alone=len(chosen) == 1,
            )
            for destination, payload in chosen
        )


def _is_of(item: Processed, context: RequestContext) -> bool:
    """Whether an event is sent and is this visitor's: staff and webhooks tell of others'."""
    known = item.event.user_data
    return (
        item.payload is not None
        and known.client_user_agent == context.client_user_agent
        and known.client_ip_address == context.client_ip_address
    )


def _carrier(context: RequestContext, value: str) -> Cookie:
    return Cookie(
        name=CARRIER,
        value=value,
        max_age=CARRIED_SECONDS if value else 0,
        secure=(context.url or "").startswith("https:"),
        http_only=True,
    )
