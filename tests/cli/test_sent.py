"""What signals are sent with is read from the code that sends them."""

from __future__ import annotations

import importlib
import itertools
import sys
import textwrap

import pytest

from capi_plugins.cli.discovering.proposing import propose
from capi_plugins.cli.discovering.sent import signal_moments
from capi_plugins.cli.discovering.shapes import Shape

ORDER = Shape(kind="object", fields={"pk": Shape(kind="number"), "total": Shape(kind="number")})
USER = Shape(kind="object", fields={"pk": Shape(kind="number"), "email": Shape(kind="email")})
numbers = itertools.count()


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """Write the modules of a shop, import them, and say what its signals are sent with."""
    monkeypatch.syspath_prepend(tmp_path)
    package = f"sentshop{next(numbers)}"
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").touch()

    def write(**modules):
        for name, code in modules.items():
            text = textwrap.dedent(code).replace("SHOP", package)
            (tmp_path / package / f"{name}.py").write_text(text)
        loaded = {name: importlib.import_module(f"{package}.{name}") for name in modules}
        signals = {
            f"{package}.{name}.{key}": value
            for name, module in loaded.items()
            for key, value in vars(module).items()
            if type(value).__name__ == "Signal" and name == "signals"
        }
        rows = {loaded["models"].Order: ORDER, loaded["models"].Account: USER}
        return list(signal_moments(signals, rows, [loaded["models"].Account]))

    yield write
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]


SIGNALS = """
    class Signal:
        def send(self, sender=None, **told): raise AssertionError("sent")
        send_robust = send
    order_completed = Signal()
"""
MODELS = """
    from SHOP import signals
    class Base:
        def complete(self): signals.order_completed.send(self)
    class Order(Base): ...
    class Account: ...
"""


def test_a_sender_that_is_the_order_is_where_its_fields_are_read(shop):
    (moment,) = shop(signals=SIGNALS, models=MODELS)
    assert (moment.roots, moment.guessed) == ({"sender": ORDER}, False)
    (proposal,) = propose([moment], "EUR")
    assert proposal.trigger["EVENT_ID"] == "sender.pk"
    assert proposal.trigger["CUSTOM_DATA"]["value"] == "sender.total"
    assert proposal.notes == ("no e-mail address was found",)


def test_arguments_are_known_by_their_names_and_by_what_is_given(shop):
    (moment,) = shop(
        signals=SIGNALS,
        models="class Order: ...\nclass Account: ...",
        views="""
            from SHOP.signals import order_completed
            class Checkout:
                done = order_completed
                def post(self, order, customer):
                    self.done.send_robust(sender=self, order=order, user=customer, request=None)
        """,
    )
    assert moment.roots == {"order": ORDER, "user": USER}


def test_what_only_some_senders_give_is_not_relied_on(shop):
    (moment,) = shop(
        signals=SIGNALS,
        models=MODELS,
        views="""
            from SHOP.signals import order_completed
            def pay(order): order_completed.send(sender=None, order=order)
        """,
    )
    assert (moment.roots, moment.guessed) == ({}, False)


def test_what_no_code_here_sends_is_guessed_from_its_name_and_said_to_be(shop):
    (moment,) = shop(signals=SIGNALS, models="class Order: ...\nclass Account: ...")
    assert (moment.roots, moment.guessed) == ({"order": ORDER}, True)
    (proposal,) = propose([moment], "EUR")
    assert "what the signal is sent with is guessed from its name" in proposal.notes


def test_what_sends_something_else_is_no_sender(shop):
    (moment,) = shop(
        signals=SIGNALS,
        models="class Order: ...\nclass Account: ...",
        mail="""
            import smtplib
            from SHOP import signals
            class Mail:
                def __init__(self): self.box = None
                def go(self):
                    self.box.send(self, order=1)
                    signals.nothing.send(1)
                    (lambda: 1)().send()
        """,
    )
    assert moment.guessed


def test_a_module_without_source_is_passed_over(shop):
    (moment,) = shop(signals=SIGNALS, models=MODELS, odd="__file__ = __spec__ = None")
    assert moment.roots == {"sender": ORDER}
