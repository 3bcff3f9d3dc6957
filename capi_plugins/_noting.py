"""What is noted in a request, until it is captured: at its end, or when the host has committed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from capi_plugins._building import Building
from capi_plugins._capturing import Capturing
from capi_plugins._holding import Holding
from capi_plugins._pipeline import Processed
from capi_plugins._scope import MOST_PENDING, About, Build, OnCommit, Pending, RequestScope
from capi_plugins.context import NO_REQUEST, FinishedRequest

if TYPE_CHECKING:
    from capi_plugins._client import Client

_FAILED = 500


class Noting:
    """Keeps events with their requests; never raises.

    Args:
        client: Whose events they are.
        building: Builds them when it is time.
        capturing: Takes what was held.
        holding: Holds what visitors have not decided about.
    """

    def __init__(
        self, client: Client, building: Building, capturing: Capturing, holding: Holding
    ) -> None:
        self._client = client
        self._building = building
        self._capturing = capturing
        self._holding = holding

    def note(
        self,
        pending: Pending,
        *,
        on_commit: OnCommit | None,
        database: str | None,
        early: Build,
        early_about: About | None,
    ) -> None:
        """Note an event; see ``Client.note``.

        Args:
            pending: The event.
            on_commit: Registers what is to be called when the host's transaction commits.
            database: Name of the database whose transaction that is.
            early: Makes the event from what is known now.
            early_about: Tells from what is known now what it is about.
        """
        try:
            scope = self._client.current_scope()
            if scope is not None and not self._keep(scope, pending):
                return
            if on_commit is not None:
                if database is not None:
                    held = self._building.hold(early, scope, database, early_about)
                    pending.held = tuple(held)
                on_commit(lambda: self._confirm(scope, pending))
            elif scope is None:
                self._building.capture_noted([pending], NO_REQUEST)
        except Exception as error:
            self._client.failed("note", error)

    def finish(
        self,
        scope: RequestScope,
        matched: list[Pending],
        finished: FinishedRequest | None = None,
    ) -> list[Processed]:
        """Capture what a request has noted, and what its visitor has decided about.

        Args:
            scope: The request, which is over.
            matched: What its end makes besides.
            finished: How it ended; None: that was told before, or nobody knows.

        Returns:
            What became of its events.
        """
        scope.open = False
        # What is not confirmed yet is captured when it is, without the scope's help.
        noted, scope.pending = scope.pending, []
        for pending in noted:
            pending.unseen = finished is not None and finished.status >= _FAILED
        noted = [pending for pending in noted if pending.confirmed] + matched
        created, scope.created = scope.created, []
        results: list[Processed] = []
        holds = self._client.active and self._holding.active
        # Where nothing happens and no page is shown, nobody is looked for.
        visited = finished and holds and (noted or finished.content_type == "text/html")
        # First: the click of an earlier page belongs to what happens in this request too.
        over = bool(visited) and self._release(scope)
        try:
            if noted or created:
                results = self._building.capture_noted(noted, scope.context, created)
        except Exception as error:
            self._client.failed("finish", error)
        if visited:
            self._recognise(scope, results, over=over)
        return results

    def _release(self, scope: RequestScope) -> bool:
        """Let go what was held of the visitor of a request, if the visitor has decided.

        Returns:
            Whether nothing of that is left to be done.
        """
        try:
            over, scope.released = self._capturing.release(scope.context)
            browser = self._client.browser
            scope.set_cookies(browser.released_cookies(scope.released, scope.context))
        except Exception as error:
            self._client.failed("deciding about what is held", error)
            return False
        return over

    def _recognise(
        self, scope: RequestScope, processed: Sequence[Processed], *, over: bool
    ) -> None:
        """Give a visitor of whom events are held the cookie by which that is known, or take it."""
        try:
            if cookie := self._holding.cookie(scope.context, processed, over=over):
                scope.cookies.append(cookie)
        except Exception as error:
            self._client.failed("deciding about what is held", error)

    def _keep(self, scope: RequestScope, pending: Pending) -> bool:
        if len(scope.pending) < MOST_PENDING:
            scope.pending.append(pending)
            return True
        reason = f"more than {MOST_PENDING} events in one request"
        self._capturing.dropped(None, None, reason)
        return False

    def _confirm(self, scope: RequestScope | None, pending: Pending) -> None:
        try:
            pending.confirmed = True
            if scope is None or not scope.open:
                context = scope.context if scope else NO_REQUEST
                self._building.capture_noted([pending], context)
        except Exception as error:
            self._client.failed("confirm", error)
