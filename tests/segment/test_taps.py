"""Taps: what the host tells other services from Python, by their own libraries."""

from __future__ import annotations

import contextlib
import gc
import http.server
import json
import threading
import uuid
import weakref
from datetime import UTC, datetime

import attrs
import pytest

from capi_plugins import RequestContext, configure
from capi_plugins.segment import taps
from tests.segment.conftest import BROWSER

segment = pytest.importorskip("segment.analytics.client")
rudder = pytest.importorskip("rudderstack.analytics.client")
posthog = pytest.importorskip("posthog.client")

ORDER = {"revenue": 25, "currency": "EUR", "products": [{"product_id": "p"}]}
PAGE = RequestContext(
    method="POST",
    url="https://shop.example/pay",
    client_ip_address="203.0.113.9",
    client_user_agent=BROWSER,
    cookies={"_fbp": "fb.1.1700000000000.1"},
)
WRAPPED = [(segment, "track"), (rudder, "track"), (posthog, "capture")]
ORIGINALS = [getattr(module.Client, name) for module, name in WRAPPED]


@pytest.fixture(autouse=True)
def the_libraries_are_left_as_they_were():
    yield
    assert [getattr(module.Client, name) for module, name in WRAPPED] == ORIGINALS


@attrs.define
class Service:
    """Where the libraries send to; what it got."""

    url: str
    got: list


@pytest.fixture
def service():
    got = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append(body)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"status": 1}')

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield Service(f"http://127.0.0.1:{server.server_port}", got)
        server.shutdown()
        thread.join()


@pytest.fixture
def tap(make):
    return make(SEGMENT={"TAP": ["segment", "rudder", "posthog"]})


@contextlib.contextmanager
def library(module, url):
    options = {"gzip": False, "host": url}
    if module is posthog:
        made = module.Client("key", flush_interval=0.01, **options)
    else:
        made = module.Client("key", upload_interval=0.01, **options)
    yield made
    made.flush()
    made.shutdown()


def batches(service):
    return [message for body in service.got for message in json.loads(body)["batch"]]


@pytest.mark.parametrize("module", [segment, rudder])
def test_an_order_goes_to_its_service_and_comes_here(module, tap, service):
    with library(module, service.url) as client:
        ok, message = client.track(
            "u-1", "Order Completed", ORDER, {"traits": {"email": "ada@example.com"}}
        )
    assert ok
    (sent,) = batches(service)
    assert sent["messageId"] == message["messageId"]
    (event,) = tap.waiting()
    assert event["event_name"] == "Purchase"
    # The same one: it may come once more from the service's own webhook.
    assert event["event_id"] == message["messageId"]
    assert event["custom_data"]["value"] == 25
    assert "em" in event["user_data"]


@pytest.mark.parametrize("module", [segment, rudder])
def test_calls_that_are_no_events_go_to_their_service_alone(module, tap, service):
    with library(module, service.url) as client:
        client.identify("u-1", {"email": "ada@example.com"})
        client.group("u-1", "g-1")
        client.alias("a-1", "u-1")
    assert [message["type"] for message in batches(service)] == ["identify", "group", "alias"]
    assert tap.waiting() == []


def test_posthog_events_come_here_too(tap, service):
    when = datetime.now(tz=UTC)
    with library(posthog, service.url) as client:
        found = client.capture(
            "Order Completed",
            distinct_id="u-1",
            properties={
                **ORDER,
                "$current_url": "https://shop.example/thanks",
                "$ip": "203.0.113.5",
                "$raw_user_agent": BROWSER,
                "$set": {"email": "ada@example.com"},
                "$session_id": "s",
            },
            timestamp=when,
        )
        client.capture("$pageview", distinct_id="u-1")
        client.capture("$feature_flag_called", distinct_id="u-1")
        client.set(distinct_id="u-1", properties={"email": "ada@example.com"})
    assert {message["event"] for message in batches(service)} == {
        "Order Completed", "$pageview", "$feature_flag_called", "$set",
    }  # fmt: skip
    first, second = tap.waiting()
    assert (first["event_name"], second["event_name"]) == ("Purchase", "PageView")
    assert first["event_id"] == found
    assert first["event_time"] == int(when.timestamp())
    assert first["action_source"] == "website"
    assert first["event_source_url"] == "https://shop.example/thanks"
    assert first["user_data"]["client_ip_address"] == "203.0.113.5"
    assert {"em", "external_id"} <= first["user_data"].keys()
    assert "$session_id" not in first["custom_data"]


def test_who_posthogs_own_context_names_is_the_person(tap, service):
    with library(posthog, service.url) as client, client.new_context():
        client.identify_context("u-7")
        client.capture("Signed Up")
        client.capture("Signed Up", distinct_id="u-7", uuid=str(uuid.uuid4()))
    first, second = tap.waiting()
    assert first["user_data"]["external_id"] == second["user_data"]["external_id"]


def test_what_the_host_keeps_from_posthog_does_not_come_here(tap, service):
    client = posthog.Client("key", host=service.url, before_send=lambda _: None)
    client.capture("Order Completed", distinct_id="u-1", properties=dict(ORDER))
    client.shutdown()
    assert tap.waiting() == []


@pytest.mark.parametrize("call", ["segment", "posthog"])
def test_inside_a_request_the_event_is_its_visitors(call, tap, service):
    with tap.client.request(lambda: PAGE):
        if call == "segment":
            with library(segment, service.url) as client:
                client.track("u-1", "Order Completed", ORDER)
        else:
            with library(posthog, service.url) as client:
                client.capture("Order Completed", distinct_id="u-1", properties=dict(ORDER))
        # It is captured when the request is over, with others.
        assert tap.waiting() == []
    (event,) = tap.waiting()
    assert event["action_source"] == "website"
    assert event["event_source_url"] == "https://shop.example/pay"
    assert event["user_data"]["client_ip_address"] == "203.0.113.9"
    assert event["user_data"]["fbp"] == "fb.1.1700000000000.1"


def test_a_payment_providers_request_is_not_the_visitors(tap, service):
    webhook = attrs.evolve(PAGE, headers={"stripe-signature": "x"})
    with tap.client.request(lambda: webhook), library(segment, service.url) as client:
        client.track("u-1", "Order Completed", ORDER)
    (event,) = tap.waiting()
    assert "client_ip_address" not in event["user_data"]


def test_an_event_that_is_two_is_two(make, service):
    both = [{"EVENT": "Purchase"}, {"EVENT": "FirstOrder"}]
    api = make(SEGMENT={"TAP": "segment", "EVENTS": {"Order Completed": both}})
    with library(segment, service.url) as client:
        client.track("u-1", "Order Completed", ORDER)
    assert {event["event_name"] for event in api.waiting()} == {"Purchase", "FirstOrder"}


def test_what_the_library_raises_is_raised(tap, service):
    with library(segment, service.url) as client:
        with pytest.raises(AssertionError, match="event must have"):
            client.track("u-1", 5)
        with pytest.raises(TypeError):
            client.track("u-1", "x", nothing=1)
        with pytest.raises(RuntimeError, match="exceeds"):
            client.track("u-1", "Order Completed", {"x": "y" * 40_000})
    assert tap.waiting() == []


@pytest.mark.parametrize("result", [None, True, (True,), (True, 5), "x", object(), (False, None)])
def test_a_version_that_answers_something_else_is_left_alone(tap, result):
    tapped = taps._tapped("segment", lambda self, *args, **kwargs: result)
    assert tapped(None, "u", "Order Completed") is result
    assert tap.waiting() == []


def test_what_goes_wrong_here_does_not_reach_the_host(tap, service, monkeypatch, caplog):
    def broken(*_args, **_kwargs):
        raise ZeroDivisionError("jane@example.com")

    monkeypatch.setattr(tap.client, "note", broken)
    with library(segment, service.url) as client:
        assert client.track("u-1", "Order Completed", ORDER)[0]
    assert len(batches(service)) == 1
    assert "the tap of segment failed with ZeroDivisionError" in caplog.text
    assert "jane" not in caplog.text


def test_the_tapped_methods_look_like_the_originals(tap):
    import inspect

    assert inspect.signature(segment.Client.track) == inspect.signature(ORIGINALS[0])
    assert segment.Client.track.__doc__ == ORIGINALS[0].__doc__


def test_with_several_hosts_in_a_process_the_one_of_the_request_gets_it(make, service):
    first, second = (make(SEGMENT={"TAP": ["segment"]}) for _ in range(2))
    with second.client.request(lambda: PAGE), library(segment, service.url) as client:
        client.track("u-1", "Order Completed", ORDER)
    assert (len(first.waiting()), len(second.waiting())) == (0, 1)
    first.client.close(0)
    with library(segment, service.url) as client:
        client.track("u-2", "Order Completed", ORDER)
    assert (len(first.waiting()), len(second.waiting())) == (0, 1)


def test_a_client_that_nobody_has_any_more_is_not_kept(make):
    made = configure({"SEGMENT": {"TAP": ["segment"]}}, environ={})
    alive = weakref.ref(made)
    made.close(0)
    del made
    gc.collect()
    assert alive() is None


def test_a_library_that_is_not_there_is_said(make, monkeypatch, caplog):
    missing = attrs.evolve(taps.LIBRARIES["rudder"], modules=("no.such.module",))
    monkeypatch.setitem(taps.LIBRARIES, "rudder", missing)
    make(SEGMENT={"TAP": ["rudder"]})
    assert "names 'rudder', which is not installed" in caplog.text
