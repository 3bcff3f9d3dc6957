"""A host with Flask-SQLAlchemy, what is bought there, and what was seen of it."""

from __future__ import annotations

import sys
import types
from decimal import Decimal

import blinker
import pytest
from capi_flask import Capi

PAID = {
    "ON": "model",
    "MODEL": "host_shop.Order",
    "CHANGED": {"paid": True},
    "EVENT": "Purchase",
    "EVENT_ID": "instance.number",
    "CUSTOM_DATA": {
        "value": "instance.total",
        "was_paid": "old.paid",
        "total_before": "old.total",
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
    sqlalchemy = pytest.importorskip("sqlalchemy")
    flask_sqlalchemy = pytest.importorskip("flask_sqlalchemy")
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
