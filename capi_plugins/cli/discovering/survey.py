"""What a project has: its signals, models and routes, as its adapter finds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from capi_plugins.cli.discovering.shapes import Shape
from capi_plugins.cli.discovering.words import words_of


@attrs.frozen(kw_only=True)
class Moment:
    """Something that happens in the project, or may happen.

    Attributes:
        on: ``signal``, ``model`` or ``request``: the trigger that can see it.
        name: Path of the signal, name of the model, or name of the route.
        roots: What paths of its trigger may start at.
        words: What else tells what it is: parts of its path and of its template's name.
        method: HTTP method of a request.
        status: HTTP status of a request; 0: not known.
        created: Whether the row of a model is new.
        changes: Fields of the row, and the telling values they have taken.
        is_user: Whether the model is that of the people who sign in.
        actions: Where the body of a request says what is to be done, and the word for it:
            ``json.action`` and ``add``.
        times: How often it was seen; 0: it was not, it is there.
        guessed: Whether ``roots`` are what its name suggests, and neither seen nor read in code.
    """

    on: str
    name: str
    roots: Mapping[str, Shape] = attrs.field(factory=dict)
    words: frozenset[str] = frozenset()
    method: str = ""
    status: int = 0
    created: bool = False
    changes: Mapping[str, Any] = attrs.field(factory=dict)
    is_user: bool = False
    actions: Mapping[str, str] = attrs.field(factory=dict)
    times: int = 0
    guessed: bool = False

    @property
    def said(self) -> frozenset[str]:
        """Everything that tells what it is, in lower-case words."""
        return self.words | words_of(self.name)

    @property
    def key(self) -> tuple[Any, ...]:
        """What two moments share that are the same."""
        changes = tuple(sorted((name, str(value)) for name, value in self.changes.items()))
        actions = tuple(sorted(self.actions.items()))
        return (self.on, self.name, self.method, self.status, self.created, changes, actions)

    def merged(self, other: Moment) -> Moment:
        """Return what is known of a moment that was seen again."""
        roots = dict(self.roots)
        for name, shape in other.roots.items():
            roots[name] = roots[name].merged(shape) if name in roots else shape
        words = self.words | other.words
        return attrs.evolve(self, roots=roots, words=words, times=self.times + other.times)


@attrs.frozen(kw_only=True)
class Survey:
    """What a project has.

    Attributes:
        moments: What its code says may happen.
        currency: The currency its configuration names, if it names one.
    """

    moments: tuple[Moment, ...] = ()
    currency: str | None = None
