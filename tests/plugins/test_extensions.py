"""Each place where others plug in, proven by a small real plugin."""

from __future__ import annotations

import collections
import hashlib
import hmac
import json
import sqlite3
import threading
import types
from typing import ClassVar

import pytest

from capi_plugins import (
    Consent,
    Event,
    FinishedRequest,
    InvalidSignature,
    RequestContext,
    WebhookError,
    hookimpl,
    signals,
)
from capi_plugins.destinations.base import Response
from capi_plugins.outbox.memory import MemoryOutbox
from capi_plugins.sources.base import Source, SourceRequest
from tests.plugins import pinboard


class Wire:
    """Stands where the network would be, and remembers what was sent."""

    def __init__(self):
        self.events = []

    @hookimpl
    def capi_send(self, request):
        self.events += json.loads(request.body)
        return Response(status=200)


@pytest.fixture
def wire():
    return Wire()


@pytest.fixture
def client(make, wire):
    def client(*plugins, **settings):
        settings.setdefault("DESTINATIONS", {"pinboard": {"AD_ACCOUNT": "7", "KEY": "key"}})
        return make(*plugins, pinboard, wire, **settings)

    return client


# ------------------------------------------------------------------ a webhook


class Payments(Source):
    """A payment provider's webhook, signed with a shared secret over the raw body."""

    NAME = "payments"

    def __init__(self, secret):
        self.secret = secret

    def events(self, request):
        wanted = hmac.new(self.secret.encode(), request.body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted, request.headers.get("payments-signature", "")):
            raise InvalidSignature("the signature of the payment is wrong")
        try:
            message = json.loads(request.body)
            if message["type"] != "paid":
                return
            order, email = message["order"], message["email"]
        except (LookupError, TypeError, ValueError):
            raise WebhookError("the message is none of ours", code="invalid_body") from None
        yield Event.from_dict(
            {
                "event_name": "Purchase",
                "event_id": f"Purchase.{order}",
                "user_data": {"email": email},
            }
        )


class PaymentsPlugin:
    @hookimpl
    def capi_configure(self, settings):
        self.secret = settings.options_for("payments")["SECRET"]

    @hookimpl
    def capi_sources(self):
        return [Payments(self.secret)]


def test_a_webhook_is_a_source(client, wire):
    made = client(PaymentsPlugin(), PLUGIN_OPTIONS={"payments": {"SECRET": "s3cret"}})
    body = json.dumps({"type": "paid", "order": "A-1", "email": "a@example.com"}).encode()
    signature = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    request = SourceRequest(body=body, headers={"payments-signature": signature})
    assert made.receive("payments", request) == 1
    assert made.receive("payments", request) == 1
    assert [event["id"] for event in wire.events] == ["Purchase.A-1"]
    forged = SourceRequest(body=body + b" ", headers={"payments-signature": signature})
    with pytest.raises(InvalidSignature) as caught:
        made.receive("payments", forged)
    assert caught.value.status == 400
    assert "SECRET" not in str(caught.value)


# ------------------------------------------------------------------ a CRM


class Crm:
    """Looks a customer up and adds what the shop does not know."""

    def __init__(self):
        self.lock = threading.Lock()
        self.database = sqlite3.connect(":memory:", check_same_thread=False)
        self.database.execute("create table customers (id text primary key, email text)")
        self.database.execute("insert into customers values ('c7', 'crm@example.com')")

    @hookimpl
    def capi_enrich(self, event):
        # Hooks are called in several threads at once, and cursors of one connection are not.
        with self.lock:
            row = self.database.execute(
                "select email from customers where id = ?", (event.user_data.external_id,)
            ).fetchone()
        return event.fill(user_data={"email": row[0]}) if row else None

    @hookimpl
    def capi_shutdown(self):
        self.database.close()


def test_a_crm_look_up_enriches(client, wire):
    crm = Crm()
    made = client(crm)
    made.track("Lead", user_data={"external_id": "c7"})
    made.track("Lead", user_data={"external_id": "c7", "email": "own@example.com"})
    made.track("Lead", user_data={"external_id": "c8"})
    hashes = [event.get("hashed_email") for event in wire.events]
    assert hashes == [
        hashlib.sha256(b"crm@example.com").hexdigest(),
        hashlib.sha256(b"own@example.com").hexdigest(),
        None,
    ]
    made.close()
    with pytest.raises(sqlite3.ProgrammingError):
        crm.database.execute("select 1")


# ------------------------------------------------------------------ a consent platform


class Banner:
    """A consent platform that writes one letter for each purpose into a cookie."""

    ANSWERS = types.MappingProxyType(
        {"y": Consent.GRANTED, "l": Consent.LIMITED, "n": Consent.DENIED}
    )

    @hookimpl
    def capi_consent(self, context, destination):
        choices = dict(
            item.split(":", 1)
            for item in context.cookies.get("banner", "").split(",")
            if ":" in item
        )
        return self.ANSWERS.get(choices.get(destination, ""))


@pytest.mark.parametrize(
    ("cookie", "limited"),
    [
        ("pinboard:y", False),
        ("meta:n,pinboard:y", False),
        ("pinboard:l", True),
        ("pinboard:n", None),
        ("meta:y", None),
        ("garbage", None),
        ("", None),
    ],
)
def test_a_consent_platform_decides(client, wire, cookie, limited):
    made = client(Banner(), CONSENT={"DEFAULT": "denied"})
    made.capture(Event(event_name="Lead"), RequestContext(method="GET", cookies={"banner": cookie}))
    assert [event["limited"] for event in wire.events] == ([] if limited is None else [limited])


# ------------------------------------------------------------------ an outbox


class Spool(MemoryOutbox):
    """A queue of somebody's own, which settings name by its dotted path."""

    made: ClassVar[list[Spool]] = []

    def __init__(self, settings):
        super().__init__(max_deliveries=settings.delivery.queue_size)
        self.puts = 0
        self.closed = False
        Spool.made.append(self)

    def put(self, deliveries):
        self.puts += 1
        return super().put(deliveries)

    def close(self):
        self.closed = True


def test_an_outbox_is_named_by_its_path(client, wire):
    made = client(DELIVERY={"OUTBOX": f"{__name__}.Spool", "QUEUE_SIZE": 1, "EXIT_TIMEOUT": 10})
    assert Spool.made == []
    made.track("Lead")
    assert made.flush(20)
    (spool,) = Spool.made
    assert (len(wire.events), spool.puts) == (1, 1)
    made.close()
    assert spool.closed


def test_an_outbox_elsewhere_is_filled_here_and_emptied_by_a_worker_there(client, wire):
    made = client(DELIVERY={"OUTBOX": f"{__name__}.Spool", "WORKER": "external"})
    made.track("Lead")
    assert wire.events == []
    assert made.stats().waiting == 1
    assert made.flush(20)
    assert len(wire.events) == 1


# ------------------------------------------------------------------ metrics


class Tracing:
    """Measures every request by wrapping ``capi_send``."""

    def __init__(self):
        self.spans = []

    @hookimpl(wrapper=True)
    def capi_send(self, request, destination):
        try:
            response = yield
        except Exception as error:
            self.spans.append((destination.name, type(error).__name__))
            raise
        self.spans.append((destination.name, response.status, len(request.body) > 0))
        return response


def test_tracing_wraps_the_sending(client):
    tracing = Tracing()
    client(tracing).track("Lead")
    assert tracing.spans == [("pinboard", 200, True)]


def test_tracing_sees_failures_and_does_not_change_them(make):
    tracing = Tracing()
    unreachable = {"AD_ACCOUNT": "7", "KEY": "key", "URL": "http://127.0.0.1:1"}
    made = make(tracing, pinboard, DESTINATIONS={"pinboard": unreachable})
    made.track("Lead")
    assert tracing.spans == [("pinboard", "TransportError")]
    assert made.stats().waiting == 1


def test_metrics_count_signals(client):
    counts = collections.Counter()
    lock = threading.Lock()

    def count(name):
        def receiver(sender, **told):
            with lock:
                counts[name] += len(told.get("deliveries", [None]))

        return receiver

    made = client(Banner(), CONSENT={"DEFAULT": "denied"})
    names = ["event_captured", "event_dropped", "delivered"]
    receivers = {name: count(name) for name in names}
    for name, receiver in receivers.items():
        getattr(signals, name).connect(receiver, sender=made)
    granted = RequestContext(method="GET", cookies={"banner": "pinboard:y"})
    for number in range(10):
        event = Event(event_name="Lead", event_id=str(number))
        made.capture(event, granted if number % 2 else RequestContext(method="GET"))
    assert counts == {"event_captured": 10, "event_dropped": 5, "delivered": 5}


# ------------------------------------------------------------------ a recipe


class Bookings:
    """The recipe of a host app: its triggers, and nothing else."""

    __name__ = "bookings"

    @hookimpl
    def capi_triggers(self, settings):
        return [
            {
                "ON": "signal",
                "SIGNAL": "bookings.signals.booked",
                "EVENT": "Schedule",
                "EVENT_ID": "booking.id",
                "USER_DATA": {"email": "booking.guest.email"},
            },
            {
                "ON": "request",
                "ROUTE": "bookings:done",
                "EVENT": "Lead",
                "EVENT_ID": "kwargs.id",
                "CUSTOM_DATA": {
                    "value": {"VALUE": settings.options_for("bookings").get("VALUE", 0)}
                },
            },
        ]


def test_a_recipe_offers_triggers(client, wire):
    made = client(Bookings(), PLUGIN_OPTIONS={"bookings": {"VALUE": 20}})
    (on_signal,) = made.triggers.on_signal
    guest = types.SimpleNamespace(email="guest@example.com")
    event = on_signal.build({"booking": types.SimpleNamespace(id=5, guest=guest)})
    assert (event.event_id, event.user_data.email) == ("Schedule.5", "guest@example.com")
    with made.request(lambda: RequestContext(method="POST")) as scope:
        finished = FinishedRequest(
            method="POST",
            route="bookings:done",
            path="/b/17",
            status=302,
            offer=lambda: {"kwargs": {"id": 17}},
        )
        made.finish(scope, finished)
    assert [event["id"] for event in wire.events] == ["Lead.17"]


def test_a_recipe_can_be_left_out(client, wire):
    assert client(Bookings(), RECIPES=[]).triggers.all == ()
    assert len(client(Bookings(), RECIPES=["bookings"]).triggers.all) == 2


# ------------------------------------------------------------------ less for some


class Minimise:
    """A partner that gets no contact data and nothing of test orders."""

    @hookimpl
    def capi_filter(self, event, destination):
        from capi_plugins import DropEvent, UserData

        if event.custom_data.properties.get("test"):
            raise DropEvent("a test order")
        if destination == "pinboard":
            import attrs

            return attrs.evolve(event, user_data=UserData())
        return None


def test_a_filter_reduces_what_a_partner_sees(client, wire):
    made = client(Minimise())
    made.track("Lead", user_data={"email": "a@example.com"})
    made.track("Lead", custom_data={"test": True})
    (event,) = wire.events
    assert "hashed_email" not in event
