"""Values as hosts offer them to paths: those of a shop, and any."""

from __future__ import annotations

import types

import attrs
from hypothesis import strategies as st


@attrs.define
class Line:
    product_id: str
    quantity: int = 1


class Lines:
    """Like a related manager: not callable itself, and no list."""

    def __init__(self, *lines):
        self.lines = lines

    def all(self):
        return list(self.lines)


class Order:
    def __init__(self, **values):
        self.__dict__.update(values)

    def total(self):
        return 12

    def needs(self, argument):
        return argument

    @property
    def broken(self):
        raise KeyError("jane@example.com")

    @property
    def absent(self):
        raise AttributeError("inner")

    async def later(self):
        return "never"

    def delete(self):
        raise AssertionError("a path must not delete anything")

    delete.alters_data = True


VALUES = st.recursive(
    st.none() | st.integers() | st.text() | st.floats() | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.integers(0, 3), inner, max_size=3)
        | st.builds(lambda value: types.SimpleNamespace(a=value, b=lambda: value), inner)
        | st.builds(lambda value: lambda: value, inner)
    ),
    max_leaves=8,
)
STEPS = st.lists(
    st.sampled_from(["a", "b", "0", "1", "keys", "upper", "real", ""]) | st.text(max_size=3),
    min_size=1,
    max_size=5,
)
