from __future__ import annotations

import collections
import types

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.local import LocalProxy

from capi_plugins._paths import NOWHERE, Lookup, parse_lookup, resolve


def lookup(value):
    problems = []
    made = parse_lookup(value, "X", problems)
    assert problems == []
    return made


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


@given(VALUES, STEPS)
def test_following_a_path_never_raises(value, steps):
    resolve(".".join(["root", *steps]), {"root": value})
    resolve(".".join(steps), {"root": value})


@given(VALUES, STEPS)
def test_a_lookup_never_raises(value, steps):
    path = ".".join(["root", *steps])
    for spec in (path, [path, "root"], {"EACH": path, "id": "item.a", "all": ["item", "root.a"]}):
        problems = []
        parse_lookup(spec, "X", problems).find({"root": value}, [])


@given(VALUES)
def test_reading_a_lookup_never_raises(value):
    problems = []
    assert isinstance(parse_lookup(value, "X", problems), Lookup)


@pytest.mark.parametrize(
    "path", ["", ".", "a.", ".a", "a..b", "_a", "order._secret", "order.__class__", "a b", "5 EUR"]
)
def test_what_is_no_path_is_a_mistake(path):
    problems = []
    parse_lookup(path, "CAPI['X']", problems)
    (problem,) = problems
    assert problem.startswith(f"CAPI['X']: {path!r} is not a path")


@pytest.mark.parametrize("value", [5, None, [], [5], {}, {"VALUE": 1, "EACH": "x"}, {"EACH": 5}])
def test_what_is_no_lookup_is_a_mistake(value):
    problems = []
    parse_lookup(value, "CAPI['X']", problems)
    assert problems


def test_each_needs_fields():
    problems = []
    parse_lookup({"EACH": "order.lines"}, "CAPI['X']", problems)
    assert problems == ["CAPI['X'] needs at least one field beside 'EACH'"]


def test_a_mistake_inside_each_has_its_own_path():
    problems = []
    parse_lookup({"EACH": "order.lines", "id": 5}, "CAPI['X']", problems)
    assert problems[0].startswith("CAPI['X']['id'] must be a path like 'order.number'")


def test_a_literal_is_itself():
    value = {"a": [1, {"VALUE": 2}]}
    assert lookup({"VALUE": value}).find({}, []) is value
    assert lookup({"VALUE": None}).find({}, []) is None


def test_a_function_finds_what_no_path_leads_to():
    def dearest(find):
        return max(line["price"] for line in find("order.lines"))

    order = {"lines": [{"price": 3}, {"price": 7}]}
    assert lookup(dearest).find({"order": order}, []) == 7
    assert lookup([{"price": dearest}]).find({"order": order}, []) == [{"price": 7}]
    assert lookup(lambda find: find("nobody.email")).find({}, []) is None


def test_a_function_that_raises_leads_nowhere():
    def dearest(find):
        raise ValueError("jane@example.com")

    lost = []
    assert lookup(dearest).find({}, lost) is None
    assert lost == ["dearest()"]


def test_a_list_of_paths_is_a_fall_back():
    made = lookup(["order.email", "user.email", "user.name"])
    for order, user, expected in [
        ({"email": "o"}, {"email": "u"}, "o"),
        ({"email": ""}, {"email": "u"}, "u"),
        ({"email": None}, {"name": "n"}, "n"),
        ({}, {"email": "u"}, "u"),
        ({"email": 0}, {"email": "u"}, 0),
        ({"email": False}, {"email": "u"}, False),
    ]:
        lost = []
        assert made.find({"order": order, "user": user}, lost) == expected
        assert lost == []


def test_paths_are_lost_only_when_all_lead_nowhere():
    made = lookup(["order.email", "user.email"])
    lost = []
    assert made.find({"order": {"email": None}, "user": {}}, lost) is None
    assert lost == []
    assert made.find({"order": {}, "user": {}}, lost) is None
    assert lost == ["order.email", "user.email"]


def test_a_value_that_cannot_be_compared_is_still_a_value():
    class Array:
        def __eq__(self, other):
            raise ValueError("truth value of an array is ambiguous")

        __hash__ = None

    array = Array()
    assert lookup("x").find({"x": array}, []) is array


def test_each_makes_a_list_of_items():
    offer = {"order": Order(lines=Lines(Line("p", 2), Line("q"))), "currency": "EUR"}
    made = lookup(
        {
            "EACH": "order.lines.all",
            "id": "item.product_id",
            "quantity": "item.quantity",
            "currency": "currency",
            "brand": {"VALUE": "Acme"},
            "number": "key",
        }
    )
    assert made.find(offer, []) == [
        {"id": "p", "quantity": 2, "currency": "EUR", "brand": "Acme", "number": 0},
        {"id": "q", "quantity": 1, "currency": "EUR", "brand": "Acme", "number": 1},
    ]


def test_each_over_a_mapping_offers_its_keys():
    made = lookup({"EACH": "session.cart", "id": "key", "quantity": "item.qty"})
    assert made.find({"session": {"cart": {"17": {"qty": 2}}}}, []) == [{"id": "17", "quantity": 2}]


def test_each_may_be_nested():
    made = lookup({"EACH": "boxes", "ids": {"EACH": "item", "id": "item"}})
    assert made.find({"boxes": [[1, 2], [3]]}, []) == [
        {"ids": [{"id": 1}, {"id": 2}]},
        {"ids": [{"id": 3}]},
    ]


def broken_generator():
    yield 1
    raise RuntimeError


@pytest.mark.parametrize("found", [None, 5, "text", b"text", broken_generator()])
def test_each_over_what_is_no_list_is_lost(found):
    lost = []
    assert lookup({"EACH": "x", "id": "item"}).find({"x": found}, lost) is None
    assert lost == ["x"]


def test_a_field_missing_in_items_is_lost_once():
    lost = []
    made = lookup({"EACH": "x", "id": "item.id", "sku": "item.sku"})
    assert made.find({"x": [{"id": 1}, {"id": 2}]}, lost) == [
        {"id": 1, "sku": None},
        {"id": 2, "sku": None},
    ]
    assert lost == ["item.sku"]


def test_an_endless_list_ends():
    def endless():
        while True:
            yield {"id": 1}

    assert len(lookup({"EACH": "x", "id": "item.id"}).find({"x": endless}, [])) == 500


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
