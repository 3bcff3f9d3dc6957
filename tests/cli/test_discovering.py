"""What is read of a host's objects, what is kept of them, and what is made of it."""

from __future__ import annotations

import datetime
from decimal import Decimal
from types import SimpleNamespace

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capi_plugins import FinishedRequest, configure
from capi_plugins._triggers import parse_trigger
from capi_plugins.cli.discovering import goods
from capi_plugins.cli.discovering.comparing import compare
from capi_plugins.cli.discovering.fields import find, lines
from capi_plugins.cli.discovering.proposing import propose
from capi_plugins.cli.discovering.recorder import Recorder
from capi_plugins.cli.discovering.shapes import Shape, kind_of, look
from capi_plugins.cli.discovering.survey import Moment
from capi_plugins.cli.discovering.words import known_words, rank, words_of


class Order:
    """An order as hosts write it, with everything that must be left alone."""

    number = "F1001"
    email = "ada@example.com"
    total = Decimal("24.00")
    currency = "EUR"
    paid = True
    secret = "hunter2"

    def __init__(self):
        self.done = []
        self.lines = [SimpleNamespace(sku="MUG", quantity=2, unit_price=Decimal(12))]

    def get_total_cost(self):
        return self.total

    def complete(self):
        self.done.append("complete")

    def checkout(self):
        self.done.append("checkout")

    def payment(self):
        self.done.append("payment")

    @classmethod
    def confirmed(cls):
        raise AssertionError("called")

    @property
    def amount_paid(self):
        raise ConnectionError("the host's database is away")


def test_methods_that_do_something_are_not_called():
    order = Order()
    shape = look(order)
    assert order.done == []
    assert {"complete", "checkout", "payment", "confirmed"}.isdisjoint(shape.fields)
    assert shape.fields["get_total_cost"].kind == "number"


def test_names_and_kinds_are_kept_and_no_value_is():
    text = repr(look({"order": Order()}, every_name=True))
    for value in ("F1001", "ada@", "24", "EUR", "hunter2", "MUG", "away"):
        assert value not in text
    assert "secret" not in text


def test_functions_of_a_page_are_not_called():
    called = []
    shape = look({"total": lambda: called.append(1), "order": Order()}, every_name=True)
    assert called == []
    assert list(shape.fields) == ["order"]


def test_a_generator_is_left_to_the_host():
    items = iter([Order()])
    look(SimpleNamespace(items=items))
    assert next(items).number == "F1001"


def test_objects_that_lead_in_a_circle_end():
    cart = SimpleNamespace(total=1)
    cart.order, cart.items = cart, [cart]
    assert look(cart).fields["total"].kind == "number"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "nothing"),
        (True, "flag"),
        (3, "number"),
        (Decimal(3), "number"),
        ("3.50", "digits"),
        ("EUR", "currency"),
        ("ada@example.com", "email"),
        ("Ada", "text"),
        (datetime.date(2026, 1, 1), "moment"),
        (b"x", "bytes"),
        ([1], "list"),
        ({"a": 1}, "mapping"),
        (object(), "object"),
    ],
)
def test_kinds(value, kind):
    assert kind_of(value) == kind


nested = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


@given(nested)
def test_anything_can_be_looked_at(value):
    assert isinstance(look(value, every_name=True), Shape)


@given(st.text())
def test_any_name_has_words_and_ranks(name):
    assert known_words([name]) <= words_of(name)
    for role in ("value", "lines", "email"):
        assert rank(role, name) is None or rank(role, name) >= 0


def test_the_total_is_preferred_to_its_parts():
    shape = look(SimpleNamespace(subtotal=1, tax_total=2, total=3, shipping_total=4, total_items=5))
    assert find("value", shape, "order") == "order.total"
    assert find("value", look(SimpleNamespace(tax_total=2, total_items=5)), "order") is None


def test_money_objects_are_followed():
    shape = look(SimpleNamespace(total=SimpleNamespace(amount=3, currency="EUR")))
    assert find("value", shape, "order") == "order.total.amount"
    assert find("currency", shape, "order") == "order.total.currency"


@pytest.mark.parametrize(
    ("cart", "each"),
    [
        ({"MUG": 2}, {"EACH": "session.cart", "id": "key", "quantity": "item"}),
        (
            {"7": {"quantity": 2, "price": "3.50"}},
            {
                "EACH": "session.cart",
                "id": "key",
                "quantity": "item.quantity",
                "item_price": "item.price",
            },
        ),
        (
            [{"product_id": 7, "qty": 1}],
            {"EACH": "session.cart", "id": "item.product_id", "quantity": "item.qty"},
        ),
        ([{"title": "Mug"}], None),
    ],
)
def test_a_cart_in_a_session_has_lines(cart, each):
    assert lines(look(cart), "session.cart", "sku") == each


def request(name, method="POST", status=302, **roots):
    shapes = {root: look(value, every_name=True) for root, value in roots.items()}
    return Moment(on="request", name=name, method=method, status=status, roots=shapes, times=1)


@pytest.mark.parametrize(
    ("name", "is_adding"),
    [
        ("cart:add", True),
        ("basket.put", True),
        ("addToCart", True),
        ("cart:remove", False),
        ("cart_update", False),
        ("cart:apply_coupon", False),
        ("basket:vouchers-add", False),
        ("blog:add", False),
    ],
)
def test_putting_into_the_cart_is_told_from_taking_out(name, is_adding):
    assert goods.is_adding(request(name)) is is_adding


def test_a_number_of_a_product_says_that_it_is_added_where_the_route_names_no_cart():
    form = {"quantity": "2"}
    assert goods.is_adding(request("shop:add", kwargs={"slug": "mug"}, form=form))
    assert not goods.is_adding(request("shop:add", kwargs={"slug": "mug"}, form={"text": "hm"}))
    assert not goods.is_adding(request("order-create", json={"product": 3, "quantity": 2}))
    assert not goods.is_adding(request("wishlist:add", kwargs={"slug": "mug"}, form=form))


def test_a_cart_that_is_made_empty_is_not_proposed_beside_what_is_put_into_it():
    moments = [
        request("cart-create", status=201, json={}),
        request("cart-items:list", status=201, json={"product": 3, "quantity": 2}),
    ]
    (added,) = propose(moments, None)
    assert added.trigger["ROUTE"] == "cart-items:list"


def test_an_answer_to_a_script_may_show_a_product():
    told = Shape(kind="object", fields={"data": look({"id": 3, "title": "Mug", "price": "9.50"})})
    moment = request("product-detail", "GET", 200, kwargs={"pk": "3"})
    moment = attrs.evolve(moment, roots={**moment.roots, "response": told})
    (viewed,) = propose([moment], "EUR")
    assert viewed.trigger["CUSTOM_DATA"]["content_ids"] == "response.data.id"
    assert viewed.trigger["CUSTOM_DATA"]["value"] == "response.data.price"


def test_a_product_list_is_not_a_product():
    page = {"products": [Order()], "page": 1}
    assert goods.viewed(request("list", "GET", 200, context=page, kwargs={"page": 1})) is None


def test_every_proposal_is_a_trigger_that_settings_take():
    product = {"product": SimpleNamespace(sku="M", price=3, name="Mug", currency="EUR")}
    moments = [
        request("shop.product", "GET", 200, context=product, kwargs={"slug": "mug"}),
        request("shop.search", "GET", 200, args={"q": "mug"}),
        request("wishlist.add", kwargs={"sku": "M"}),
        request("cart.add", kwargs={"sku": "M"}, form={"quantity": "2"}),
        request("checkout", "GET", 200, context={"cart": Order()}),
        request("thanks", "GET", 200, context={"order": Order()}, kwargs={}),
        request("newsletter", form={"email": "ada@example.com"}),
        Moment(
            on="signal",
            name="shop.user_registered",
            roots={"user": look(SimpleNamespace(id=3, email="ada@example.com"))},
            times=1,
        ),
    ]
    found = propose(moments, None)
    assert [proposal.event for proposal in found] == [
        "ViewContent",
        "Search",
        "AddToWishlist",
        "AddToCart",
        "InitiateCheckout",
        "Purchase",
        "CompleteRegistration",
        "Lead",
    ]
    problems: list[str] = []
    triggers = [
        parse_trigger(proposal.trigger, str(number), problems)
        for number, proposal in enumerate(found)
    ]
    assert problems == []
    assert {comparison.state for comparison in compare(found, triggers)} == {"covered"}
    assert {comparison.state for comparison in compare(found, [])} == {"new"}


def test_a_signal_is_a_purchase_where_no_row_says_that_it_is_paid():
    signal = Moment(on="signal", name="shop.order_placed", roots={"order": look(Order())}, times=1)
    page = request("thanks", "GET", 200, context={"order": Order()})
    (found,) = propose([page, signal], None)
    assert found.trigger["SIGNAL"] == "shop.order_placed"
    assert found.trigger["EVENT_ID"] == "order.number"


def test_a_currency_that_nobody_names_is_asked_for():
    shape = look(SimpleNamespace(number="1", total=3))
    signal = Moment(on="signal", name="shop.order_placed", roots={"order": shape}, times=1)
    (found,) = propose([signal], None)
    assert any("--currency" in note for note in found.notes)
    (found,) = propose([signal], "CHF")
    assert found.trigger["CUSTOM_DATA"]["currency"] == {"VALUE": "CHF"}


def test_of_a_row_only_words_for_paid_are_kept():
    recorder = Recorder(None)
    for old, new in (("new", "paid"), ("new", "Ada Lovelace"), ("paid", "paid")):
        recorder.row("shop.Order", Order, created=False, old={"status": old}, new={"status": new})
    (moment,) = recorder.moments
    assert moment.changes == {"status": "paid"}


def test_what_fires_in_a_request_is_looked_at_when_it_ends():
    client = configure(
        {"TRIGGERS": [{"ON": "request", "ROUTE": "pay", "EVENT": "Purchase"}], "AUTOLOAD": False}
    )
    recorder = Recorder(client)
    order = Order()
    order.lines = []
    recorder.begin()
    recorder.signal("shop.order_placed", {"order": order, "sender": "x"})
    order.lines.append(SimpleNamespace(sku="MUG", quantity=1))
    recorder.finish(FinishedRequest(method="POST", route="pay", path="/pay/", status=302))
    signal = next(moment for moment in recorder.moments if moment.on == "signal")
    assert signal.roots["order"].fields["lines"].item is not None
    assert "CAPI['TRIGGERS'][0]" in recorder.fired
    client.close(0)


def signal(name, *, times=1, **roots):
    shapes = {root: look(value) for root, value in roots.items()}
    return Moment(on="signal", name=name, roots=shapes, times=times)


MUG = SimpleNamespace(sku="MUG", pk=7, name="Mug", price=Decimal(12))


def test_signals_about_products_come_before_the_pages_that_send_them():
    line = SimpleNamespace(pk=3, product=SimpleNamespace(sku="MUG"), quantity=2)
    moments = [
        request("shop.product", "GET", 200, context={"product": MUG}, kwargs={"slug": "mug"}),
        request("cart.add", kwargs={"sku": "M"}, form={"quantity": "2"}),
        signal("shop.product_viewed", product=MUG, user=None),
        signal("shop.basket_addition", line=line),
        signal("shop.basket_removal", product=MUG),
    ]
    viewed, added = propose(moments, "EUR")
    assert (viewed.event, viewed.trigger["SIGNAL"]) == ("ViewContent", "shop.product_viewed")
    assert viewed.trigger["CUSTOM_DATA"]["content_ids"] == "product.sku"
    assert viewed.trigger["CUSTOM_DATA"]["value"] == "product.price"
    assert (added.event, added.trigger["SIGNAL"]) == ("AddToCart", "shop.basket_addition")
    assert added.trigger["CUSTOM_DATA"]["contents"] == [
        {"id": "line.product.sku", "quantity": "line.quantity"}
    ]


def test_a_signal_that_was_not_seen_does_not_stand_in_for_a_page_that_was():
    moments = [
        request("shop.product", "GET", 200, context={"product": MUG}, kwargs={"slug": "mug"}),
        signal("shop.product_viewed", times=0, product=MUG),
    ]
    (viewed,) = propose(moments, "EUR")
    assert viewed.trigger["ROUTE"] == "shop.product"


def test_a_quantity_of_a_signal_s_own_is_found():
    (added,) = propose([signal("shop.item_added_to_cart", product=MUG, quantity=2)], None)
    assert added.trigger["CUSTOM_DATA"]["contents"] == [
        {"id": "product.sku", "quantity": "quantity", "item_price": "product.price"}
    ]
    (note,) = added.notes
    written = note.partition(": ")[2]
    (name, find_value), *_ = eval(f"{{{written}}}").items()
    told = {"product.price": MUG.price, "quantity": 2}
    assert (name, find_value(told.get)) == ("value", 24)


def test_a_new_line_of_a_cart_is_put_into_it_where_nothing_else_says_so():
    line = SimpleNamespace(pk=3, product=SimpleNamespace(sku="MUG"), quantity=2)
    row = Moment(
        on="model", name="shop.CartItem", roots={"instance": look(line)}, created=True, times=1
    )
    (added,) = propose([row], None)
    assert (added.trigger["MODEL"], added.trigger["CREATED"]) == ("shop.CartItem", True)
    assert added.trigger["CUSTOM_DATA"]["contents"] == [
        {"id": "instance.product.sku", "quantity": "instance.quantity"}
    ]
    (added,) = propose([row, request("cart.add", kwargs={"sku": "M"})], None)
    assert added.trigger["ROUTE"] == "cart.add"


class Manager:
    """As Django's related managers are."""

    def __init__(self, *rows):
        self.rows = rows

    def all(self):
        return list(self.rows)


def test_a_signal_with_the_line_of_a_cart_tells_the_product_and_not_the_line():
    cart = SimpleNamespace(pk=9)
    product = SimpleNamespace(pk=1, name="Mug")
    line = SimpleNamespace(pk=3, cart=cart, product=product, quantity=2, unit_price=Decimal(12))
    cart.items = Manager(line)
    (added,) = propose([signal("cart.signals.cart_item_added", item=line, cart=cart)], "EUR")
    assert added.trigger["CUSTOM_DATA"]["contents"] == [
        {"id": "item.product.pk", "quantity": "item.quantity", "item_price": "item.unit_price"}
    ]
    (bought,) = propose([signal("cart.signals.cart_checked_out", cart=cart)], "EUR")
    assert (bought.event, bought.trigger["EVENT_ID"]) == ("Purchase", "cart.pk")
    assert bought.trigger["CUSTOM_DATA"]["contents"] == {
        "EACH": "cart.items.all",
        "id": "item.product.pk",
        "quantity": "item.quantity",
        "item_price": "item.unit_price",
    }
    assert any("nothing in it tells the value" in note for note in bought.notes)


def test_a_signal_that_says_nothing_of_the_product_is_proposed_with_a_note():
    viewed, added = propose([signal("shop.product_viewed"), signal("shop.cart_added")], None)
    for proposal in (viewed, added):
        assert "nothing in it says which product it is" in proposal.notes
