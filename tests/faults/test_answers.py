"""Answers that are missing, broken, strange or a refusal; every event counts once all the same."""

from __future__ import annotations

import email.utils
import json
import time

import pytest

from capi_plugins.outbox.base import Delivery
from capi_plugins.sandbox import Fault, Sandbox
from tests.core.paper import Clock
from tests.core.test_http import Server, answer
from tests.faults.shop_settings import settings
from tests.faults.small_shop import SmallShop, accepted, arrived, until

TIMEOUT = 2.5
"""Longer than a busy machine keeps a thread waiting, shorter than whoever waits for an answer."""
DAY = 86_400
TROUBLE = {
    "never answers": Fault.hang(),
    "drips": Fault.slow_drip(0.05),
    "huge": Fault.huge_body(30_000_000),
    "breaks off": Fault.drop(),
    "is lost": Fault.drop_after_storing(),
    "late": Fault.late_answer(5),
    "cut": Fault.truncated_json(),
    "a page": Fault.html(200, "Please log in"),
    "a proxy's": Fault.html(502),
}


@pytest.fixture
def clock():
    return Clock(time.time())


def bad(event_id):
    """An event that Meta refuses for its age."""
    event = {
        "event_name": "Lead",
        "event_time": int(time.time()) - 8 * DAY,
        "event_id": event_id,
        "action_source": "email",
        "user_data": {"em": ["973dfe463ec85785f5f95af5ba3906eedb2d931c24e69824a89ea65dba4e813b"]},
    }
    return Delivery(
        destination="meta",
        event_name="Lead",
        event_id=event_id,
        payload=json.dumps(event).encode(),
    )


@pytest.mark.fault("C2", "C3", "C4", "C5", "C11", "C16")
@pytest.mark.parametrize("outbox", ["memory", "sqlite"])
@pytest.mark.parametrize("trouble", TROUBLE)
def test_an_answer_that_fails_costs_a_moment_and_no_event(open_shop, sandbox, trouble, outbox):
    """The answer to a batch never comes, drips in, is huge, breaks off, is lost or is no answer.

    Capturing notices nothing. The batch is sent again within moments, the same to the byte, and
    each event counts once.
    """
    sandbox.inject(TROUBLE[trouble])
    shop = open_shop(outbox="memory" if outbox == "memory" else None, TIMEOUT=TIMEOUT)
    names = [str(number) for number in range(20)]
    began = time.monotonic()
    shop.lead(*names)
    assert shop.unhindered, shop.took
    until(lambda: shop.stats.waiting == 0)
    assert time.monotonic() - began < 30
    assert accepted(sandbox) == sorted(names)
    assert shop.stats.dead == 0
    copies = {}
    for event in sandbox.events:
        copies.setdefault(event.payload["event_id"], set()).add(json.dumps(event.payload))
    assert all(len(different) == 1 for different in copies.values())
    assert max(arrived(sandbox).values()) <= 2


ODD = {
    "fewer": b'{"events_received": 1}',
    "no number": b"{}",
    "a list": b"[]",
    "null": b"null",
    "cut": b'{"events_rec',
    "no text": b"\xff\xfe\x00{",
    "a bomb": b"\x1f\x8b" + b"\0" * 1000,
    "deep": b"[" * 60_000,
}


@pytest.mark.fault("C11")
@pytest.mark.parametrize("body", ODD)
def test_an_answer_that_says_something_else_ends_in_three_requests(box, clock, body):
    """HTTP 200 with too few events, none, no JSON, half of it, not even text, packed or deep.

    There are no more than the three requests that the settings allow, and the events are delivered
    or dead letters with a reason. Half a count is asked about once, and then taken as it is.
    """

    def handle(connection, server):
        connection.sendall(answer(ODD[body], "200 OK", "Content-Encoding: gzip"))
        return True

    server = Server(handle)
    url = server.url.removesuffix("/events")
    shop = SmallShop(settings(url, box, WORKER="external", MAX_ATTEMPTS=3), clock)
    shop.lead("1", "2")
    for _ in range(6):
        shop.drain()
        clock.advance(400)
    assert shop.stats.waiting == 0
    assert len(server.requests) == {"no number": 1, "fewer": 2}.get(body, 3)
    letters = shop.client.delivering.outbox.dead_letters(10)
    assert len(letters) == (0 if body in ("no number", "fewer") else 2)
    assert all("the answer is not Meta's" in letter.reason for letter in letters)
    shop.close()
    server.close()


@pytest.mark.fault("C9")
@pytest.mark.parametrize(
    ("wish", "least", "most"),
    [
        ("3", 3, 4),
        ("a date", 118, 122),
        ("999999", 3600, 3601),
        ("-5", 0, 1),
        ("abc", 0, 1),
        ("nan", 0, 1),
    ],
)
def test_a_wish_to_wait_is_kept_if_it_makes_sense(box, wish, least, most):
    """HTTP 429 with Retry-After as seconds, a date, a fortnight, a negative number and nonsense.

    Nothing is sent before that time, an hour at most, and it costs no attempt; nonsense is ignored.
    """
    clock = Clock(time.time())
    value = email.utils.formatdate(time.time() + 120, usegmt=True) if wish == "a date" else wish
    with Sandbox() as sandbox:
        sandbox.inject(Fault.error(4, status=429, headers={"Retry-After": value}))
        shop = SmallShop(settings(sandbox.url, box, WORKER="external", MAX_ATTEMPTS=1), clock)
        shop.lead("1")
        shop.drain()
        if least:
            clock.advance(least - 0.1)
            shop.drain()
        assert len(sandbox.requests) == 1
        clock.advance(most - least + 0.2)
        shop.drain()
        assert accepted(sandbox) == ["1"]
        shop.close()


@pytest.mark.fault("C12", "S3")
@pytest.mark.parametrize("outbox", ["memory", "sqlite"])
@pytest.mark.parametrize("before", ["expired", "unreadable"])
def test_a_new_token_is_taken_without_a_restart(box, outbox, before, caplog):
    """The token has expired, or the function that gives it fails; then it gives another one.

    After one refusal nothing more is sent and everything is kept; what waits leaves within seconds
    of the new token. The log has one error, and neither token.
    """
    tokens = {"now": "old-token"}

    def token():
        if before == "unreadable" and tokens["now"] == "old-token":
            raise PermissionError("/run/secrets/old-token")
        return tokens["now"]

    where = "memory" if outbox == "memory" else box
    with Sandbox(datasets={"1234567890": "new-token"}) as sandbox:
        wanted = settings(sandbox.url, where)
        wanted["DESTINATIONS"]["meta"]["ACCESS_TOKEN"] = token
        shop = SmallShop(wanted)
        shop.lead("1", "2")
        until(shop.client.stopped)
        shop.lead("3")
        asked = len(sandbox.requests)
        assert asked == (1 if before == "expired" else 0)
        tokens["now"] = "new-token"
        until(lambda: shop.stats.waiting == 0)
        assert accepted(sandbox) == ["1", "2", "3"]
        assert shop.client.stopped() == []
        assert caplog.text.count("is stopped, its events are kept") == 1
        assert "-token" not in caplog.text
        shop.close()


@pytest.mark.fault("C13")
def test_one_bad_event_of_a_thousand_dies_alone(open_shop, sandbox):
    """One of a thousand events in a batch is refused, and Meta does not say which.

    It is found with 22 requests at most, and is a dead letter with Meta's code; the others arrive.
    """
    shop = open_shop(WORKER="external", BATCH_SIZE=1000)
    names = [str(number) for number in range(1000)]
    shop.lead(*names[:370])
    shop.client.delivering.put([bad("bad")])
    shop.lead(*names[371:])
    shop.drain()
    assert len(sandbox.requests) <= 22
    assert accepted(sandbox) == sorted({*names} - {"370"})
    (letter,) = shop.client.delivering.outbox.dead_letters(10)
    assert letter.delivery.event_id == "bad"
    assert "code 100/2804003" in letter.reason
    assert "fbtrace_id" in letter.reason


@pytest.mark.fault("C14")
def test_a_thousand_bad_events_are_not_a_thousand_requests(open_shop, sandbox, clock):
    """Every one of a thousand events is refused.

    After 64 refusals the rest is left alone for five minutes, and so on until all are dead letters.
    """
    shop = open_shop(clock=clock, WORKER="external", BATCH_SIZE=1000)
    shop.client.delivering.put([bad(str(number)) for number in range(1000)])
    shop.drain()
    assert len(sandbox.requests) == 64
    assert shop.stats.waiting > 900
    clock.advance(299)
    shop.drain()
    assert len(sandbox.requests) == 64
    clock.advance(302)
    shop.drain()
    assert len(sandbox.requests) == 128
    assert shop.stats.waiting + shop.stats.dead == 1000


@pytest.mark.fault("C17")
@pytest.mark.parametrize("status", ["413 Content Too Large"])
def test_a_request_that_is_too_large_is_halved_until_it_fits(box, status):
    """A proxy takes no more than 9,000 bytes, and one event alone is larger.

    Batches are halved until they pass, each event passes once, and the one that cannot is a dead
    letter that says why.
    """
    passed = []

    def handle(connection, server):
        body = server.requests[-1].partition(b"\r\n\r\n")[2]
        if len(body) > 9_000:
            connection.sendall(answer(b"<html>", status))
        else:
            events = json.loads(body)["data"]
            passed.extend(event["event_id"] for event in events)
            connection.sendall(answer(json.dumps({"events_received": len(events)}).encode()))
        return True

    server = Server(handle)
    url = server.url.removesuffix("/events")
    shop = SmallShop(settings(url, box, WORKER="external"))
    names = [str(number) for number in range(100)]
    shop.lead(*names)
    many = {"external_id": [f"{number}" for number in range(20)]}
    shop.client.track(
        "Lead",
        event_id="large",
        user_data={"email": "a@example.com", **many},
        custom_data={f"note_{number}": "x" * 900 for number in range(15)},
    )
    shop.drain()
    assert sorted(passed) == sorted(names)
    (letter,) = shop.client.delivering.outbox.dead_letters(10)
    assert letter.delivery.event_id == "large"
    assert "413" in letter.reason
    shop.close()
    server.close()


@pytest.mark.fault("C18", "S15")
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_events_are_kept_where_the_answer_is_a_redirect(box, clock, caplog, status):
    """Every answer is a redirect to another server, for an hour, and then there is an answer.

    Nothing is sent to the other server and no event is given up; all arrive in the end. Where the
    redirect is said to be for ever, an error tells that the destination is stopped.
    """
    passed = []

    def handle(connection, server):
        if clock() < over:
            connection.sendall(answer(b"", f"{status} Elsewhere", f"Location: {other.url}"))
            return True
        events = json.loads(server.requests[-1].partition(b"\r\n\r\n")[2])["data"]
        passed.extend(event["event_id"] for event in events)
        connection.sendall(answer(json.dumps({"events_received": len(events)}).encode()))
        return True

    over = clock() + 3600
    other, server = Server(handle), Server(handle)
    url = server.url.removesuffix("/events")
    shop = SmallShop(settings(url, box, WORKER="external", MAX_ATTEMPTS=3), clock)
    try:
        shop.lead("1", "2")
        while clock() < over + 1800:
            shop.drain()
            clock.advance(301)
        assert sorted(passed) == ["1", "2"]
        assert other.connections == 0
        assert (shop.stats.waiting, shop.stats.dead) == (0, 0)
        assert ("is stopped, its events are kept" in caplog.text) is (status in (301, 308))
    finally:
        shop.close()
        server.close()
        other.close()
