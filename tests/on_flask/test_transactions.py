"""An event counts when its changes are committed; with Flask-SQLAlchemy and without."""

from __future__ import annotations

import contextlib
import sys
import types
from decimal import Decimal

import flask
import pytest
from capi_flask import Capi

sqlalchemy = pytest.importorskip("sqlalchemy")
flask_sqlalchemy = pytest.importorskip("flask_sqlalchemy")
blinker = pytest.importorskip("blinker")

PAID = {
    "ON": "model",
    "MODEL": "host_shop.Order",
    "CHANGED": {"paid": True},
    "EVENT": "Purchase",
    "EVENT_ID": "instance.number",
    "CUSTOM_DATA": {
        "value": "instance.total",
        "was_paid": "old.paid",
        "contents": {"EACH": "instance.lines", "id": "item.sku", "quantity": "item.quantity"},
    },
}
PLACED = {
    "ON": "signal",
    "SIGNAL": "host_shop.order_placed",
    "EVENT": "Lead",
    "EVENT_ID": "order.number",
    "CUSTOM_DATA": {
        "contents": {"EACH": "order.lines", "id": "item.sku", "quantity": "item.quantity"},
    },
}


@pytest.fixture
def shop(make_app, database_url, monkeypatch):
    """A host with Flask-SQLAlchemy; its module is importable as ``host_shop``."""
    from sqlalchemy.orm import DeclarativeBase, mapped_column, relationship

    class Base(DeclarativeBase):
        pass

    db = flask_sqlalchemy.SQLAlchemy(model_class=Base)

    class Order(db.Model):
        __tablename__ = "orders"
        id = mapped_column(sqlalchemy.Integer, primary_key=True)
        number = mapped_column(sqlalchemy.String(20), unique=True, nullable=False)
        paid = mapped_column(sqlalchemy.Boolean, default=False)
        total = mapped_column(sqlalchemy.Numeric(10, 2), default=Decimal(0))
        lines = relationship("Line", back_populates="order")

    class Line(db.Model):
        __tablename__ = "lines"
        id = mapped_column(sqlalchemy.Integer, primary_key=True)
        order_id = mapped_column(sqlalchemy.ForeignKey("orders.id"))
        sku = mapped_column(sqlalchemy.String(20))
        quantity = mapped_column(sqlalchemy.Integer)
        order = relationship("Order", back_populates="lines")

    module = types.ModuleType("host_shop")
    module.Order, module.Line, module.db = Order, Line, db
    module.order_placed = blinker.Signal()
    monkeypatch.setitem(sys.modules, "host_shop", module)
    app = make_app(capi=False, TRIGGERS=[PAID, PLACED])
    app.config["SQLALCHEMY_DATABASE_URI"] = database_url
    db.init_app(app)
    Capi(app)
    with app.app_context():
        db.create_all()
    module.app = app
    yield module
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


def visit(shop, view):
    """Make one request that runs a function; whatever it raises is an error page."""
    shop.app.add_url_rule("/", "view", lambda: view() or "done")
    return shop.app.test_client().get("/").status_code


def order(shop, number="A1", **fields):
    made = shop.Order(number=number, **fields)
    shop.db.session.add(made)
    return made


def seen(recorder):
    return [(event["name"], event["id"]) for event in recorder.events]


CONTENTS = [{"id": "MUG", "quantity": 2}]


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
        order(shop, "unpaid")
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
    assert recorder.events[0]["custom_data"]["was_paid"] is False


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


def test_host_without_flask_sqlalchemy_works_with_sessions_it_closes(shop, recorder):
    def view():
        with sqlalchemy.orm.Session(shop.db.engine) as session:
            placed = shop.Order(number="A1", paid=True)
            session.add(placed)
            shop.order_placed.send(shop.app, order=placed)
            session.flush()
            session.add(shop.Line(order_id=placed.id, sku="MUG", quantity=2))
            session.commit()

    assert visit(shop, view) == 200
    assert sorted(seen(recorder)) == [("Lead", "Lead.A1"), ("Purchase", "Purchase.A1")]
    assert all(event["custom_data"]["contents"] == CONTENTS for event in recorder.events)


def test_one_connection_in_the_pool_is_enough(shop, recorder):
    engine = sqlalchemy.create_engine(
        shop.app.config["SQLALCHEMY_DATABASE_URI"], pool_size=1, max_overflow=0, pool_timeout=0.1
    )

    def view():
        session = flask.g.session = sqlalchemy.orm.Session(engine)
        session.add(shop.Order(number="A1", paid=True))
        session.commit()
        assert session.scalars(sqlalchemy.select(shop.Order)).one().number == "A1"

    @shop.app.teardown_appcontext
    def close(_):
        if "session" in flask.g:
            flask.g.session.close()

    assert visit(shop, view) == 200
    assert seen(recorder) == [("Purchase", "Purchase.A1")]
    engine.dispose()


def test_commit_in_another_apps_context_is_not_ours(shop, make_app, recorder):
    other = make_app("other", TRIGGERS=[{**PAID, "EVENT": "Other"}])
    with shop.app.app_context():
        order(shop, paid=True)
        shop.db.session.commit()
    assert seen(recorder) == [("Purchase", "Purchase.A1")]
    assert other.extensions["capi"].client.stats().waiting == 0


def test_async_session_counts_at_its_commit(shop, recorder, tmp_path):
    pytest.importorskip("aiosqlite")
    pytest.importorskip("greenlet")
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

    async def view():
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'async.sqlite3'}")
        async with engine.begin() as connection:
            await connection.run_sync(shop.db.metadata.create_all)
        async with AsyncSession(engine) as session:
            placed = shop.Order(number="A1", paid=True)
            session.add_all([placed, shop.Line(order=placed, sku="MUG", quantity=2)])
            await session.commit()
            session.add(shop.Order(number="A2", paid=True))
            await session.flush()
            await session.rollback()
        await engine.dispose()
        return "done"

    shop.app.add_url_rule("/", "view", view)
    assert shop.app.test_client().get("/").status_code == 200
    assert seen(recorder) == [("Purchase", "Purchase.A1")]
    assert recorder.events[0]["custom_data"]["contents"] == CONTENTS
    assert recorder.events[0]["url"] == "http://localhost/"


def test_session_joined_to_the_transaction_of_a_test_counts_at_its_own_commit(shop, recorder):
    with shop.app.app_context():
        engine = shop.db.engine
    with engine.connect() as connection:
        around = connection.begin()

        def view():
            with sqlalchemy.orm.Session(
                connection, join_transaction_mode="create_savepoint"
            ) as session:
                placed = shop.Order(number="A1", paid=True)
                session.add_all([placed, shop.Line(order=placed, sku="MUG", quantity=2)])
                session.commit()
                session.add(shop.Order(number="A2", paid=True))
                session.flush()
                session.rollback()

        assert visit(shop, view) == 200
        assert around.is_active
        around.rollback()
    assert seen(recorder) == [("Purchase", "Purchase.A1")]
    assert recorder.events[0]["custom_data"]["contents"] == CONTENTS


def test_commit_in_a_streamed_body_is_its_visitors(shop, recorder):
    def view():
        def body():
            yield "a"
            order(shop, paid=True)
            shop.db.session.commit()
            yield "b"

        return flask.Response(flask.stream_with_context(body()))

    shop.app.add_url_rule("/", "view", view)
    assert shop.app.test_client().get("/").text == "ab"
    assert seen(recorder) == [("Purchase", "Purchase.A1")]
    assert recorder.events[0]["url"] == "http://localhost/"


def test_threads_of_one_app_do_not_mix(shop, recorder):
    from concurrent.futures import ThreadPoolExecutor

    @shop.app.get("/<number>")
    def buy(number):
        order(shop, number, paid=True)
        if number.startswith("no"):
            shop.db.session.rollback()
        else:
            shop.db.session.commit()
        return "done"

    numbers = [f"{word}{i}" for i in range(20) for word in ("yes", "no")]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: shop.app.test_client().get(f"/{number}"), numbers))
    assert sorted(event["id"] for event in recorder.events) == sorted(
        f"Purchase.yes{i}" for i in range(20)
    )
    assert all(event["url"].endswith(event["id"][9:]) for event in recorder.events)
