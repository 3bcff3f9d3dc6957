"""Gives an event that fires elsewhere the context that the shopper's own requests told.

Whatever goes wrong here costs what would have been added, and never the event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import attrs

from capi_plugins._kept import KeptContexts
from capi_plugins._subjects import Subject, subject_of_event
from capi_plugins._visitors import user_keys, visitor_keys
from capi_plugins.consent import Consent, strictest
from capi_plugins.context import RequestContext
from capi_plugins.context_store import ShopperContext
from capi_plugins.events import Event
from capi_plugins.request_owner import Owner, owner_of

if TYPE_CHECKING:
    from capi_plugins._client import Client


class Restoring:
    """Finds the shopper of an event; never raises.

    Args:
        client: Whose settings, plugins and destinations count.
        kept: What is kept of shoppers.
    """

    def __init__(self, client: Client, kept: KeptContexts) -> None:
        self._client = client
        self._kept = kept
        self._staff_are_visitors = not client.settings.exclude.staff

    def restored(
        self, event: Event, subject: Subject | None, context: RequestContext
    ) -> RequestContext:
        """Return the context an event is to be taken for: the request's own, or the shopper's.

        Args:
            event: The event.
            subject: What it is about; None: what the event itself says.
            context: The request in which it fires.
        """
        if not self._kept.usable:
            return context
        try:
            return self._restored(event, subject or subject_of_event(event), context)
        except Exception as error:
            self._kept.failed("looking for the shopper of an event", error)
            return context

    def _restored(self, event: Event, subject: Subject, context: RequestContext) -> RequestContext:
        owner = owner_of(context, staff_are_visitors=self._staff_are_visitors)
        if subject.fresh and owner is Owner.SHOPPER:
            return context
        # What was made just now has no past; somebody else had its key before.
        keys = [] if subject.fresh else list(subject.known_as)
        if owner is not Owner.SHOPPER:
            keys += user_keys(event.user_data.external_id)
        elif not keys:
            return context
        found = self._kept.find(keys)
        main = next((found[key] for key in keys if key in found), None)
        if main is None and owner is not Owner.SHOPPER:
            keys = [key for row in subject.rows for key in self._keys_of_user(row.user())]
            found = self._kept.find(keys)
            main = next((found[key] for key in keys if key in found), None)
        if main is None:
            return context
        # Whoever refuses later does so under the keys of the visitor, not under the order's.
        linked = self._kept.find([key for key in main.visitor.values() if key not in found])
        consents = _strictest_of_each([*found.values(), *linked.values()])
        if subject.fresh:
            # A telephone order, a renewal: the shopper decided once, and was nowhere when it came.
            return RequestContext(consents=consents, restored=True)
        if owner is not Owner.SHOPPER:
            return _replaced(main, consents)
        same = _is_same(main, visitor_keys(context), context)
        if same is False:
            return _replaced(main, consents)
        own = self._client.plugins.decisions(event, context, self._client.destinations)
        if same:
            refused = {
                name: consent
                for name, consent in consents.items()
                if consent is not Consent.GRANTED and name not in own
            }
            return _filled(context, main, refused)
        return _replaced(main, _strictest_of_each([attrs.evolve(main, consents=own)], consents))

    def _keys_of_user(self, user: object) -> list[str]:
        return [] if user is None else user_keys(self._client.user_data(user).external_id)


def _strictest_of_each(
    contexts: Iterable[ShopperContext], more: Mapping[str, Consent] | None = None
) -> dict[str, Consent]:
    found = dict(more or {})
    for context in contexts:
        for name, consent in context.consents.items():
            found[name] = strictest((found.get(name), consent)) or consent
    return found


def _is_same(
    kept: ShopperContext, visitor: Mapping[str, str], context: RequestContext
) -> bool | None:
    """Whether a request is by the shopper of a kept context; None: there is no telling."""
    differs = {kind for kind, key in visitor.items() if kept.visitor.get(kind, key) != key}
    equal = {kind for kind, key in visitor.items() if kept.visitor.get(kind) == key}
    if "user" in differs:
        return False
    if equal:
        return True
    if "fbp" in differs:
        return False
    if kept.client_ip_address is None or kept.client_user_agent is None:
        return None
    here = (context.client_ip_address, context.client_user_agent)
    return True if here == (kept.client_ip_address, kept.client_user_agent) else None


def _replaced(kept: ShopperContext, consents: Mapping[str, Consent]) -> RequestContext:
    cookies = {"_fbp": kept.fbp, "_fbc": kept.fbc}
    return RequestContext(
        url=kept.url,
        method="GET",
        client_ip_address=kept.client_ip_address,
        client_user_agent=kept.client_user_agent,
        cookies={name: value for name, value in cookies.items() if value},
        query={"fbclid": kept.fbclid} if kept.fbclid else {},
        received_at=kept.at,
        consents=consents,
        restored=True,
    )


def _filled(
    context: RequestContext, kept: ShopperContext, consents: Mapping[str, Consent]
) -> RequestContext:
    gaps = {"_fbp": kept.fbp, "_fbc": kept.fbc}
    missing = {
        name: value for name, value in gaps.items() if value and not context.cookies.get(name)
    }
    return attrs.evolve(
        context,
        cookies={**context.cookies, **missing} if missing else context.cookies,
        client_ip_address=context.client_ip_address or kept.client_ip_address,
        client_user_agent=context.client_user_agent or kept.client_user_agent,
        consents=consents,
    )
