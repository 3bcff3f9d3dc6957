"""Keeps what the shopper's own requests tell, and gives it back to events that fire elsewhere.

Contexts are kept where deliveries wait: the outbox decides. Whatever goes wrong here costs what
would have been added, and never the event.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from capi_plugins._once import LOOKS, once_a_visit
from capi_plugins._subjects import Subject, subject_of_event
from capi_plugins._telling import Telling
from capi_plugins._visitors import look_of, user_keys, visitor_keys
from capi_plugins.builtin.request_data import browser_data, without_secrets
from capi_plugins.consent import Consent, strictest
from capi_plugins.context import RequestContext
from capi_plugins.context_store import ContextStore, ShopperContext, key_of, person
from capi_plugins.events import Event, UserData
from capi_plugins.request_owner import Owner, owner_of

if TYPE_CHECKING:
    from capi_plugins._client import Client

_DAY = 86_400.0
_MOST_KNOWN = 4_096
_MOST_URL = 1_024
_REFUSAL_KNOWN = 60.0
_REST_AFTER_TROUBLE = 1.0


class Remembering:
    """The context store of one client; never raises.

    Args:
        client: Whose settings, plugins and destinations count.
        contexts: Returns where contexts are kept.
        clock: Seconds since the epoch.
    """

    def __init__(
        self, client: Client, contexts: Callable[[], ContextStore], clock: Callable[[], float]
    ) -> None:
        settings = client.settings
        self._client = client
        self._contexts = contexts
        self._clock = clock
        self._seconds = settings.context_days * _DAY
        self._staff_are_visitors = not settings.exclude.staff
        self._default = Consent.GRANTED if settings.consent.default == "granted" else Consent.DENIED
        # What this process wrote last for a visitor: a page view that changes nothing is free.
        self._known: dict[str, tuple[object, float]] = {}
        self._rest_until = 0.0
        self._telling = Telling(client.failed)

    # ------------------------------------------------------------------ giving back

    def restored(
        self, event: Event, subject: Subject | None, context: RequestContext
    ) -> RequestContext:
        """Return the context an event is to be taken for: the request's own, or the shopper's.

        Args:
            event: The event.
            subject: What it is about; None: what the event itself says.
            context: The request in which it fires.
        """
        if not self._works():
            return context
        try:
            return self._restored(event, subject or subject_of_event(event), context)
        except Exception as error:
            self._trouble("looking for the shopper of an event", error)
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
        found = self._find(keys)
        main = next((found[key] for key in keys if key in found), None)
        if main is None and owner is not Owner.SHOPPER:
            keys = [key for row in subject.rows for key in self._keys_of_user(row.user())]
            found = self._find(keys)
            main = next((found[key] for key in keys if key in found), None)
        if main is None:
            return context
        # Whoever refuses later does so under the keys of the visitor, not under the order's.
        linked = self._find([key for key in main.visitor.values() if key not in found])
        consents = _strictest_of_each([*found.values(), *linked.values()])
        if subject.fresh:
            # A telephone order, a renewal: the shopper decided once, and was nowhere when it came.
            return RequestContext(consents=consents, restored=True)
        if owner is not Owner.SHOPPER:
            return _replaced(main, consents)
        same = _is_same(main, visitor_keys(context), context)
        if same is False:
            return _replaced(main, consents)
        own = self._decisions(event, context)
        if same:
            refused = {
                name: consent
                for name, consent in consents.items()
                if consent is not Consent.GRANTED and name not in own
            }
            return _filled(context, main, refused)
        return _replaced(main, _strictest_of_each([attrs.evolve(main, consents=own)], consents))

    def _find(self, keys: Sequence[str]) -> dict[str, ShopperContext]:
        if not keys:
            return {}
        oldest = self._clock() - self._seconds
        found = self._contexts().find(keys)
        return {key: context for key, context in found.items() if context.at >= oldest}

    def once_a_visit(self, event: Event, context: RequestContext) -> Event:
        """Give a look at a product the id that all looks of the visitor at it have for a while."""
        if event.event_name not in LOOKS:
            return event
        try:
            visitor = visitor_keys(context)
            address = (context.client_ip_address, context.client_user_agent)
            if None not in address:
                visitor["address"] = key_of("address", *address)
            return once_a_visit(event, visitor)
        except Exception as error:
            self._client.failed("telling a look from another", error)
            return event

    # ------------------------------------------------------------------ keeping

    def remember(self, subjects: Iterable[Subject], context: RequestContext) -> None:
        """Keep what a request tells, if it is the shopper's own and there is a use for it.

        Args:
            subjects: What its events are about, and what it made.
            context: The request.
        """
        if not self._works() or context.restored:
            return
        try:
            self._remember(list(subjects), context)
        except Exception as error:
            self._trouble("keeping the context of a shopper", error)

    def _remember(self, subjects: Sequence[Subject], context: RequestContext) -> None:
        if owner_of(context, staff_are_visitors=self._staff_are_visitors) is not Owner.SHOPPER:
            return
        visitor = visitor_keys(context)
        fresh = {key for subject in subjects if subject.fresh for key in subject.known_as}
        about = {key for subject in subjects for key in subject.known_as} - fresh
        if not (visitor or fresh or about):
            return
        decided = self._decisions(look_of(context), context)
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
        oldest = self._clock() - self._seconds
        self._contexts().keep(told, replace={*changed, *fresh}, add=about, oldest=oldest)
        self._note_known(changed, told)

    def _withdrawn(
        self, told: ShopperContext, context: RequestContext, changed: Sequence[str]
    ) -> list[str]:
        """Have removed what waits for somebody who refuses now, and did not before.

        Returns:
            The keys under which the refusal is not kept yet.
        """
        found = self._find(list(told.visitor.values()))
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
            and found[key].at > told.at - _DAY / 2
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
            refusal = ShopperContext(at=self._clock(), consents=decided, visitor=visitor)
            return refusal if decided else None
        known = browser_data(context)
        return ShopperContext(
            at=self._clock(),
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
        oldest = told.at - (_REFUSAL_KNOWN if refused else _DAY / 2)
        return [
            key
            for key in keys
            if (before := self._known.get(key)) is None or before[0] != now or before[1] < oldest
        ]

    def _decisions(self, event: Event, context: RequestContext) -> dict[str, Consent]:
        answers = {
            name: self._client.plugins.consent(event, context, name)[0]
            for name in self._client.destinations
        }
        return {name: answer for name, answer in answers.items() if answer is not None}

    # ------------------------------------------------------------------ who

    def _keys_of_user(self, user: object) -> list[str]:
        return [] if user is None else user_keys(self._client.user_data(user).external_id)

    def _people(self, users: Sequence[UserData]) -> tuple[str, ...]:
        hashes = (
            hashed
            for destination in self._client.destinations.values()
            for user in users
            for hashed in destination.hashes_of(user)
        )
        return tuple(dict.fromkeys(map(person, hashes)))

    def _works(self) -> bool:
        return self._seconds > 0 and time.monotonic() >= self._rest_until

    def _trouble(self, where: str, error: Exception) -> None:
        # A store that hangs must not cost every request of the host its patience.
        self._rest_until = time.monotonic() + _REST_AFTER_TROUBLE
        self._telling.failed(where, error)


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
