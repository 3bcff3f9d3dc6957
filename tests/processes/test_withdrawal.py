"""Who agreed and refuses later is sent nothing of that still waits, over real HTTP."""

from __future__ import annotations

import time

import pytest

from capi_plugins.sandbox import Fault
from tests.processes.served import HOSTS, serving

ADS = {"SOURCES": [{"COOKIE": "ads"}]}
PURCHASE = {
    "ON": "request",
    "ROUTE": "book",
    "METHOD": "GET",
    "STATUS": 200,
    "EVENT": "Purchase",
    "EVENT_ID": "kwargs.slug",
    "CUSTOM_DATA": {"value": {"VALUE": 12}, "currency": {"VALUE": "EUR"}},
}


@pytest.fixture(scope="module", params=[(name, "denied") for name in HOSTS] + [("flask", "hold")])
def served(request, tmp_path_factory):
    name, default = request.param
    folder = tmp_path_factory.mktemp("host")
    consent = {"DEFAULT": default, **ADS}
    with serving(name, folder, CONSENT=consent, TRIGGERS=[PURCHASE]) as running:
        yield running


def until(question, told=str):
    deadline = time.monotonic() + 60
    while not question():
        assert time.monotonic() < deadline, told()
        time.sleep(0.05)


def bought(sandbox):
    return sorted(event.payload["event_id"] for event in sandbox.accepted("Purchase"))


def arriving(sandbox):
    def arrive(event_id):
        until(lambda: event_id in bought(sandbox), lambda: bought(sandbox))

    return arrive


def buy(visitor, number, answer):
    visitor.cookies.set("ads", answer)
    assert visitor.get(f"/book/{number}/").status_code == 200


def test_what_waits_for_somebody_who_refuses_is_removed_and_nothing_of_others(served):
    host, sandbox, arrive = *served, arriving(served[1])
    sandbox.inject(Fault.server_error(times=None))
    with host.visitor() as visitor, host.visitor() as other:
        buy(visitor, "mine-1", "granted")
        buy(visitor, "mine-2", "granted")
        buy(other, "theirs-1", "granted")
        # All of it was refused by the destination once, and is in the outbox again.
        until(lambda: sandbox.requests)
        if host.rows:
            # A page view and a purchase for each page.
            until(lambda: host.rows("delivery") == 6)
        # Each of the processes is told, whichever had the consent.
        for number in range(3):
            buy(visitor, f"refused-{number}", "denied")
        if host.rows:
            until(lambda: host.rows("delivery") == 2)
        # What a sender had in hand may still leave.
        asked = len(sandbox.requests)
        until(lambda: len(sandbox.requests) > asked + 1)
        sandbox.clear_faults()
        buy(other, "theirs-2", "granted")
        arrive("Purchase.theirs-1")
        arrive("Purchase.theirs-2")
        # Who agrees again is heard again, from then on.
        buy(visitor, "mine-3", "granted")
        arrive("Purchase.mine-3")
    assert bought(sandbox) == ["Purchase.mine-3", "Purchase.theirs-1", "Purchase.theirs-2"]
    assert len(sandbox.accepted("PageView")) == 3


def test_a_refusal_that_looks_like_everybody_removes_nobody(served):
    host, sandbox, arrive = *served, arriving(served[1])
    sandbox.clear()
    sandbox.inject(Fault.server_error(times=None))
    with host.visitor() as visitor, host.visitor() as stranger:
        buy(visitor, "kept", "granted")
        for cookie in ("fb", "fb.1.", '"', "%", "", "fb.1.1596403881668.0"):
            stranger.cookies.set("_fbp", cookie)
            buy(stranger, "refused", "denied")
        sandbox.clear_faults()
        arrive("Purchase.kept")
