"""Signal triggers: found by their path, fenced, and read when the request is over."""

from __future__ import annotations

import gc

import pytest
from bookshop import signals
from bookshop.models import Order
from capi_django.signals import find_signal
from django.contrib.auth import authenticate, login
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.dispatch import Signal
from django.http import HttpResponse

PLACED = {
    "ON": "signal",
    "SIGNAL": "bookshop.signals.order_placed",
    "EVENT": "Purchase",
    "EVENT_ID": "order.number",
    "USER_DATA": {"email": "order.email"},
    "CUSTOM_DATA": {
        "value": "order.total",
        "currency": {"VALUE": "EUR"},
        "contents": {"EACH": "order.lines.all", "id": "item.sku"},
    },
}


@pytest.mark.parametrize(
    ("path", "signal"),
    [
        ("bookshop.signals.order_placed", signals.order_placed),
        ("django.contrib.auth.signals.user_logged_in", user_logged_in),
        ('bookshop.signals.WEBHOOKS["invoice.paid"]', signals.WEBHOOKS["invoice.paid"]),
        ("bookshop.signals.WEBHOOKS['invoice.paid']", signals.WEBHOOKS["invoice.paid"]),
        ("bookshop.signals.WEBHOOKS[invoice.paid]", signals.WEBHOOKS["invoice.paid"]),
        ("bookshop.signals.WEBHOOKS.invoice.paid", signals.WEBHOOKS["invoice.paid"]),
    ],
)
def test_a_signal_is_found_by_its_path(path, signal):
    assert find_signal(path) is signal


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("order_placed", "write 'module.name'"),
        ("", "write 'module.name'"),
        ("..", "write 'module.name'"),
        ("nowhere.signals.x", "there is no module 'nowhere'"),
        ("bookshop.nothing.x", "leads nowhere at 'nothing'"),
        ("bookshop.signals.order_place", "did you mean 'order_placed'?"),
        ("bookshop.signals.WEBHOOKS.invoice.payd", "leads nowhere at 'invoice'"),
        ("bookshop.signals.not_a_signal", "is no signal but object"),
        ("bookshop.wsgi.application.x", "leads nowhere"),
    ],
)
def test_a_path_that_leads_to_no_signal_is_explained(path, text):
    with pytest.raises(LookupError, match=text.replace("?", r"\?")):
        find_signal(path)


def test_a_module_that_breaks_while_it_is_imported_is_explained(tmp_path, monkeypatch):
    (tmp_path / "breaking_shop.py").write_text("1 / 0")
    (tmp_path / "needing_shop.py").write_text("import not_installed_here")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(LookupError, match="ZeroDivisionError"):
        find_signal("breaking_shop.placed")
    with pytest.raises(LookupError, match="not_installed_here"):
        find_signal("needing_shop.placed")


@pytest.mark.django_db(transaction=True)
def test_fields_are_read_at_the_end_of_the_request(client, configure, recorder):
    configure(PLACED)
    client.post("/orders/place/", {"number": "A1", "email": "ada@example.com"})
    (event,) = recorder.events
    assert event.event_id == "Purchase.A1"
    assert event.user_data.email == "ada@example.com"
    # The line was made after the signal.
    assert event.custom_data.contents == [{"id": "B1"}]
    assert recorder.context.method == "POST"


@pytest.mark.django_db(transaction=True)
def test_outside_a_request_fields_are_read_after_the_commit(configure, recorder):
    configure(PLACED)
    with transaction.atomic():
        order = Order.objects.create(number="A2")
        signals.order_placed.send(sender=Order, order=order)
        order.lines.create(sku="B2")
        assert recorder.names == []
    (event,) = recorder.events
    assert event.custom_data.contents == [{"id": "B2"}]
    assert not recorder.context.in_request


@pytest.mark.django_db(transaction=True)
def test_a_signal_in_a_dictionary_makes_events(configure, recorder):
    configure(
        {
            "ON": "signal",
            "SIGNAL": 'bookshop.signals.WEBHOOKS["invoice.paid"]',
            "EVENT": "Subscribe",
            "EVENT_ID": "event.id",
        }
    )
    signals.WEBHOOKS["invoice.paid"].send(sender=None, event={"id": "evt_1"})
    assert [event.event_id for event in recorder.events] == ["Subscribe.evt_1"]


@pytest.mark.django_db(transaction=True)
def test_a_signal_is_offered_what_the_request_offers(client, configure, recorder, view):
    User.objects.create_user("ada", "ada@example.com", "secret")
    configure(
        {
            "ON": "signal",
            "SIGNAL": "django.contrib.auth.signals.user_logged_in",
            "EVENT": "CompleteRegistration",
            "EVENT_ID": "user.pk",
            "CUSTOM_DATA": {"content_name": "args.from", "content_ids": "response.status_code"},
            "USER_DATA": {"email": "request.user.email"},
        }
    )

    def log_in(request):
        login(request, authenticate(request, username="ada", password="secret"))
        return HttpResponse("welcome")

    view(log_in)
    client.get("/do/?from=mail")
    (event,) = recorder.events
    assert event.custom_data.content_name == "mail"
    assert event.custom_data.content_ids == 200
    assert event.user_data.email == "ada@example.com"


def test_receivers_are_held_and_return_nothing(configure, recorder):
    configure(PLACED)
    gc.collect()
    answers = signals.order_placed.send(sender=None, order={"number": "A3"})
    assert [answer for _, answer in answers] == [None]
    assert recorder.names == ["Purchase"]


class Hostile:
    """Raises whatever is asked of it."""

    def __getattribute__(self, name):
        raise RuntimeError("hostile")

    def __bool__(self):
        raise RuntimeError("hostile")

    def __eq__(self, other):
        raise RuntimeError("hostile")

    __hash__ = None


def test_a_receiver_never_raises_into_the_sender(configure, recorder):
    configure({**PLACED, "WHEN": {"order.paid": True}}, PLACED)
    assert signals.order_placed.send(sender=None, order=Hostile())[0][1] is None
    assert signals.order_placed.send(sender=Hostile, wrong="arguments")[0][1] is None
    assert signals.order_placed.send(sender=None)[0][1] is None


def test_a_failing_commit_registration_stays_inside(configure, recorder, monkeypatch):
    from capi_django import signals as ours

    def broken(*_, **__):
        raise RuntimeError("broken")

    configure(PLACED)
    monkeypatch.setattr(ours, "note_trigger", broken)
    assert signals.order_placed.send(sender=None, order={})[0][1] is None
    assert recorder.names == []


def test_one_moment_makes_one_event_after_settings_were_changed(configure, recorder):
    configure(PLACED)
    configure(PLACED)
    signals.order_placed.send(sender=None, order={"number": "A4"})
    assert recorder.names == ["Purchase"]


def test_a_trigger_that_was_taken_out_is_disconnected(configure, recorder):
    configure(PLACED)
    before = len(signals.order_placed.receivers)
    configure()
    assert len(signals.order_placed.receivers) == before - 1


def test_a_signal_that_nobody_watches_has_no_receiver_of_ours(configure):
    configure(PLACED)
    assert isinstance(signals.WEBHOOKS["invoice.paid"], Signal)
    assert signals.WEBHOOKS["invoice.paid"].receivers == []
