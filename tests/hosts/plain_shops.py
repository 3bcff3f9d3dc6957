"""Shops without a signal, and how somebody walks through each from the first look to the order."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import attrs

from capi_plugins.sandbox import Sandbox
from tests.hosts.walks import HOSTS, environment, run, served, settings_for, visitor

RECORD = ("capi", "discover", "--record", "--json", "--port", "{port}")


def ask(browser, method, path, **data):
    answer = browser.request(method, path, data=data or None)
    assert answer.status_code == 200, (path, answer.text)


def shop_django(url, email, quantity):
    with visitor(url) as browser:
        ask(browser, "GET", "/articles/1/")
        ask(browser, "GET", "/search/")
        ask(browser, "GET", "/search/?q=tea")
        ask(browser, "POST", "/cart/add/1/", quantity=quantity)
        ask(browser, "GET", "/orders/create/")
        address = {"email": email, "first_name": "Adaline", "postal_code": "10997"}
        ask(browser, "POST", "/orders/create/", **address)
        ask(browser, "POST", "/payment/")
        ask(browser, "GET", "/payment/done/")  # reloaded
    with visitor(url) as browser:
        ask(browser, "POST", "/sign-up/", email=f"new.{email}", password="s3cret-word")


def shop_flask(url, email, quantity):
    with visitor(url) as browser:
        ask(browser, "GET", "/items/T-1")
        ask(browser, "GET", "/search?query=tea")
        ask(browser, "POST", "/basket/put", sku="T-1", qty=quantity)
        ask(browser, "GET", "/checkout")
        buyer = {"email": email, "phone": "+442071234567"}
        assert browser.post("/checkout", data={**buyer, "card": "declined"}).status_code == 402
        ask(browser, "POST", "/checkout", **buyer, card="good")
        ask(browser, "GET", "/thanks")
        ask(browser, "POST", "/newsletter", email=email)
    with visitor(url) as browser:
        ask(browser, "POST", "/join", email=f"new.{email}")


def shop_api(url, email, quantity):
    with visitor(url) as script:

        def ask(method, path, **data):
            answer = script.request(method, f"/api/{path}", json=data or None)
            assert answer.is_success, answer.text
            return answer.json()

        ask("GET", "products/")
        ask("GET", "products/?search=tea")
        ask("GET", "products/1/")
        cart = ask("POST", "carts/", of="mine")["id"]
        ask("POST", "cart-items/", cart=cart, product=1, quantity=quantity)
        order = ask("POST", "orders/", cart=cart, email=email)["id"]
        ask("POST", f"orders/{order}/pay/")
        ask("POST", f"orders/{order}/pay/")
        ask("POST", "sign-up/", username=email, email=f"new.{email}", password="s3cret-word")


def django_environment(tmp_path, settings=None):
    more = {} if settings is None else {"PLAIN_CAPI": json.dumps(settings)}
    return environment(PLAIN_DATABASE=str(tmp_path / "plain.sqlite3"), **more)


def flask_environment(tmp_path, settings=None):
    more = {} if settings is None else {"FLASK_CAPI": json.dumps(settings)}
    return environment(
        PLAIN_DATABASE=str(tmp_path / "plain.sqlite3"),
        FLASK_APP="capi_flask:wrap('plain:create_app')",
        CAPI_FLASK_APP="plain:create_app",
        **more,
    )


@attrs.frozen(kw_only=True)
class Shop:
    """One of these shops.

    Attributes:
        folder: Where its project is.
        environ: Makes what its processes see, of a scratch folder and settings.
        command: Runs its commands.
        server: Serves it.
        walk: Walks through its whole funnel: a URL, an address of e-mail, a quantity.
    """

    folder: Path
    environ: Callable
    command: tuple
    server: tuple
    walk: Callable

    def run(self, scratch, *arguments):
        """Run one of its commands, and return what that prints."""
        return run(self.folder, self.environ(scratch), *self.command, *arguments)

    def recorded(self, scratch, settings=None, email="ada@example.com"):
        """Walk through it while ``discover`` watches, and return what that prints."""
        environ = self.environ(scratch, settings)
        with served(self.folder, environ, scratch, *self.command, *RECORD) as recording:
            self.walk(recording.url, email, 2)
        return recording.said

    def sold(self, scratch, triggers):
        """Walk through it with triggers: its settings, and the counts and payloads of events."""
        with Sandbox() as sandbox:
            settings = settings_for(sandbox, TRIGGERS=triggers)
            environ = self.environ(scratch, settings)
            with served(self.folder, environ, scratch, *self.server) as shop:
                self.walk(shop.url, "bob@example.com", 3)
            assert sandbox.refused == []
            sent = [event.payload for event in sandbox.accepted()]
        counts = Counter(payload["event_name"] for payload in sent)
        return settings, counts, {payload["event_name"]: payload for payload in sent}


SERVER = ("-m", "gunicorn", "-b", "127.0.0.1:{port}")
DJANGO = Shop(
    folder=HOSTS / "plainshop",
    environ=django_environment,
    command=("manage.py",),
    server=(*SERVER, "plainshop.wsgi"),
    walk=shop_django,
)
API = Shop(
    folder=HOSTS / "apishop",
    environ=django_environment,
    command=("manage.py",),
    server=(*SERVER, "--threads", "4", "apishop.wsgi"),
    walk=shop_api,
)
FLASK = Shop(
    folder=HOSTS / "plainflask",
    environ=flask_environment,
    command=("-m", "flask"),
    server=(*SERVER, "capi_flask.wsgi:app"),
    walk=shop_flask,
)
