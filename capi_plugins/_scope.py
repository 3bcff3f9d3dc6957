"""One request of the host: what was noted in it, and its context."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import attrs

from capi_plugins._browser import Lacking
from capi_plugins._subjects import Subject, subject_of
from capi_plugins._triggers import Offer, Trigger
from capi_plugins.browser import Cookie
from capi_plugins.context import NO_REQUEST, RequestContext
from capi_plugins.context_store import Identify
from capi_plugins.events import Event
from capi_plugins.http_context import fit_url, parse_query, printable
from capi_plugins.outbox.base import Delivery

if TYPE_CHECKING:
    from capi_plugins._client import Client

MOST_PENDING = 100
"""Most events noted in one request, and most things kept in mind that it made."""

Build = Callable[[], Event | None]
About = Callable[[], Subject]
OnCommit = Callable[[Callable[[], None]], None]


class Pending:
    """An event that was noted, and is captured at the end of the request if it is confirmed.

    What an outbox holds of it goes without its help if the process ends before that. It is
    ``unseen`` when the request has failed, so that its visitor was shown nothing.
    """

    __slots__ = ("build", "confirmed", "held", "subject", "unseen")

    def __init__(self, build: Build, *, confirmed: bool, subject: About | None = None) -> None:
        self.build = build
        self.confirmed = confirmed
        self.subject = subject
        self.held: tuple[Delivery, ...] = ()
        self.unseen = False

    @classmethod
    def of_trigger(cls, trigger: Trigger, offer: Offer, identify: Identify) -> Pending:
        """Note what a trigger makes of a finished request."""
        return cls(
            lambda: trigger.build(offer()),
            confirmed=True,
            subject=lambda: subject_of(trigger, offer(), identify, fresh=False),
        )


class RequestScope:
    """One request: what was noted and made in it, and its context, which is made when needed.

    Args:
        client: The client that opened it.
        context_factory: Makes the context.
    """

    def __init__(self, client: Client, context_factory: Callable[[], RequestContext]) -> None:
        self.client = client
        self.pending: list[Pending] = []
        self.created: list[About] = []
        self.open = True
        self.lacking: Lacking = {}
        self.cookies: list[Cookie] = []
        self.released: Sequence[Delivery] = ()
        self.sent_by = ""
        self._page: str | None = None
        self._factory = context_factory
        self._context: RequestContext | None = None

    @property
    def context(self) -> RequestContext:
        """The request in neutral words; empty when the adapter cannot tell.

        It has the cookies that the visitor is about to get, so that the first event has them too.
        """
        if self._context is None:
            self._context = self._with_new_cookies(self.context_now())
        return self._context

    def set_cookies(self, cookies: Sequence[Cookie]) -> None:
        """Set cookies with the answer; what happens in the request has them already.

        Args:
            cookies: The cookies.
        """
        if cookies:
            self.cookies += cookies
            self._context = _with_cookies(self.context, cookies)

    def happened_at(self, url: str) -> None:
        """Say on which page of the host it was, when the request was made by a script there.

        Args:
            url: URL of the page.
        """
        self._page = fit_url(printable(url))
        self._context = None

    def context_now(self) -> RequestContext:
        """Return the request as it is at this moment; it is not kept."""
        try:
            context = self._factory()
            if self._page is None:
                return context
            query = parse_query(self._page.partition("#")[0].partition("?")[2])
            return attrs.evolve(context, url=self._page, query=query)
        except Exception as error:
            self.client.failed("context", error)
            return NO_REQUEST

    def _with_new_cookies(self, context: RequestContext) -> RequestContext:
        try:
            if self.client.holding.undecided(context):
                context = self.client.holding.recognisable(context)
            self.lacking = self.client.browser.lacking(context)
        except Exception as error:
            self.client.failed("cookies", error)
        return _with_cookies(context, [cookie for _, cookie in self.lacking.values()])


def _with_cookies(context: RequestContext, cookies: Sequence[Cookie]) -> RequestContext:
    if not cookies:
        return context
    new = {cookie.name: cookie.value for cookie in cookies}
    return attrs.evolve(context, cookies={**context.cookies, **new})


current: contextvars.ContextVar[RequestScope | None] = contextvars.ContextVar(
    "capi_plugins_scope", default=None
)
"""The request being handled here; a ContextVar, because threads are shared under ASGI."""
