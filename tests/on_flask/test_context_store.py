"""Whose an order is that is paid in a webhook, by staff, by a task, in a command."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
import sys

import httpx
import pytest
from capi_flask.identity import identify
from sqlalchemy import ForeignKey, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from werkzeug.local import LocalProxy

from capi_plugins.sandbox import Sandbox
from tests.on_flask.test_servers import BUYER, GUNICORN, SHOP, Visitor, serving
from tests.waiting import until

for needed in ("flask_login", "flask_sqlalchemy", "flask_wtf", "gunicorn"):
    pytest.importorskip(needed)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)


class Order(Base):
    __tablename__ = "purchase"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id = mapped_column(ForeignKey("person.id"))
    user: Mapped[User] = relationship()


FBC = "fb.1.1700000000000.IwAR77"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The example shop behind two processes that share a SQLite outbox; and the sandbox."""
    folder = tmp_path_factory.mktemp("shop")
    with Sandbox(datasets={"1234567890123456": "token"}) as sandbox:
        environ = {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME")},
            "SHOP_DATABASE": str(folder / "shop.sqlite3"),
            "SHOP_OUTBOX": f"sqlite:///{folder / 'outbox.sqlite3'}",
            "SHOP_TRUSTED_PROXIES": "1",
            "SANDBOX_URL": sandbox.url,
            "CAPI_META_DATASET_ID": "1234567890123456",
            "CAPI_META_ACCESS_TOKEN": "token",
        }
        in_shop(environ, "-m", "flask", "--app", "flask_shop", "seed")
        with serving((*GUNICORN, "--workers", "2"), environ) as url:
            yield url, sandbox, environ


def in_shop(environ, *arguments):
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=SHOP, env=environ, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def by_webhook(url, environ, numbers):
    for number in numbers * 3:
        deliver(url, number)


def deliver(url, number):
    body = json.dumps({"order": number, "status": "paid"}).encode()
    signature = hmac.new(b"example-webhook-secret", body, hashlib.sha256).hexdigest()
    headers = {
        "User-Agent": "PaymentProvider/1.0",
        "Content-Type": "application/json",
        "X-Forwarded-For": "198.51.100.9",
        "X-Payment-Signature": signature,
    }
    answer = httpx.post(f"{url}/webhooks/payment/", content=body, headers=headers, timeout=20)
    assert answer.status_code == 204


def by_command(url, environ, numbers):
    code = (
        "from flask_shop import create_app\n"
        "from flask_shop.extensions import db\n"
        "from flask_shop.models import Order\n"
        "with create_app().app_context():\n"
        f"    for order in db.session.query(Order).filter(Order.number.in_({numbers})):\n"
        "        order.paid = True\n"
        "    db.session.commit()\n"
    )
    in_shop(environ, "-c", code)
    # A command ends before its worker sends; what it stored is anybody's.
    in_shop(environ, "-m", "flask", "--app", "flask_shop", "capi", "deliver", "--once")


def buys(url, choice):
    visitor = Visitor(url)
    visitor.http.headers["X-Forwarded-For"] = "203.0.113.9"
    visitor.http.cookies.set("_fbc", FBC)
    visitor.post("/cookies/", "/", choice=choice, next="/")
    visitor.post("/cart/add/MUG-01/", "/p/stoneware-mug/", quantity="2")
    invoice = {**BUYER, "payment": "invoice"}
    answer = visitor.post("/checkout/", "/checkout/", **invoice)
    assert answer.url.path.startswith("/thanks/")
    visitor.http.close()
    return answer.url.path.split("/")[2]


@pytest.mark.parametrize("way", [by_webhook, by_command])
def test_over_http_the_purchase_is_the_shoppers_and_never_a_refusers(served, way):
    url, sandbox, environ = served
    refused, agreed = buys(url, "refuse"), buys(url, "accept")
    way(url, environ, [refused, agreed])
    (purchase,) = until(lambda: of(sandbox, agreed), 30)
    assert of(sandbox, refused) == []
    assert purchase["action_source"] == "website"
    assert purchase["event_source_url"] == f"{url}/checkout/"
    user_data = purchase["user_data"]
    assert user_data["fbc"] == FBC
    assert user_data["fbp"].endswith(".1234567890")
    assert user_data["client_ip_address"] == "203.0.113.9"
    assert user_data["client_user_agent"].startswith("Mozilla/5.0")
    assert sandbox.refused == []


def of(sandbox, number):
    return [
        event.payload
        for event in sandbox.accepted("Purchase")
        if event.payload["event_id"] == f"Purchase.{number}"
    ]


def test_a_row_is_told_by_its_model_its_key_and_its_user():
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        order = Order(user=User())
        assert identify(order) is None
        session.add(order)
        session.commit()
        for value in (order, LocalProxy(lambda: order)):
            found = identify(value)
            assert (found.model, found.key) == (f"{__name__}.Order", 1)
            assert found.user() is order.user
    assert identify("text") is None
    engine.dispose()
