"""Sessions of every kind: without Flask-SQLAlchemy, async, joined, streamed, in threads."""

from __future__ import annotations

import flask
import pytest

from tests.on_flask.host_shop import CONTENTS, PAID, order, seen, visit

sqlalchemy = pytest.importorskip("sqlalchemy")


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
