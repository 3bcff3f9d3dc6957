"""The event under examination and what its judgement depends on."""

from __future__ import annotations

from typing import Any, Literal

import attrs

Mode = Literal["strict", "meta"]
"""``strict``: all that Meta documents is enforced; ``meta``: what is known to be enforced."""


@attrs.frozen(kw_only=True)
class Dataset:
    """A dataset (pixel) the sandbox knows.

    Attributes:
        token: The access token that may write to it; empty means any.
        linked_app: Whether an app is linked, which app events need.
    """

    token: str = attrs.field(default="", repr=False)
    linked_app: bool = True


@attrs.frozen(kw_only=True)
class Case:
    """One event, ready to be judged.

    Attributes:
        event: The decoded event, of whatever shape arrived.
        now: The server's clock, Unix seconds.
        mode: How much is enforced.
        dataset: The receiver.
        index: The event's place in the batch.
    """

    event: Any = attrs.field(repr=False)
    now: float
    mode: Mode = "strict"
    dataset: Dataset = attrs.field(factory=Dataset)
    index: int = 0

    @property
    def path(self) -> str:
        """The event's JSON path in Meta's notation."""
        return f"$['data'][{self.index}]"

    def get(self, key: str) -> Any:
        """Return a member of the event, None when absent."""
        return self.event.get(key)

    def section(self, key: str) -> dict[str, Any]:
        """Return an object member of the event; an empty one where there is no object."""
        value = self.event.get(key)
        return value if isinstance(value, dict) else {}


def is_empty(value: object) -> bool:
    """Whether a value says nothing: null, blank text, an empty list or a list of such."""
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, list):
        return all(is_empty(item) for item in value)
    return value is None


def is_integer(value: object) -> bool:
    """Whether a JSON value is an integer; a boolean is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def number_of(value: object) -> float | None:
    """Return a JSON number, or one written as text, as a float; None for all else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) != float("inf") and number == number else None  # noqa: PLR0124
