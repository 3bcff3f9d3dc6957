"""Paths: how settings say where a value is (``order.lines.all``, ``request.user.email``)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

import attrs

from capi_plugins._money import major_units
from capi_plugins.leaving import pass_on

Find = Callable[[str], Any]
"""What a function in place of a path is given: follows a path, to None if it leads nowhere."""

_MOST_ITEMS = 500
_SPEC_KEYS = ("VALUE", "EACH", "PATH")


class _Nowhere:
    """The value of a path that leads nowhere."""

    def __repr__(self) -> str:
        return "NOWHERE"

    def __bool__(self) -> bool:
        return False


NOWHERE: Final = _Nowhere()


def resolve(path: str, offer: Mapping[str, Any]) -> Any:
    """Follow a path.

    Each step is a dictionary key, else an attribute, else an index; a dictionary's methods are no
    values of it. Callables without arguments are called, except classes and what Django's
    ``alters_data`` and ``do_not_call_in_templates`` forbid. Werkzeug's ``LocalProxy`` is unwrapped.

    Args:
        path: Names joined by dots; the first is one of the names offered.
        offer: What a path may start at.

    Returns:
        The value, or ``NOWHERE``. Whatever the host's objects raise leads nowhere.
    """
    found = walk(path, offer)
    return found[-1] if len(found) == path.count(".") + 1 else NOWHERE


def walk(path: str, offer: Mapping[str, Any]) -> list[Any]:
    """Return every value on the way of a path, as far as it leads; see ``resolve``."""
    first, *rest = path.split(".")
    found: list[Any] = []
    try:
        if first in offer:
            value = _called(offer[first])
            for step in rest:
                if value is NOWHERE:
                    return found
                found.append(value)
                value = _called(_step(value, step))
            if value is not NOWHERE:
                found.append(value)
    except Exception as error:
        pass_on(error)
        return found
    return found


def _step(value: Any, name: str) -> Any:
    if _is_mapping(value):
        # Asking first: indexing a defaultdict would change the host's object.
        if name in value:
            return value[name]
        if name.isdecimal() and int(name) in value:
            return value[int(name)]
        # No method: ``items`` of an order without items would be a list of its other values.
        found = getattr(value, name, NOWHERE)
        return NOWHERE if callable(found) else found
    if hasattr(type(value), "__getitem__") and not isinstance(value, str | bytes):
        try:
            return value[name]
        except (LookupError, TypeError):
            pass  # not a key, as often: an attribute or an index comes next
        except Exception as error:
            pass_on(error)
    try:
        return getattr(value, name)
    except AttributeError:
        if name.isdecimal():
            return value[int(name)]
    return NOWHERE


def _is_mapping(value: Any) -> bool:
    if isinstance(value, Mapping):
        return True
    # Django's session is one in all but name.
    cls = type(value)
    return hasattr(cls, "keys") and hasattr(cls, "__getitem__") and hasattr(cls, "__contains__")


def _called(value: Any) -> Any:
    if hasattr(type(value), "_get_current_object"):
        value = value._get_current_object()  # noqa: SLF001 - werkzeug documents it
    if not callable(value) or isinstance(value, type):
        return value
    if getattr(value, "do_not_call_in_templates", False):
        return value
    if getattr(value, "alters_data", False):
        return NOWHERE
    value = value()
    if inspect.iscoroutine(value):
        # Nobody would await it; closing it keeps Python from complaining about that.
        value.close()
        return NOWHERE
    return value


@attrs.frozen
class Lookup:
    """What one setting says of where its value is; made by ``parse_lookup``.

    Attributes:
        paths: Tried in turn; the first that leads to something wins.
        literal: The value itself, when ``is_literal``.
        is_literal: Whether the value stands in the settings.
        each: Path of a list, for ``EACH``.
        currency: The value is an amount in minor units of this currency.
        items: For ``EACH``: what each item gives, by name; the item is offered as ``item``, and
            the key as ``key`` where the list is a mapping.
        entries: The entries of a list that is written out, each by name.
        function: Finds the value where no path leads to it; it is given what follows a path.
    """

    paths: tuple[str, ...] = ()
    literal: Any = None
    is_literal: bool = False
    each: str | None = None
    currency: Lookup | None = None
    items: tuple[tuple[str, Lookup], ...] = ()
    entries: tuple[tuple[tuple[str, Lookup], ...], ...] = ()
    function: Callable[[Find], Any] | None = None

    def find(self, offer: Mapping[str, Any], lost: list[str]) -> Any:
        """Return the value, or None.

        Args:
            offer: What a path may start at.
            lost: Receives the paths that led nowhere, when no other gave a value.
        """
        if self.is_literal:
            return self.literal
        if self.function is not None:
            return self._asked(self.function, offer, lost)
        if self.each is not None:
            return self._list(offer, lost)
        if self.entries:
            return [_entry(entry, offer, lost) for entry in self.entries]
        nowhere = []
        for path in self.paths:
            value = resolve(path, offer)
            if value is NOWHERE:
                nowhere.append(path)
            elif value is not None and not (isinstance(value, str) and not value):
                return self._read(value, path, offer, lost)
        if len(nowhere) == len(self.paths):
            lost.extend(nowhere)
        return None

    def _read(self, value: Any, path: str, offer: Mapping[str, Any], lost: list[str]) -> Any:
        if self.currency is not None:
            amount = major_units(value, self.currency.find(offer, lost))
            if amount is None:
                lost.append(path)
            return amount
        # Phone numbers of django-phonenumber-field print themselves as people write them.
        return value.as_e164 if hasattr(type(value), "as_e164") else value

    def _asked(
        self, function: Callable[[Find], Any], offer: Mapping[str, Any], lost: list[str]
    ) -> Any:
        def find(path: str) -> Any:
            value = resolve(path, offer)
            return None if value is NOWHERE else value

        name = f"{getattr(function, '__name__', type(function).__name__)}()"
        try:
            value = function(find)
        except Exception as error:
            pass_on(error)
            lost.append(name)
            return None
        return None if value is None else self._read(value, name, offer, lost)

    def _list(self, offer: Mapping[str, Any], lost: list[str]) -> list[dict[str, Any]] | None:
        found = resolve(self.each or "", offer)
        if found is NOWHERE or isinstance(found, str | bytes):
            lost.append(self.each or "")
            return None
        made = []
        missing: set[str] = set()
        try:
            for key, item in islice(_pairs(found), _MOST_ITEMS):
                inner = {**offer, "item": item, "key": key}
                here: list[str] = []
                made.append(_entry(self.items, inner, here))
                missing.update(here)
        except Exception as error:
            pass_on(error)
            lost.append(self.each or "")
            return None
        lost.extend(sorted(missing))
        return made


def _entry(
    fields: tuple[tuple[str, Lookup], ...], offer: Mapping[str, Any], lost: list[str]
) -> dict[str, Any]:
    return {name: lookup.find(offer, lost) for name, lookup in fields}


def _pairs(found: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(found, Mapping):
        yield from found.items()
    else:
        yield from enumerate(found)


def parse_lookup(value: Any, path: str, problems: list[str]) -> Lookup:
    """Read what a setting says of where its value is.

    Args:
        value: A path, a list of paths, ``{"VALUE": x}``, ``{"EACH": path, name: lookup, ...}``,
            ``{"PATH": path, "AS": "minor_units", "CURRENCY": lookup}``, a list of
            ``{name: lookup, ...}``, or a function.
        path: Where it stands in the settings, for problems.
        problems: Receives sentences about mistakes.
    """
    if isinstance(value, str):
        return Lookup(paths=(_checked(value, path, problems),))
    if isinstance(value, list | tuple) and value and all(isinstance(p, str) for p in value):
        return Lookup(paths=tuple(_checked(item, path, problems) for item in value))
    if isinstance(value, list | tuple) and value and all(_is_entry(item) for item in value):
        entries = (_fields(item, f"{path}[{n}]", problems) for n, item in enumerate(value))
        return Lookup(entries=tuple(entries))
    if callable(value) and not isinstance(value, type):
        return Lookup(function=value)
    if isinstance(value, Mapping):
        if set(value) == {"VALUE"}:
            return Lookup(literal=value["VALUE"], is_literal=True)
        if set(value) == {"PATH", "AS", "CURRENCY"} and value["AS"] == "minor_units":
            currency = parse_lookup(value["CURRENCY"], f"{path}['CURRENCY']", problems)
            read = parse_lookup(value["PATH"], f"{path}['PATH']", problems)
            return attrs.evolve(read, currency=currency)
        if isinstance(value.get("EACH"), str):
            rest = {name: item for name, item in value.items() if name != "EACH"}
            items = _fields(rest, path, problems)
            if not items:
                problems.append(f"{path} needs at least one field beside 'EACH'")
            return Lookup(each=_checked(value["EACH"], path, problems), items=items)
    problems.append(
        f"{path} must be a path like 'order.number', a list of paths, "
        "{'VALUE': literal}, {'EACH': path, ...}, a list of {name: path, ...}, "
        "{'PATH': path, 'AS': 'minor_units', 'CURRENCY': path} or a function"
    )
    return Lookup(is_literal=True)


def _is_entry(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and not set(value) & set(_SPEC_KEYS)


def _fields(
    data: Mapping[Any, Any], path: str, problems: list[str]
) -> tuple[tuple[str, Lookup], ...]:
    return tuple(
        (str(name), parse_lookup(item, f"{path}[{name!r}]", problems))
        for name, item in data.items()
    )


def _checked(path: str, where: str, problems: list[str]) -> str:
    steps = path.split(".")
    if not all(steps) or any(step.startswith("_") or " " in step for step in steps):
        problems.append(
            f"{where}: {path!r} is not a path; write names joined by dots, none private, "
            "or {'VALUE': ...} for a literal"
        )
    return path
