"""What waits for a visitor is removed when the visitor refuses, and nothing is done before."""

from __future__ import annotations

import threading
import time

import attrs
import pytest

from capi_plugins import Consent, FinishedRequest, RequestContext, UserData, configure, hookimpl
from capi_plugins._removing import Removing
from capi_plugins.destinations.base import Response
from capi_plugins.outbox.base import Delivery
from capi_plugins.signals import event_dropped

FBP = "fb.1.1596403881668.1116446470"
VISITOR = RequestContext(
    url="https://shop.example/",
    method="GET",
    client_ip_address="203.0.113.9",
    client_user_agent="Mozilla/5.0 Firefox/140.0",
)
PAGE = FinishedRequest(method="GET", route="page", path="/", status=200, content_type="text/html")


class Ads:
    """Consent from a cookie, and a network that is out of order."""

    @hookimpl
    def capi_consent(self, context, destination):
        said = context.cookies.get("ads", "")
        if said == "yes":
            return Consent.GRANTED
        return Consent.DENIED if said in ("no", f"no {destination}") else None

    @hookimpl
    def capi_send(self):
        return Response(status=503)


@pytest.fixture
def client():
    meta = {"KIND": "meta", "DATASET_ID": "1234567890", "ACCESS_TOKEN": "test-token"}
    made = configure(
        {
            "DESTINATIONS": {"meta": meta, "other": {**meta, "DATASET_ID": "1234567891"}},
            "CONSENT": {"DEFAULT": "denied"},
            "PLUGINS": [Ads()],
            "PAGE_VIEW": False,
            "AUTOLOAD": False,
        }
    )
    yield made
    made.close(0)


@pytest.fixture
def visit(client):
    def visit(ads, *names, **known):
        cookies = {"ads": ads, **known.pop("cookies", {})}
        context = attrs.evolve(VISITOR, cookies=cookies, **known)
        with client.request(lambda: context) as scope:
            for name in names or ["PageView"]:
                client.track(
                    name, event_id=f"{name}.1", custom_data={"value": 1, "currency": "EUR"}
                )
            client.finish(scope, PAGE)
        return client.stats().waiting

    return visit


@pytest.mark.parametrize(
    "known",
    [
        {"cookies": {"_fbp": FBP}},
        {"session_key": "s" * 32, "cookies": {"_fbp": FBP}},
        {"user": UserData(external_id="17")},
        {"user": UserData(external_id="17", email="ada@example.com"), "session_key": "s" * 32},
    ],
    ids=["cookie", "session", "user", "session of a user"],
)
def test_who_refuses_later_is_found(visit, known):
    assert visit("yes", "Purchase", "Lead", **known) == 4
    assert visit("no", **known) == 0
    assert visit("no", **known) == 0


def test_the_session_finds_what_the_browser_no_longer_tells(visit):
    assert visit("yes", "Purchase", session_key="s" * 32, cookies={"_fbp": FBP}) == 2
    # The banner took the pixel's cookies away.
    assert visit("no", session_key="s" * 32) == 0


def test_what_is_removed_is_told_with_its_reason(visit):
    told = []

    def tell(sender, *, event, destination, reason):
        told.append((event.event_name, event.event_id, destination, reason))

    known = {"cookies": {"_fbp": FBP}}
    visit("yes", "Purchase", **known)
    visit("yes", "Lead", cookies={"_fbp": f"{FBP}1"})
    with event_dropped.connected_to(tell):
        visit("no other", "PageView", **known)
    why = "no consent (it was withdrawn while the event waited in the outbox)"
    assert [each for each in told if each[0] != "PageView"] == [
        ("Purchase", "Purchase.1", "other", why)
    ]


def test_others_keep_what_waits_for_them(visit):
    assert visit("yes", "Purchase", cookies={"_fbp": FBP}) == 2
    assert visit("no", cookies={"_fbp": f"{FBP}1"}, session_key="o" * 32) == 2
    assert visit("no", user=UserData(external_id="18")) == 2


def test_a_refusal_of_one_destination_leaves_what_goes_to_the_other(visit, client):
    known = {"cookies": {"_fbp": FBP}}
    assert visit("yes", "Purchase", **known) == 2
    assert visit("no other", **known) == 1
    assert list(client.delivering.outbox.waiting_for()) == ["meta"]


def test_whoever_agrees_and_refuses_again_and_again_is_heard_each_time(visit):
    known = {"cookies": {"_fbp": FBP}}
    for number in range(3):
        assert visit("yes", f"Lead{number}", **known) == 2
        assert visit("no", **known) == 0


@pytest.mark.parametrize(
    "known",
    [{}, {"session_key": "s" * 32}, {"user": UserData(external_id="17")}],
    ids=["nobody", "session", "user"],
)
def test_who_never_agreed_is_not_looked_for(visit, client, monkeypatch, known):
    looked = []
    monkeypatch.setattr(client.delivering, "withdraw", looked.append)
    visit("no", **known)
    visit("no", **known)
    assert looked == []


def test_who_refused_is_looked_for_once(visit, client, monkeypatch):
    looked = []
    visit("yes", "Purchase", cookies={"_fbp": FBP})
    monkeypatch.setattr(client.delivering, "withdraw", looked.append)
    for _ in range(3):
        visit("no", cookies={"_fbp": FBP})
    assert len(looked) == 1


class Stubborn:
    """A durable outbox that can be used the third time only."""

    durable = True

    def __init__(self):
        self.asked = []
        self.done = threading.Event()

    def forget(self, needles, *, destination):
        self.asked.append((destination, list(needles), threading.current_thread().name))
        if len(self.asked) < 3:
            raise OSError("the disk is full of ada@example.com")
        self.done.set()
        return [
            Delivery(destination="meta", event_name="Lead", event_id=needle, payload=b"{}")
            for needle in needles
        ]


def test_nobody_waits_for_a_slow_outbox_and_it_is_asked_until_it_works(caplog, monkeypatch):
    monkeypatch.setattr("capi_plugins._removing._FIRST_PAUSE", 0.01)
    outbox = Stubborn()
    removing = Removing(outbox, beside=lambda: True, tell=list)
    removing.remove({"meta": ["a"]})
    assert outbox.done.wait(30)
    removing.close(30)
    assert {name for _, _, name in outbox.asked} == {"capi-removing"}
    assert outbox.asked[-1][:2] == ("meta", ["a"])
    assert "OSError" in caplog.text
    assert "ada" not in caplog.text


def test_a_host_that_ends_waits_no_longer_than_it_is_told(monkeypatch):
    outbox = Stubborn()
    removing = Removing(outbox, beside=lambda: True, tell=list)
    removing.remove({"meta": ["a"]})
    begun = time.monotonic()
    removing.close(30)
    assert time.monotonic() - begun < 10


def test_without_threads_it_is_done_at_once_and_again_next_time():
    outbox = Stubborn()
    removing = Removing(outbox, beside=lambda: False, tell=list)
    for _ in range(3):
        removing.remove({"meta": ["a"]})
    assert outbox.done.is_set()


def test_where_no_thread_can_be_started_it_is_done_at_once(monkeypatch):
    def start(self):
        raise RuntimeError("can't start new thread")

    outbox = Stubborn()
    removing = Removing(outbox, beside=lambda: True, tell=list)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        for _ in range(3):
            removing.remove({"meta": ["a"]})
    assert outbox.done.is_set()
    removing.remove({"meta": ["b"]})
    removing.close(30)
    assert [(texts, name == "capi-removing") for _, texts, name in outbox.asked] == [
        (["a"], False),
        (["a"], False),
        (["a"], False),
        (["b"], True),
    ]
