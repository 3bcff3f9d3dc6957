from __future__ import annotations

import datetime
import enum
import types

import pytest

from capi_plugins import FieldNote, FinishedRequest, RequestContext
from capi_plugins._triggers import Triggers, parse_trigger
from capi_plugins.exceptions import InvalidEvent

SIGNAL = {"ON": "signal", "SIGNAL": "shop.signals.paid", "EVENT": "Purchase"}
MODEL = {"ON": "model", "MODEL": "shop.Order", "EVENT": "Purchase"}
REQUEST = {"ON": "request", "EVENT": "AddToCart"}


def trigger(**data):
    problems = []
    made = parse_trigger(data, "CAPI['TRIGGERS'][0]", problems)
    assert problems == []
    return made


def mistakes(**data):
    problems = []
    assert parse_trigger(data, "CAPI['TRIGGERS'][0]", problems) is None
    return problems


def finished(route=None, *, offer=None, **how):
    how = {"method": "GET", "path": "/", "status": 200, **how}
    return FinishedRequest(route=route, offer=lambda: offer or {}, **how)


ORDER = types.SimpleNamespace(
    number="A-17",
    email="jane@example.com",
    total="12.50",
    currency="EUR",
    placed=datetime.datetime(2023, 11, 14, 22, 13, 20, tzinfo=datetime.UTC),
    lines=[
        types.SimpleNamespace(product_id="p1", quantity=2, price=5),
        types.SimpleNamespace(product_id="p2", quantity=1, price=2.5),
    ],
)


def test_an_event_is_made_from_what_is_offered():
    made = trigger(
        **SIGNAL,
        EVENT_ID="order.number",
        EVENT_TIME="order.placed",
        ACTION_SOURCE={"VALUE": "website"},
        EVENT_SOURCE_URL="url",
        USER_DATA={"email": ["order.mail", "order.email"], "phone": "order.phone"},
        CUSTOM_DATA={
            "value": "order.total",
            "currency": {"VALUE": "EUR"},
            "gift": {"VALUE": False},
            "contents": {
                "EACH": "order.lines",
                "id": "item.product_id",
                "item_price": "item.price",
            },
        },
    )
    event = made.build({"order": ORDER, "url": "https://shop.example/"})
    assert event.event_name == "Purchase"
    assert event.event_id == "Purchase.A-17"
    assert event.event_time == 1_700_000_000
    assert event.action_source == "website"
    assert event.event_source_url == "https://shop.example/"
    assert event.user_data.email == "jane@example.com"
    assert event.user_data.phone is None
    assert event.custom_data.value == "12.50"
    assert event.custom_data.currency == "EUR"
    assert event.custom_data.properties == {"gift": False}
    assert event.custom_data.contents == [
        {"id": "p1", "item_price": 5},
        {"id": "p2", "item_price": 2.5},
    ]
    assert event.notes == (FieldNote("user_data.phone", "path 'order.phone' leads nowhere"),)


def test_one_business_key_gives_one_event_id():
    made = trigger(**SIGNAL, EVENT_ID="order.number")
    assert made.build({"order": ORDER}).event_id == made.build({"order": ORDER}).event_id


class Unprintable:
    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize("key", [None, "", Unprintable()])
def test_without_a_business_key_the_id_is_random(key):
    made = trigger(**SIGNAL, EVENT_ID="order.number")
    offer = {"order": types.SimpleNamespace(number=key)}
    one, two = made.build(offer), made.build(offer)
    assert one.event_id != two.event_id
    assert not one.event_id.startswith("Purchase.")


def test_a_business_key_may_be_zero():
    made = trigger(**SIGNAL, EVENT_ID="number")
    assert made.build({"number": 0}).event_id == "Purchase.0"


def test_a_time_that_cannot_be_read_makes_no_event():
    with pytest.raises(InvalidEvent, match="event_time"):
        trigger(**SIGNAL, EVENT_TIME="when").build({"when": "soon"})


def test_values_that_break_when_they_are_looked_at_cost_their_field():
    class Broken(list):
        def __len__(self):
            raise RuntimeError

    made = trigger(**SIGNAL, CUSTOM_DATA={"content_ids": "ids", "value": {"VALUE": 5}})
    event = made.build({"ids": Broken([1])})
    assert event.custom_data.value == 5
    assert event.custom_data.content_ids is None
    assert event.notes == (FieldNote("custom_data.content_ids", "cannot be read"),)


@pytest.mark.parametrize(
    ("when", "happens"),
    [
        ({"user.is_staff": False}, True),
        ({"user.is_staff": True}, False),
        ({"user.country": ["DE", "AT"]}, True),
        ({"user.country": ["FR"]}, False),
        ({"user.is_staff": False, "user.country": "FR"}, False),
        ({"user.nothing": None}, False),
        ({"user.empty": None}, True),
        ({}, True),
    ],
)
def test_when_must_hold(when, happens):
    made = trigger(**REQUEST, WHEN=when)
    user = {"is_staff": False, "country": "DE", "empty": None}
    assert (made.build({"user": user}) is not None) is happens


def test_a_condition_that_cannot_be_compared_does_not_hold():
    class Odd:
        def __eq__(self, other):
            raise RuntimeError

        __hash__ = None

    assert trigger(**REQUEST, WHEN={"x": 1}).build({"x": Odd()}) is None


@pytest.mark.parametrize(
    ("match", "how", "expected"),
    [
        ({}, {}, True),
        ({"ROUTE": "cart:add"}, {"route": "cart:add"}, True),
        ({"ROUTE": "cart:add"}, {"route": "cart:remove"}, False),
        ({"ROUTE": "cart:add"}, {"route": None}, False),
        ({"METHOD": "POST"}, {"method": "POST"}, True),
        ({"METHOD": "post"}, {"method": "POST"}, True),
        ({"METHOD": ["POST", "PUT"]}, {"method": "GET"}, False),
        ({"STATUS": 302}, {"status": 302}, True),
        ({"STATUS": 302}, {"status": 200}, False),
        ({"STATUS": [200, 201]}, {"status": 201}, True),
        ({"STATUS": 404}, {"status": 404}, True),
        ({}, {"status": 399}, True),
        ({}, {"status": 400}, False),
        ({}, {"status": 500}, False),
        ({"PATH": r"^/p/\d+/$"}, {"path": "/p/17/"}, True),
        ({"PATH": r"^/p/\d+/$"}, {"path": "/q/17/"}, False),
        ({"TEMPLATE": "p.html"}, {"template": "p.html"}, True),
        ({"TEMPLATE": "p.html"}, {"template": None}, False),
        ({"CONTENT_TYPE": "text/html"}, {"content_type": "text/html"}, True),
        ({"CONTENT_TYPE": "text/html"}, {"content_type": "application/json"}, False),
    ],
)
def test_a_request_trigger_matches_how_the_request_ended(match, how, expected):
    triggers = Triggers([trigger(**REQUEST, **match)])
    builds = triggers.for_request(finished(how.pop("route", None), **how))
    assert bool(builds) is expected


def test_what_a_request_offers_is_asked_for_once_and_only_if_something_matches():
    asked = []

    def offer():
        asked.append(1)
        return {"kwargs": {"id": 17}}

    triggers = Triggers(
        [
            trigger(**REQUEST, ROUTE="p", CUSTOM_DATA={"content_ids": "kwargs.id"}),
            trigger(**REQUEST, CUSTOM_DATA={"content_ids": "kwargs.id"}),
            trigger(**MODEL),
        ]
    )
    how = {"method": "GET", "path": "/", "offer": offer}
    assert triggers.for_request(FinishedRequest(route="q", status=500, **how)) == []
    assert asked == []
    found = triggers.for_request(FinishedRequest(route="p", status=200, **how))
    assert asked == []
    assert [item.build(offered()).custom_data.content_ids for item, offered in found] == [17, 17]
    assert asked == [1]


def test_triggers_are_sorted_by_kind():
    triggers = Triggers([trigger(**SIGNAL), trigger(**MODEL), trigger(**REQUEST)])
    assert [item.on for item in triggers.all] == ["signal", "model", "request"]
    assert [item.signal for item in triggers.on_signal] == ["shop.signals.paid"]
    assert [item.model for item in triggers.on_model] == ["shop.Order"]


PAID, UNPAID = {"paid": True}, {"paid": False}
State = enum.Enum("State", {"NEW": "n", "PAID": "p"})
FILLED = {"at": {"EMPTY": False}}


@pytest.mark.parametrize(
    ("data", "created", "old", "new", "expected"),
    [
        # Nothing said: new rows.
        ({}, True, {}, {}, True),
        ({}, False, {}, {}, False),
        ({"CREATED": True}, True, {}, {}, True),
        ({"CREATED": True}, False, {}, {}, False),
        ({"CREATED": False}, True, {}, {}, False),
        ({"CREATED": False}, False, {}, {}, True),
        # A change: from anything else to the value, and rows that begin with it.
        ({"CHANGED": PAID}, False, UNPAID, PAID, True),
        ({"CHANGED": PAID}, False, {}, PAID, True),
        ({"CHANGED": PAID}, False, PAID, PAID, False),
        ({"CHANGED": PAID}, False, PAID, UNPAID, False),
        ({"CHANGED": PAID}, False, UNPAID, {}, False),
        ({"CHANGED": PAID}, True, {}, PAID, True),
        ({"CHANGED": PAID}, True, PAID, PAID, True),
        ({"CHANGED": PAID}, True, {}, UNPAID, False),
        ({"CHANGED": PAID, "CREATED": True}, True, {}, PAID, True),
        ({"CHANGED": PAID, "CREATED": True}, False, UNPAID, PAID, False),
        ({"CHANGED": PAID, "CREATED": False}, True, {}, PAID, False),
        ({"CHANGED": PAID, "CREATED": False}, False, UNPAID, PAID, True),
        # One of several values: going from one to the other is no news.
        ({"CHANGED": {"s": ["a", "b"]}}, False, {"s": "x"}, {"s": "b"}, True),
        ({"CHANGED": {"s": ["a", "b"]}}, False, {"s": "a"}, {"s": "b"}, False),
        # A condition: a date that is filled in, whichever it is.
        ({"CHANGED": FILLED}, False, {"at": None}, {"at": "09:30"}, True),
        ({"CHANGED": FILLED}, False, {"at": "09:30"}, {"at": "10:00"}, False),
        ({"CHANGED": FILLED}, False, {"at": "09:30"}, {"at": None}, False),
        ({"CHANGED": FILLED}, True, {}, {"at": "09:30"}, True),
        ({"CHANGED": {"s": {"NOT": "draft"}}}, False, {"s": "draft"}, {"s": "sent"}, True),
        ({"CHANGED": {"s": {"NOT": "draft"}}}, False, {}, {"s": "sent"}, True),
        ({"CHANGED": {"s": {"NOT": "draft"}}}, False, {"s": "draft"}, {}, False),
        # An enumeration is told by its names and its values.
        ({"CHANGED": {"s": "PAID"}}, False, {"s": State.NEW}, {"s": State.PAID}, True),
        ({"CHANGED": {"s": ["x", "p"]}}, False, {"s": State.NEW}, {"s": State.PAID}, True),
        ({"CHANGED": {"s": State.PAID}}, False, {"s": State.NEW}, {"s": State.PAID}, True),
        ({"CHANGED": {"s": "PAID"}}, False, {"s": State.PAID}, {"s": State.PAID}, False),
        # Several fields: the moment at which all of them hold.
        ({"CHANGED": {"a": 1, "b": 2}}, False, {"a": 1, "b": 0}, {"a": 1, "b": 2}, True),
        ({"CHANGED": {"a": 1, "b": 2}}, False, {"a": 1, "b": 2}, {"a": 1, "b": 2}, False),
        ({"CHANGED": {"a": 1, "b": 2}}, False, {"a": 0, "b": 0}, {"a": 1, "b": 0}, False),
    ],
)
def test_a_model_trigger_knows_its_moment(data, created, old, new, expected):
    assert trigger(**MODEL, **data).changes(created=created, old=old, new=new) is expected


@pytest.mark.parametrize(
    ("location", "fires"),
    [
        ("/login/?next=/cart/add/5/", False),
        ("/login?next=%2Fcart%2Fadd%2F5%2F%3Fcolour%3Dred", False),
        ("https://sso.shop.example/in?a=b&return_to=https://shop.example/cart/add/5/", False),
        ("/login/?next=/shop/cart/add/5/", False),
        ("/login/", True),
        ("/login/?next=/checkout/", True),
        ("/thanks?from=/cart/add/5/", True),
        ("/login/?next=http://[", True),
        ("", True),
    ],
)
def test_what_waits_for_the_visitor_to_sign_in_has_not_happened_yet(location, fires):
    triggers = Triggers([trigger(**REQUEST, ROUTE="cart:add", METHOD="GET", STATUS=302)])
    how = {"path": "/cart/add/5/", "status": 302, "location": location}
    assert bool(triggers.for_request(finished("cart:add", **how))) is fires


def test_every_mistake_in_a_trigger_is_told():
    found = mistakes(
        ON="model",
        EVENT=5,
        MODLE="x",
        EVENT_ID="5 EUR",
        CHANGED=["paid"],
        CREATED="yes",
        USER_DATA={"e_mail": "x", "email": 5},
        CUSTOM_DATA={"contents": {"EACH": "a"}},
        WHEN={5: 1, "a b": 2},
    )
    text = "\n".join(found)
    for expected in [
        "CAPI['TRIGGERS'][0]['EVENT'] must be str, not int",
        "CAPI['TRIGGERS'][0]['EVENT'] is required: the name of the event, such as 'Purchase'",
        "CAPI['TRIGGERS'][0]['MODEL'] is required",
        "CAPI['TRIGGERS'][0]['MODLE'] is not a setting; did you mean 'MODEL'?",
        "CAPI['TRIGGERS'][0]['EVENT_ID']: '5 EUR' is not a path",
        "CAPI['TRIGGERS'][0]['CHANGED'] must be Mapping, not list",
        "CAPI['TRIGGERS'][0]['CREATED'] must be bool, not str",
        "CAPI['TRIGGERS'][0]['USER_DATA']['e_mail'] is not a field; did you mean 'email'?",
        "CAPI['TRIGGERS'][0]['USER_DATA']['email'] must be a path",
        "CAPI['TRIGGERS'][0]['CUSTOM_DATA']['contents'] needs at least one field",
        "CAPI['TRIGGERS'][0]['WHEN']",
    ]:
        assert expected in text, expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"ON": "signal"}, "['SIGNAL'] is required"),
        ({"ON": "model"}, "['MODEL'] is required"),
        ({"ON": "request", "PATH": "("}, "['PATH'] is not a regular expression"),
        ({"ON": "request", "STATUS": ["302"]}, "['STATUS'] must be int or a list of them"),
        ({"ON": "request", "SIGNAL": "x"}, "['SIGNAL'] is not a setting"),
        ({"ON": "view"}, "['ON'] must be one of 'signal', 'model', 'request'"),
        ({}, "['ON'] must be one of"),
    ],
)
def test_each_kind_says_what_it_needs(data, expected):
    assert any(expected in problem for problem in mistakes(EVENT="Lead", **data))


def test_an_event_without_a_time_has_the_clients(make, clock, heard):
    client = make(TRIGGERS=[{**REQUEST, "ROUTE": "p"}], options={"clock": clock})
    with client.request(lambda: RequestContext(method="GET")) as scope:
        client.finish(scope, finished(route="p"))
    (event,) = [told["event"] for name, told in heard if name == "event_captured"]
    assert event.event_time == clock.now


@pytest.mark.parametrize(
    ("wanted", "value", "fires"),
    [
        ({"EMPTY": False}, "shoes", True),
        ({"EMPTY": False}, "", False),
        ({"EMPTY": False}, None, False),
        ({"EMPTY": True}, "", True),
        ({"EMPTY": True}, "2", False),
        ({"EMPTY": True}, 0, False),
        ([{"EMPTY": True}, "1"], "1", True),
        ([{"EMPTY": True}, "1"], [], True),
        ([{"EMPTY": True}, "1"], "2", False),
        ({"NOT": 0}, 0, False),
        ({"NOT": 0}, 5, True),
        ({"NOT": ["draft", "spam"]}, "spam", False),
        ({"NOT": ["draft", "spam"]}, "sent", True),
        ({"NOT": "draft"}, None, True),
    ],
)
def test_when_may_ask_whether_there_is_something(wanted, value, fires):
    made = trigger(**SIGNAL, WHEN={"args.q": wanted})
    assert (made.build({"args": {"q": value}}) is not None) is fires


def test_a_path_that_leads_nowhere_is_empty():
    offer = {"args": {}}
    assert trigger(**SIGNAL, WHEN={"args.q": {"EMPTY": True}}).build(offer) is not None
    assert trigger(**SIGNAL, WHEN={"args.q": {"EMPTY": False}}).build(offer) is None


def test_empty_is_true_or_false():
    (problem,) = mistakes(**SIGNAL, WHEN={"args.q": [1, {"EMPTY": "no"}]})
    assert problem == "CAPI['TRIGGERS'][0]['WHEN']['args.q']['EMPTY'] must be True or False"
    (problem,) = mistakes(**MODEL, CHANGED={"paid_at": {"EMPTY": None}})
    assert problem == "CAPI['TRIGGERS'][0]['CHANGED']['paid_at']['EMPTY'] must be True or False"


def test_a_list_may_be_written_out():
    made = trigger(
        **SIGNAL,
        CUSTOM_DATA={"contents": [{"id": "order.number", "quantity": {"VALUE": 1}}]},
    )
    event = made.build({"order": ORDER})
    assert event.custom_data.contents == [{"id": "A-17", "quantity": 1}]


def test_what_a_written_list_misses_is_said():
    made = trigger(**SIGNAL, CUSTOM_DATA={"contents": [{"id": "order.pk"}]})
    assert made.build({"order": ORDER}).notes == (
        FieldNote("custom_data.contents", "path 'order.pk' leads nowhere"),
    )
    (problem,) = mistakes(**SIGNAL, CUSTOM_DATA={"contents": [{"id": 5}]})
    assert problem.startswith("CAPI['TRIGGERS'][0]['CUSTOM_DATA']['contents'][0]['id'] must be")
