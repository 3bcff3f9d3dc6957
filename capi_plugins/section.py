"""One mapping of the settings: reading it, and collecting what is wrong with it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

_EMPTY: Mapping[str, Any] = MappingProxyType({})
T = TypeVar("T")


def suggest(name: str, known: Iterable[str]) -> str:
    """Return `` did you mean 'X'?`` for the known name nearest to ``name``, or the known names."""
    known = sorted(known)
    close = difflib.get_close_matches(name.upper(), [item.upper() for item in known], n=1)
    if close:
        nearest = next(item for item in known if item.upper() == close[0])
        return f"did you mean {nearest!r}?"
    return f"known are {', '.join(known)}" if known else "none is known"


class Section:
    """Reads one mapping of the settings and collects what is wrong with it.

    Args:
        path: How a person writes the place: ``CAPI['DELIVERY']``.
        data: The mapping found there.
        problems: Where sentences about mistakes go.
    """

    def __init__(self, path: str, data: object, problems: list[str]) -> None:
        self.path = path
        self.problems = problems
        self._taken: set[str] = set()
        if isinstance(data, Mapping):
            self.data: Mapping[Any, Any] = data
        else:
            self.data = _EMPTY
            if data is not None:
                problems.append(f"{path} must be a dictionary, not {type(data).__name__}")

    def at(self, key: object) -> str:
        """Return the path of one key."""
        return f"{self.path}[{key!r}]"

    def wrong(self, key: object, sentence: str) -> None:
        """Report a mistake at a key."""
        self.problems.append(f"{self.at(key)} {sentence}")

    def take(self, key: str, types: type | tuple[type, ...], default: Any = None) -> Any:
        """Return the value of a key when it has one of the types, else the default.

        Args:
            key: Upper case, as written in the settings.
            types: What it may be; ``bool`` counts as ``int`` only when named.
            default: Given for an absent key, None, or a value of a wrong type.
        """
        self._taken.add(key)
        value = self.data.get(key)
        if value is None:
            return default
        allowed = types if isinstance(types, tuple) else (types,)
        if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
            names = " or ".join(item.__name__ for item in allowed)
            self.wrong(key, f"must be {names}, not {type(value).__name__}")
            return default
        return value

    def strings(self, key: str) -> list[str]:
        """Return the texts in a list; what else is in it is reported.

        Args:
            key: Upper case, as written in the settings.
        """
        items: Sequence[Any] = self.take(key, (list, tuple, set, frozenset), ())
        for number, item in enumerate(items):
            if not isinstance(item, str):
                kind = type(item).__name__
                self.problems.append(f"{self.at(key)}[{number}] must be a string, not {kind}")
        return [item for item in items if isinstance(item, str)]

    def named(
        self, key: str, known: Collection[str] | None, read: Callable[[Any, str, list[str]], T]
    ) -> dict[str, T]:
        """Return what the values of a mapping say, by the names of fields; others are reported.

        Args:
            key: Upper case, as written in the settings.
            known: The fields there are; None: any.
            read: Reads a value: as written, its path, and where sentences about mistakes go.
        """
        found = {}
        for name, value in self.take(key, Mapping, _EMPTY).items():
            path = f"{self.at(key)}[{name!r}]"
            if known is not None and name not in known:
                self.problems.append(f"{path} is not a field; {suggest(str(name), known).lower()}")
                continue
            found[str(name)] = read(value, path, self.problems)
        return found

    def done(self) -> None:
        """Report the keys nobody asked for."""
        for key in self.data:
            if key not in self._taken:
                self.wrong(key, f"is not a setting; {suggest(str(key), self._taken)}")
