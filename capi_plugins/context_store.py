"""The context store: what a shopper's own request told, kept for events that fire elsewhere.

An order is paid in a payment provider's request, marked as paid by a member of staff, renewed by a
task at night. Address, browser, click ids and consent there are somebody else's or nobody's. So
what the shopper's own requests tell is kept under the keys of what the event will be about, and
given back.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

import attrs

from capi_plugins.consent import Consent

MOST_KEPT = 100_000
"""Most entries a store keeps; the oldest go."""
MOST_IN_MEMORY = 10_000
"""Most entries that are kept in memory."""

_DIGEST = 32
_FIELDS = ("fbp", "fbc", "fbclid", "client_ip_address", "client_user_agent", "url")


@attrs.frozen(kw_only=True)
class ShopperContext:
    """What one of the shopper's own requests told.

    Attributes:
        at: When that was, seconds since the epoch.
        fbp: The pixel's cookie ``_fbp``.
        fbc: The pixel's cookie ``_fbc``.
        fbclid: The click id of the page, where no cookie has it.
        client_ip_address: The shopper's address.
        client_user_agent: The shopper's ``User-Agent``.
        url: The page, without parameters that are secret or personal.
        consents: What the shopper had decided, by destination; none: nothing.
        visitor: Keys of the shopper (``user``, ``session``, ``fbp``), by kind.
        people: Beginnings of hashed match keys, by which ``capi forget`` finds it.
    """

    at: float
    fbp: str | None = attrs.field(default=None, repr=False)
    fbc: str | None = attrs.field(default=None, repr=False)
    fbclid: str | None = attrs.field(default=None, repr=False)
    client_ip_address: str | None = attrs.field(default=None, repr=False)
    client_user_agent: str | None = attrs.field(default=None, repr=False)
    url: str | None = attrs.field(default=None, repr=False)
    consents: Mapping[str, Consent] = attrs.field(factory=dict)
    visitor: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    people: tuple[str, ...] = attrs.field(default=(), repr=False)

    def to_json(self) -> str:
        """Write it down; fields without a value are left out."""
        known = {name: getattr(self, name) for name in _FIELDS if getattr(self, name)}
        data: dict[str, Any] = {
            "at": self.at,
            **known,
            "consents": {name: consent.value for name, consent in self.consents.items()},
            "visitor": dict(self.visitor),
            "people": list(self.people),
        }
        return json.dumps({key: value for key, value in data.items() if value})

    @classmethod
    def from_json(cls, text: str) -> ShopperContext:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: Something else wrote it.
        """
        try:
            data = json.loads(text)
            consents = {name: Consent(value) for name, value in data.get("consents", {}).items()}
            people = tuple(data.get("people", ()))
            return cls(**{"at": 0.0, **data, "consents": consents, "people": people})
        except (TypeError, AttributeError) as error:
            raise ValueError("this is no context of a shopper") from error


@attrs.frozen
class Row:
    """A row of the host's database, as adapters tell the core of it.

    Attributes:
        model: What its model is called, the same in every process.
        key: Its primary key.
        user: Returns the host's user object it belongs to, or None. It may run a query.
    """

    model: str
    key: object
    user: Callable[[], object] = lambda: None


Identify = Callable[[object], Row | None]
"""Tells the row that a value is, or None; it neither runs a query nor evaluates a lazy object."""


class ContextStore(Protocol):
    """Where contexts are kept. Methods may be called from any thread, and may raise."""

    def keep(
        self,
        context: ShopperContext,
        *,
        replace: Collection[str],
        add: Collection[str],
        oldest: float,
    ) -> None:
        """Keep a context.

        Args:
            context: What was told.
            replace: Keys under which it takes the place of what is there.
            add: Keys under which it is kept if nothing is there.
            oldest: What was told before may be removed, seconds since the epoch.
        """
        ...

    def find(self, keys: Collection[str]) -> Mapping[str, ShopperContext]:
        """Return what is kept under some keys, by key; it may be too old."""
        ...

    def forget(self, people: Collection[str]) -> int:
        """Erase what was kept of some people; see `person`. Returns how many entries that were."""
        ...


class MemoryContextStore:
    """Keeps contexts in the memory of one process.

    Args:
        most: Most entries.
    """

    def __init__(self, most: int = MOST_IN_MEMORY) -> None:
        self._most = most
        self._kept: dict[str, ShopperContext] = {}
        self._lock = threading.Lock()

    def keep(
        self,
        context: ShopperContext,
        *,
        replace: Collection[str],
        add: Collection[str],
        oldest: float,
    ) -> None:
        """Keep a context; see ``ContextStore.keep``."""
        with self._lock:
            for key in [*replace, *(key for key in add if not self._has(key, oldest))]:
                # To the end: the first is the oldest.
                self._kept.pop(key, None)
                self._kept[key] = context
            while len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]

    def find(self, keys: Collection[str]) -> Mapping[str, ShopperContext]:
        """Return what is kept; see ``ContextStore.find``."""
        return {key: found for key in keys if (found := self._kept.get(key)) is not None}

    def forget(self, people: Collection[str]) -> int:
        """Erase people; see ``ContextStore.forget``."""
        with self._lock:
            gone = [
                key for key, kept in self._kept.items() if not set(people).isdisjoint(kept.people)
            ]
            for key in gone:
                del self._kept[key]
        return len(gone)

    def _has(self, key: str, oldest: float) -> bool:
        found = self._kept.get(key)
        return found is not None and found.at >= oldest


def key_of(kind: str, *values: object) -> str:
    """Make a key: a digest, because a session's key would open the session.

    Args:
        kind: What kind of thing it is: ``user``, ``session``, ``row``, ...
        values: What tells it from others of its kind.
    """
    text = f"{len(kind)}:{kind}"
    for value in values:
        part = str(value)
        text += f"{len(part)}:{part}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]


def person(hashed: str) -> str:
    """Shorten a hashed match key: enough to find a person again, useless for matching.

    Args:
        hashed: The hash as it stands in payloads.
    """
    return hashed[:16]
