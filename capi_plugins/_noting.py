"""What is noted in a request, until it is captured: at its end, or when the host has committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from capi_plugins._capturing import Capturing
from capi_plugins._pipeline import Processed
from capi_plugins._scope import MOST_PENDING, About, Build, OnCommit, Pending, RequestScope
from capi_plugins.context import NO_REQUEST

if TYPE_CHECKING:
    from capi_plugins._client import Client


class Noting:
    """Keeps events with their requests; never raises.

    Args:
        client: Whose events they are.
        capturing: Takes them when it is time.
    """

    def __init__(self, client: Client, capturing: Capturing) -> None:
        self._client = client
        self._capturing = capturing

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
                    held = self._capturing.hold(early, scope, database, early_about)
                    pending.held = tuple(held)
                on_commit(lambda: self._confirm(scope, pending))
            elif scope is None:
                self._capturing.capture_noted([pending], NO_REQUEST)
        except Exception as error:
            self._client.failed("note", error)

    def finish(self, scope: RequestScope, matched: list[Pending]) -> list[Processed]:
        """Capture what a request has noted.

        Args:
            scope: The request, which is over.
            matched: What its end makes besides.

        Returns:
            What became of its events.
        """
        scope.open = False
        # What is not confirmed yet is captured when it is, without the scope's help.
        noted, scope.pending = scope.pending, []
        noted = [pending for pending in noted if pending.confirmed] + matched
        created, scope.created = scope.created, []
        try:
            if noted or created:
                return self._capturing.capture_noted(noted, scope.context, created)
        except Exception as error:
            self._client.failed("finish", error)
        return []

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
                self._capturing.capture_noted([pending], context)
        except Exception as error:
            self._client.failed("confirm", error)
