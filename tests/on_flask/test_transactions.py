"""An event counts when its changes are committed."""

from __future__ import annotations

import contextlib
import types
from decimal import Decimal

import pytest

from tests.on_flask.host_shop import CONTENTS, order, seen, visit

sqlalchemy = pytest.importorskip("sqlalchemy")


def test_committed_row_is_a_purchase_with_fields_read_late(shop, recorder):
    def view():
        placed = order(shop, paid=True, total=Decimal("24.50"))
        assert placed.lines == []
        shop.db.session.commit()
        shop.db.session.add(shop.Line(order=placed, sku="MUG", quantity=2))
        shop.db.session.commit()
        assert recorder.events == []

    assert visit(shop, view) == 200
    [event] = recorder.events
    assert (event["name"], event["id"]) == ("Purchase", "Purchase.A1")
    assert event["custom_data"] == {"value": "24.50", "contents": CONTENTS}
    assert event["url"] == "http://localhost/"


def test_row_that_is_rolled_back_is_forgotten(shop, recorder):
    def view():
        order(shop, paid=True)
        shop.db.session.flush()
        shop.db.session.rollback()

    assert visit(shop, view) == 200
    assert recorder.events == []


def test_row_that_is_never_committed_is_forgotten(shop, recorder):
    def view():
        order(shop, paid=True)
        shop.db.session.flush()

    assert visit(shop, view) == 200
    assert recorder.events == []


def test_view_that_fails_before_the_commit_leaves_nothing(shop, recorder):
    def view():
        shop.order_placed.send(shop.app, order=order(shop, paid=True))
        shop.db.session.flush()
        raise ZeroDivisionError

    assert visit(shop, view) == 500
    assert recorder.events == []


@pytest.mark.parametrize("propagate", [True, False])
def test_view_that_fails_after_the_commit_still_made_a_purchase(shop, recorder, propagate):
    shop.app.config["PROPAGATE_EXCEPTIONS"] = propagate

    def view():
        placed = order(shop, paid=True)
        shop.db.session.add(shop.Line(order=placed, sku="MUG", quantity=2))
        shop.db.session.commit()
        raise ZeroDivisionError

    if propagate:
        with pytest.raises(ZeroDivisionError):
            visit(shop, view)
    else:
        assert visit(shop, view) == 500
    assert seen(recorder) == [("Purchase", "Purchase.A1")]
    assert recorder.events[0]["custom_data"]["contents"] == CONTENTS


@pytest.mark.parametrize("propagate", [True, False])
def test_page_that_nobody_was_shown_was_not_looked_at(shop, recorder, propagate):
    shop.app.config["PROPAGATE_EXCEPTIONS"] = propagate

    def view():
        order(shop, paid=True)
        shop.db.session.commit()
        shop.app.extensions["capi"].client.track("ViewContent")
        raise ZeroDivisionError

    with contextlib.suppress(ZeroDivisionError):
        assert visit(shop, view) == 500
    assert seen(recorder) == [("Purchase", "Purchase.A1")]


def test_session_that_broke_after_the_commit_costs_nothing(shop, recorder):
    def view():
        placed = order(shop, paid=True)
        shop.db.session.add(shop.Line(order=placed, sku="MUG", quantity=2))
        shop.db.session.commit()
        order(shop, number="A1")
        shop.db.session.flush()

    assert visit(shop, view) == 500
    assert seen(recorder) == [("Purchase", "Purchase.A1")]
    assert recorder.events[0]["custom_data"]["contents"] == CONTENTS


def test_savepoint_that_is_rolled_back_takes_its_events_with_it(shop, recorder):
    def view():
        order(shop, "outer", paid=True)
        with shop.db.session.begin_nested():
            order(shop, "kept", paid=True)
        savepoint = shop.db.session.begin_nested()
        order(shop, "lost", paid=True)
        with shop.db.session.begin_nested():
            order(shop, "lost inside", paid=True)
        savepoint.rollback()
        shop.db.session.commit()

    assert visit(shop, view) == 200
    assert sorted(seen(recorder)) == [
        ("Purchase", "Purchase.kept"),
        ("Purchase", "Purchase.outer"),
    ]


def test_released_savepoint_is_forgotten_with_the_transaction_around_it(shop, recorder):
    def view():
        with shop.db.session.begin_nested():
            order(shop, paid=True)
        shop.db.session.rollback()

    assert visit(shop, view) == 200
    assert recorder.events == []


def test_change_of_a_column_is_told_from_its_old_value(shop, recorder):
    with shop.app.app_context():
        order(shop, "unpaid", total=Decimal("24.50"))
        order(shop, "paid", paid=True)
        shop.db.session.commit()
    recorder.events.clear()

    def view():
        for number in ("unpaid", "paid"):
            found = shop.db.session.scalar(sqlalchemy.select(shop.Order).filter_by(number=number))
            found.paid = True
            found.total = 5
        shop.db.session.commit()

    assert visit(shop, view) == 200
    assert seen(recorder) == [("Purchase", "Purchase.unpaid")]
    data = recorder.events[0]["custom_data"]
    assert (data["was_paid"], data["total_before"], data["value"]) == (False, "24.50", "5.00")


def test_column_that_was_set_while_expired_is_told_from_its_old_value(shop, recorder):
    def view():
        paid, unpaid = order(shop, "paid", paid=True), order(shop, "unpaid")
        shop.db.session.commit()
        paid.paid = unpaid.paid = True
        shop.db.session.commit()

    assert visit(shop, view) == 200
    # The first is noted when it is made, and would be noted twice.
    assert seen(recorder) == [("Purchase", "Purchase.paid"), ("Purchase", "Purchase.unpaid")]


def test_signal_inside_a_transaction_waits_for_the_commit(shop, recorder):
    def view():
        placed = order(shop)
        shop.order_placed.send(shop.app, order=placed)
        shop.db.session.add(shop.Line(order=placed, sku="MUG", quantity=2))
        shop.db.session.commit()

    assert visit(shop, view) == 200
    assert seen(recorder) == [("Lead", "Lead.A1")]
    assert recorder.events[0]["custom_data"]["contents"] == CONTENTS


def test_signal_inside_a_transaction_that_is_rolled_back_is_forgotten(shop, recorder):
    def view():
        order(shop)
        shop.db.session.flush()
        shop.order_placed.send(shop.app, number="not even a row")
        shop.db.session.rollback()

    assert visit(shop, view) == 200
    assert recorder.events == []


def test_signal_after_statements_of_core_waits_for_the_commit(shop, recorder):
    def view():
        shop.db.session.execute(sqlalchemy.insert(shop.Order).values(number="A1", total=1))
        shop.order_placed.send(shop.app, order=types.SimpleNamespace(number="A1"))
        shop.db.session.rollback()
        shop.db.session.execute(sqlalchemy.insert(shop.Order).values(number="A2", total=1))
        shop.order_placed.send(shop.app, order=types.SimpleNamespace(number="A2", lines=[]))
        shop.db.session.commit()

    assert visit(shop, view) == 200
    assert seen(recorder) == [("Lead", "Lead.A2")]


def test_signal_in_a_request_that_only_reads_counts_at_once(shop, recorder):
    with shop.app.app_context():
        order(shop)
        shop.db.session.commit()

    def view():
        found = shop.db.session.scalar(sqlalchemy.select(shop.Order))
        shop.order_placed.send(shop.app, order=found)

    assert visit(shop, view) == 200
    assert seen(recorder) == [("Lead", "Lead.A1")]


def test_outside_a_request_fields_are_read_right_after_the_commit(shop, recorder):
    with shop.app.app_context():
        session = shop.db.session()
        placed = order(shop, paid=True)
        assert placed.lines == []
        session.add(shop.Line(order=placed, sku="MUG", quantity=2))
        session.flush()
        assert recorder.events == []
        session.commit()
        assert recorder.events[0]["custom_data"]["contents"] == CONTENTS
        assert not session.in_transaction()
        with session.begin():
            session.add(shop.Line(order=placed, sku="TEA", quantity=1))
    assert seen(recorder) == [("Purchase", "Purchase.A1")]


def test_reading_leaves_what_the_host_did_not_flush(shop, recorder):
    statements = []

    def view():
        placed = order(shop, paid=True)
        shop.db.session.commit()
        placed.total = 99
        sqlalchemy.event.listen(
            shop.db.engine, "before_cursor_execute", lambda *args: statements.append(args[2])
        )

    assert visit(shop, view) == 200
    assert seen(recorder) == [("Purchase", "Purchase.A1")]
    assert not [text for text in statements if not text.startswith("SELECT")]
