"""What is proposed for shops that tell little: no template, no signal, no model, links that do."""

from __future__ import annotations

import datetime
import enum
import sqlite3
from decimal import Decimal
from types import SimpleNamespace
from typing import NamedTuple

import pytest
import sqlalchemy

from capi_plugins import FinishedRequest
from capi_plugins._triggers import parse_trigger
from capi_plugins.cli.discovering.proposing import propose
from capi_plugins.cli.discovering.recorder import Recorder
from capi_plugins.cli.discovering.shapes import look
from capi_plugins.cli.discovering.survey import Moment

NOON = datetime.datetime(2026, 5, 1, 12, tzinfo=datetime.UTC)


def request(name, method="GET", status=200, *, times=1, **roots):
    shapes = {root: look(value, every_name=True) for root, value in roots.items()}
    return Moment(on="request", name=name, method=method, status=status, roots=shapes, times=times)


def events(*moments, currency=None):
    return {proposal.event: proposal for proposal in propose(moments, currency)}


def test_a_page_without_a_template_is_told_by_its_address():
    for roots, path in (
        ({"kwargs": {"slug": "mug"}}, "kwargs.slug"),
        ({"kwargs": {}, "args": {"productId": "3"}}, "args.productId"),
    ):
        viewed = events(request("shop.product", **roots))["ViewContent"]
        assert viewed.trigger["CUSTOM_DATA"]["content_ids"] == path
        assert any("look up the 'value'" in note for note in viewed.notes)


def test_a_page_that_shows_a_price_comes_before_one_that_does_not():
    mug = SimpleNamespace(sku="MUG", name="Mug", price=Decimal(12))
    shown = request("shop.product", kwargs={"slug": "mug"}, context={"product": mug})
    viewed = events(request("shop.product_text", kwargs={"slug": "mug"}), shown)["ViewContent"]
    assert viewed.trigger["ROUTE"] == "shop.product"


class NamedRow(NamedTuple):
    id: int
    name: str
    price: float


def sqlite_row():
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    row = connection.execute("SELECT 3 AS id, 'Mug' AS name, 12.5 AS price").fetchone()
    connection.close()
    return row


def sqlalchemy_row():
    with sqlalchemy.create_engine("sqlite://").connect() as connection:
        query = sqlalchemy.text("SELECT 3 AS id, 'Mug' AS name, 12.5 AS price")
        return connection.execute(query).one()


@pytest.mark.parametrize("row", [sqlite_row, sqlalchemy_row, lambda: NamedRow(3, "Mug", 12.5)])
def test_a_row_of_sql_is_one_product(row):
    row = row()
    page = request("product", kwargs={"product_id": 3}, context={"product": row})
    data = events(page, currency="EUR")["ViewContent"].trigger["CUSTOM_DATA"]
    assert data["value"] == "context.product.price"
    assert data["content_ids"] == "context.product.id"
    trigger = parse_trigger({**events(page)["ViewContent"].trigger}, "TRIGGERS[0]", [])
    event = trigger.build({"context": {"product": row}}, [])
    assert event.custom_data.value == 12.5
    listed = request("products", kwargs={"page": 1}, context={"products": [row, row]})
    assert "ViewContent" not in events(listed)


def test_what_the_cart_costs_may_stand_on_the_page_beside_it():
    cart = {"3": 2}
    page = request("checkout", context={"total": 39.0, "cart": cart}, session={"cart": cart})
    data = events(page, currency="EUR")["InitiateCheckout"].trigger["CUSTOM_DATA"]
    assert (data["value"], data["currency"]) == ("context.total", {"VALUE": "EUR"})
    assert data["contents"]["EACH"] == "context.cart"


@pytest.mark.parametrize(
    "name",
    ["products_by_category", "product_review", "edit_product", "order_item", "admin.product"],
)
def test_a_page_that_names_a_product_and_is_not_about_it_is_none(name):
    assert events(request(name, kwargs={"slug": "mug"})) == {}


def test_other_ids_than_those_of_the_cart_are_pointed_out():
    put = request("cart.add", "POST", 302, form={"product_id": "3"})
    viewed = events(put, request("shop.product", kwargs={"slug": "mug"}))["ViewContent"]
    assert any("the cart has the id" in note for note in viewed.notes)
    viewed = events(put, request("shop.product", kwargs={"pk": "3"}))["ViewContent"]
    assert not any("the cart has" in note for note in viewed.notes)


def test_a_link_may_put_into_the_cart():
    link = {"args": {"productId": "3"}}
    added = events(request("addToCart", status=302, **link))["AddToCart"]
    assert (added.trigger["METHOD"], added.trigger["STATUS"]) == ("GET", 302)
    assert added.trigger["CUSTOM_DATA"]["content_ids"] == "args.productId"
    assert "AddToCart" not in events(request("removeFromCart", status=302, **link))


def test_where_code_does_not_tell_the_method_a_link_may_put_into_the_cart_too():
    put = request("add-to-cart", "", 0, times=0, kwargs={"slug": "mug"})
    assert "METHOD" not in events(put)["AddToCart"].trigger


def test_the_page_with_the_form_puts_nothing_into_the_cart():
    pages = [request("cart_add", method, kwargs={"pk": "3"}) for method in ("GET", "POST")]
    (added,) = propose(pages, None)
    assert added.trigger["METHOD"] == "POST"


def test_what_a_line_of_a_cart_costs_is_its_value():
    line = SimpleNamespace(product_id=3, quantity=2, price=Decimal(12), subtotal=Decimal(24))
    row = Moment(on="model", name="shop.CartItem", roots={"instance": look(line)}, created=True)
    added = events(row, currency="EUR")["AddToCart"]
    assert added.trigger["CUSTOM_DATA"]["value"] == "instance.subtotal"
    assert added.trigger["CUSTOM_DATA"]["currency"] == {"VALUE": "EUR"}
    assert added.notes == ()


def test_a_price_is_the_value_where_one_is_put_into_the_cart():
    mug = look(SimpleNamespace(sku="MUG", price=Decimal(12)))
    added = events(Moment(on="signal", name="shop.added_to_cart", roots={"product": mug}))
    assert added["AddToCart"].trigger["CUSTOM_DATA"]["value"] == "product.price"


def test_a_checkout_that_tells_its_lines_alone_says_so():
    checkout = events(request("checkout", session={"cart": {"3": 2}}))["InitiateCheckout"]
    assert checkout.trigger["CUSTOM_DATA"]["contents"]["EACH"] == "session.cart"
    assert any("value of the cart" in note for note in checkout.notes)


def test_a_form_that_is_right_leads_on_however_often_it_was_wrong():
    form = {"email": "ada@example.com"}
    wrong, right = (request("newsletter", "POST", status, form=form) for status in (200, 302))
    lead = events(wrong, wrong.merged(wrong), right)["Lead"]
    assert lead.trigger["STATUS"] == 302
    assert lead.notes == ()


def test_a_form_opens_an_account_where_no_row_or_signal_does():
    form = {"email": "ada@example.com", "password": "s3cret", "firstName": "Ada"}
    posted = request("register", "POST", 302, form=form)
    opened = events(posted, request("login", "POST", 302, form=form))["CompleteRegistration"]
    assert opened.trigger["ROUTE"] == "register"
    assert opened.trigger["USER_DATA"] == {"email": "form.email", "first_name": "form.firstName"}
    person = look(SimpleNamespace(id=3, email="ada@example.com"))
    row = Moment(
        on="model",
        name="auth.User",
        roots={"instance": person},
        created=True,
        is_user=True,
        times=1,
    )
    assert events(posted, row)["CompleteRegistration"].trigger["MODEL"] == "auth.User"


def test_the_address_may_stand_beside_the_order():
    order = SimpleNamespace(number="N1", total=Decimal(24))
    page = {"order": order, "contact_email": "shop@example.com"}
    thanks = request("thanks", context=page, session={"email": "ada@example.com"})
    assert events(thanks)["Purchase"].trigger["USER_DATA"] == {"email": "session.email"}
    assert "USER_DATA" not in events(request("thanks", context=page))["Purchase"].trigger


def test_a_page_of_thanks_that_tells_the_number_alone_is_the_last_that_is_proposed():
    thanks = request("thanks", kwargs={"number": "N1"})
    bought = events(thanks)["Purchase"]
    assert bought.trigger["EVENT_ID"] == "kwargs.number"
    assert any("without which Meta takes no purchase" in note for note in bought.notes)
    assert "Purchase" not in events(request("payment_failed_done", kwargs={"number": "N1"}))
    order = look(SimpleNamespace(number="N1", total=Decimal(24)))
    row = Moment(on="model", name="shop.Order", roots={"instance": order}, created=True, times=1)
    assert events(thanks, row)["Purchase"].trigger["MODEL"] == "shop.Order"


@pytest.mark.parametrize(("old", "times"), [(None, 1), (NOON, 0)])
def test_a_date_of_payment_that_is_filled_in_is_a_purchase(old, times):
    recorder = Recorder(None)
    order = SimpleNamespace(number="N1", total=Decimal(24), paid_at=NOON)
    new = {"paid_at": NOON + datetime.timedelta(hours=1)}
    recorder.row("shop.Order", lambda: order, created=False, old={"paid_at": old}, new=new)
    assert len(recorder.moments) == times
    for moment in recorder.moments:
        bought = events(moment)["Purchase"]
        assert bought.trigger["CHANGED"] == {"paid_at": {"EMPTY": False}}


def test_a_date_of_payment_that_was_not_seen_is_proposed_with_a_note():
    order = look(SimpleNamespace(number="N1", total=Decimal(24), paid_at=NOON))
    row = Moment(on="model", name="shop.Order", roots={"instance": order}, created=True, times=1)
    bought = events(row)["Purchase"]
    assert bought.trigger["CHANGED"] == {"paid_at": {"EMPTY": False}}
    assert "'paid_at' was not seen to be set" in bought.notes


def test_what_a_product_is_called_says_nothing_of_its_page():
    recorder = Recorder(None)
    finished = FinishedRequest(
        method="GET",
        route="shop.product",
        path="/shop/leather-bag-checkout/",
        status=200,
        offer=lambda: {"kwargs": {"slug": "leather-bag-checkout"}, "context": {}},
    )
    recorder.finish(finished)
    (moment,) = recorder.moments
    assert moment.words == set()
    assert "ViewContent" in events(moment)


@pytest.mark.parametrize("reduced", [Decimal(9), None])
def test_a_reduced_price_counts_where_a_product_has_one(reduced):
    mug = SimpleNamespace(sku="MUG", price=Decimal(12), discount_price=reduced)
    cart = SimpleNamespace(items=[SimpleNamespace(product=mug, quantity=2)], total=Decimal(24))
    both = ["{}.discount_price", "{}.price"]
    found = events(
        request("shop.product", kwargs={"slug": "mug"}, context={"product": mug}),
        Moment(on="signal", name="shop.added_to_cart", roots={"product": look(mug)}),
        request("checkout", context={"cart": cart}),
    )
    viewed, added, checkout = (
        found[event].trigger["CUSTOM_DATA"]
        for event in ("ViewContent", "AddToCart", "InitiateCheckout")
    )
    assert viewed["value"] == [path.format("context.product") for path in both]
    assert added["value"] == [path.format("product") for path in both]
    assert checkout["contents"]["item_price"] == [path.format("item.product") for path in both]


class State(enum.Enum):
    NEW = "n"
    PAID = "p"


@pytest.mark.parametrize(
    ("old", "new", "label", "changed"),
    [
        ({"completed": None}, {"completed": NOON}, None, {"completed": {"EMPTY": False}}),
        ({"status": 1}, {"status": 2}, "Completed", {"status": 2}),
        ({"status": 1}, {"status": 3}, "Declined", None),
        ({"status": State.NEW}, {"status": State.PAID}, None, {"status": "PAID"}),
    ],
)
def test_money_has_come_by_a_date_a_number_with_a_name_or_an_enumeration(old, new, label, changed):
    recorder = Recorder(None)
    order = SimpleNamespace(pk=1, total=Decimal(24))
    labels = {} if label is None else {"status": label}
    recorder.row("shop.Order", lambda: order, created=False, old=old, new=new, labels=labels)
    assert [moment.changes for moment in recorder.moments] == ([changed] if changed else [])


@pytest.mark.parametrize("name", ["order", "object", "invoice"])
def test_an_order_that_a_page_shows_is_no_product(name):
    class Order(SimpleNamespace):
        pass

    shown = (SimpleNamespace if name != "object" else Order)(pk=3, amount=Decimal(24))
    assert events(request("preview", kwargs={"pk": "3"}, context={name: shown})) == {}


def test_an_address_that_somebody_takes_off_a_list_is_no_lead():
    form = {"email_field": "ada@example.com"}
    won = request("newsletter_subscribe", "POST", 302, form=form)
    lead = events(won)["Lead"]
    assert lead.trigger["USER_DATA"] == {"email": "form.email_field"}
    assert events(request("newsletter_unsubscribe", "POST", 302, form=form)) == {}


def test_what_is_to_be_done_may_stand_in_the_body():
    recorder = Recorder(None)
    for action in ("remove", "remove", "add", "Ada Lovelace"):
        body = {"productId": 3, "action": action}
        recorder.finish(
            FinishedRequest(
                method="POST",
                route="update_item",
                path="/update_item/",
                status=200,
                offer=lambda body=body: {"kwargs": {}, "json": body},
            )
        )
    assert [dict(moment.actions) for moment in recorder.moments] == [
        {"json.action": "remove"},
        {"json.action": "add"},
        {},
    ]
    added = events(*recorder.moments)["AddToCart"]
    assert added.trigger["WHEN"] == {"json.action": "add"}
    assert added.trigger["CUSTOM_DATA"]["content_ids"] == "json.productId"
