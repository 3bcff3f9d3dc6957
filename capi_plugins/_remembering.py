"""Keeps what the shopper's own requests tell, for events that fire elsewhere.

Whatever goes wrong here costs what would have been kept, and never the event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from capi_plugins._kept import KeptContexts
from capi_plugins._subjects import Subject
from capi_plugins._visitors import look_of, visitor_keys
from capi_plugins.builtin.request_data import browser_data, without_secrets
from capi_plugins.consent import Consent
from capi_plugins.context import RequestContext
from capi_plugins.context_store import ShopperContext, person
from capi_plugins.events import UserData
from capi_plugins.request_owner import Owner, owner_of

if TYPE_CHECKING:
    from capi_plugins._client import Client

_HALF_A_DAY = 43_200.0
_MOST_KNOWN = 4_096
_MOST_URL = 1_024
_REFUSAL_KNOWN = 60.0


class Remembering:
    """Keeps contexts for one client; never raises.

    Args:
        client: Whose settings, plugins and destinations count.
        kept: What is kept of shoppers.
    """

    def __init__(self, client: Client, kept: KeptContexts) -> None:
        settings = client.settings
        self._client = client
        self._kept = kept
        self._staff_are_visitors = not settings.exclude.staff
        self._default = Consent.GRANTED if settings.consent.default == "granted" else Consent.DENIED
        # What this process wrote last for a visitor: a page view that changes nothing is free.
        self._known: dict[str, tuple[object, float]] = {}

    def remember(self, subjects: Iterable[Subject], context: RequestContext) -> None:
        """Keep what a request tells, if it is the shopper's own and there is a use for it.

        Args:
            subjects: What its events are about, and what it made.
            context: The request.
        """
        if not self._kept.usable or context.restored:
            return
        try:
            self._remember(list(subjects), context)
        except Exception as error:
            self._kept.failed("keeping the context of a shopper", error)

    def _remember(self, subjects: Sequence[Subject], context: RequestContext) -> None:
        if owner_of(context, staff_are_visitors=self._staff_are_visitors) is not Owner.SHOPPER:
            return
        visitor = visitor_keys(context)
        fresh = {key for subject in subjects if subject.fresh for key in subject.known_as}
        about = {key for subject in subjects for key in subject.known_as} - fresh
        if not (visitor or fresh or about):
            return
        decided = self._client.plugins.decisions(
            look_of(context), context, self._client.destinations
        )
        refused = Consent.DENIED in decided.values()
        keys = [
            key
            for kind, key in visitor.items()
            # What was said of a browser once may be the contrary by now.
            if kind != "fbp" or fresh or about or refused or key in self._known
        ]
        if not (keys or fresh or about):
            return
        told = self._told(context, decided, visitor)
        if told is None:
            return
        changed = self._changed(told, keys)
        if refused and changed:
            changed = self._withdrawn(told, context, changed)
        if not (changed or fresh or about):
            return
        users = [context.user]
        if fresh or about:
            users += [subject.user for subject in subjects]
        told = attrs.evolve(told, url=_short(told.url), people=self._people(users))
        self._kept.keep(told, replace={*changed, *fresh}, add=about)
        self._note_known(changed, told)

    def _withdrawn(
        self, told: ShopperContext, context: RequestContext, changed: Sequence[str]
    ) -> list[str]:
        """Have removed what waits for somebody who refuses now, and did not before.

        Returns:
            The keys under which the refusal is not kept yet.
        """
        found = self._kept.find(list(told.visitor.values()))
        before = found.values()
        # Of who never agreed nothing waits, and nothing is looked for. Without anything kept, the
        # cookie tells: who never agreed has none of ours.
        unknown = not found and "_fbp" in context.cookies
        names = [
            name
            for name, consent in told.consents.items()
            if consent is Consent.DENIED
            and (unknown or any(self._may_have_sent(each, name) for each in before))
        ]
        if names:
            self._client.delivering.withdraw(
                {name: self._traces(name, context, before) for name in names}
            )
        now = _fingerprint(told)
        kept = {
            key
            for key in changed
            if key in found
            and _fingerprint(found[key]) == now
            and found[key].at > told.at - _HALF_A_DAY
        }
        self._note_known(kept, told)
        return [key for key in changed if key not in kept]

    def _may_have_sent(self, kept: ShopperContext, name: str) -> bool:
        return kept.consents.get(name, self._default) is not Consent.DENIED

    def _traces(
        self, name: str, context: RequestContext, before: Iterable[ShopperContext]
    ) -> list[str]:
        """Tell how a visitor stands in payloads: now, and in what was kept."""
        destination = self._client.destinations[name]
        found = [*destination.hashes_of(context.user), *destination.browser_traces(context)]
        for kept in before:
            found += kept.people
            if kept.fbp:
                found += destination.browser_traces(RequestContext(cookies={"_fbp": kept.fbp}))
        return list(dict.fromkeys(found))

    def _note_known(self, keys: Iterable[str], told: ShopperContext) -> None:
        for key in keys:
            self._known.pop(key, None)
            self._known[key] = (_fingerprint(told), told.at)
        while len(self._known) > _MOST_KNOWN:
            self._known.pop(next(iter(self._known)), None)

    def _told(
        self, context: RequestContext, decided: Mapping[str, Consent], visitor: Mapping[str, str]
    ) -> ShopperContext | None:
        """Choose what to keep: of who refuses everything, that; of who is not asked, nothing.

        The people it is about, and the page without its secrets, are found out when it is kept.
        """
        names = self._client.destinations or decided
        if all(decided.get(name, self._default) is Consent.DENIED for name in names):
            refusal = ShopperContext(at=self._kept.now(), consents=decided, visitor=visitor)
            return refusal if decided else None
        known = browser_data(context)
        return ShopperContext(
            at=self._kept.now(),
            fbp=_text(known["fbp"]),
            fbc=_text(known["fbc"]),
            fbclid=_text(known["fbclid"]),
            client_ip_address=context.client_ip_address,
            client_user_agent=context.client_user_agent,
            url=context.url,
            consents=decided,
            visitor=visitor,
        )

    def _changed(self, told: ShopperContext, keys: Iterable[str]) -> list[str]:
        """Choose the keys of the visitor under which something new is to be kept."""
        now = _fingerprint(told)
        # Another process may have kept that the visitor agreed in the meantime.
        refused = Consent.DENIED in told.consents.values()
        oldest = told.at - (_REFUSAL_KNOWN if refused else _HALF_A_DAY)
        return [
            key
            for key in keys
            if (before := self._known.get(key)) is None or before[0] != now or before[1] < oldest
        ]

    def _people(self, users: Sequence[UserData]) -> tuple[str, ...]:
        hashes = (
            hashed
            for destination in self._client.destinations.values()
            for user in users
            for hashed in destination.hashes_of(user)
        )
        return tuple(dict.fromkeys(map(person, hashes)))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _short(url: str | None) -> str | None:
    url = without_secrets(url) if url else ""
    url = url if len(url) <= _MOST_URL else url.partition("?")[0]
    return url if url and len(url) <= _MOST_URL else None


def _fingerprint(told: ShopperContext) -> object:
    # One page or another makes no difference, nor does what an order adds.
    browser = (told.fbp, told.fbc, told.fbclid, told.client_ip_address, told.client_user_agent)
    return (*browser, told.consents, told.visitor)
