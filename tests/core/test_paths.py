"""How a path is followed."""

from __future__ import annotations

import collections
import types

import pytest
from hypothesis import given
from werkzeug.local import LocalProxy

from capi_plugins._paths import NOWHERE, resolve
from tests.core.host_values import STEPS, VALUES, Line, Lines, Order


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("order", "self"),
        ("order.number", "A-1"),
        ("order.total", 12),
        ("order.tags.0", "x"),
        ("order.tags.1", "y"),
        ("order.map.key", "value"),
        ("order.map.7", "seven"),
        ("order.map.07", "seven"),
        ("order.lines.all.0.product_id", "p"),
        ("order.empty", None),
        ("order.text.upper", "ABC"),
        # Nowhere:
        ("other", NOWHERE),
        ("order.nothing", NOWHERE),
        ("order.tags.9", NOWHERE),
        ("order.tags.x", NOWHERE),
        ("order.broken", NOWHERE),
        ("order.absent", NOWHERE),
        ("order.needs", NOWHERE),
        ("order.map.items", NOWHERE),
        ("order.map.keys", NOWHERE),
        ("order.delete", NOWHERE),
        ("order.later", NOWHERE),
        ("order.empty.number", NOWHERE),
        ("order.number.0", NOWHERE),
    ],
)
def test_a_path_is_followed(path, expected):
    order = Order(
        number="A-1",
        tags=["x", "y"],
        map={"key": "value", 7: "seven"},
        lines=Lines(Line("p")),
        empty=None,
        text="abc",
    )
    found = resolve(path, {"order": order})
    if expected == "self":
        assert found is order
    elif path == "order.number.0":
        assert found in ("A", NOWHERE)
    else:
        assert found == expected or found is expected


def test_a_key_wins_over_an_attribute():
    assert resolve("data.items", {"data": {"items": 3}}) == 3
    assert resolve("data.count", {"data": {"count": 3}}) == 3


def test_a_defaultdict_is_not_changed():
    counts = collections.defaultdict(list)
    assert resolve("counts.nothing", {"counts": counts}) is NOWHERE
    assert counts == {}


def test_a_model_with_items_is_asked_for_its_keys_first():
    class Row:
        name = "attribute"

        def __getitem__(self, key):
            if key == "name":
                return "item"
            raise KeyError(key)

    assert resolve("row.name", {"row": Row()}) == "item"
    assert resolve("row.__class__", {"row": Row()}) is Row


def test_classes_and_what_must_not_be_called_are_left_alone():
    class Choices:
        do_not_call_in_templates = True
        label = "red"

        def __call__(self):
            raise AssertionError

    offer = {"order": types.SimpleNamespace(kind=Order, choices=Choices())}
    assert resolve("order.kind", offer) is Order
    assert resolve("order.choices.label", offer) == "red"


def test_a_callable_offered_is_called():
    assert resolve("make.number", {"make": lambda: Order(number=5)}) == 5


def test_a_local_proxy_is_looked_behind():
    user = Order(email="a@example.com")
    offer = {"user": LocalProxy(lambda: user)}
    assert resolve("user", offer) is user
    assert resolve("user.email", offer) == "a@example.com"


def test_a_proxy_of_nothing_leads_nowhere():
    def unbound():
        raise RuntimeError("working outside of request context")

    assert resolve("user.email", {"user": LocalProxy(unbound)}) is NOWHERE


def test_an_offer_that_fails_leads_nowhere():
    class Offer(dict):
        def __contains__(self, key):
            raise RuntimeError

    assert resolve("user", Offer()) is NOWHERE


def test_an_object_that_answers_everything_ends():
    class Endless:
        def __getattr__(self, name):
            return self

        def __call__(self):
            return self

    endless = Endless()
    assert resolve("x.a.b.c", {"x": endless}) is endless


class Session:
    """Like Django's: a dictionary in all but name."""

    session_key = "abc"

    def __init__(self, **data):
        self.data = data

    def keys(self):
        return self.data.keys()

    def items(self):
        return self.data.items()

    def __getitem__(self, key):
        return self.data[key]

    def __contains__(self, key):
        return key in self.data


def test_a_session_has_keys_and_attributes_and_no_methods():
    offer = {"session": Session(cart=3)}
    assert resolve("session.cart", offer) == 3
    assert resolve("session.items", offer) is NOWHERE
    assert resolve("session.session_key", offer) == "abc"
    assert resolve("session.items", {"session": Session(items=[1])}) == [1]


@given(VALUES, STEPS)
def test_following_a_path_never_raises(value, steps):
    resolve(".".join(["root", *steps]), {"root": value})
    resolve(".".join(steps), {"root": value})
