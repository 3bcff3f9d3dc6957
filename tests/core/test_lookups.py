"""What settings say of where a value is, and what is found there."""

from __future__ import annotations

import pytest
from hypothesis import given

from capi_plugins._paths import Lookup, parse_lookup
from tests.core.host_values import STEPS, VALUES, Line, Lines, Order


def lookup(value):
    problems = []
    made = parse_lookup(value, "X", problems)
    assert problems == []
    return made


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
