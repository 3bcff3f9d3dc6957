"""Recorded messages, and what Segment's own destination sends for them: ours sends no less.

Where the two differ, ``docs/segment.md`` lists the difference with its reason; the list here is
checked against both.
"""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest

from capi_plugins.consent import Consent
from capi_plugins.events import parse_time
from capi_plugins.exceptions import InvalidEvent
from capi_plugins.sandbox import rules
from capi_plugins.segment import Converter
from tests.segment.conftest import DESTINATION

ROOT = Path(__file__).parents[2]
CASES = [
    json.loads(line)
    for line in (ROOT / "tests/data/segment_cases.jsonl").read_text(encoding="utf-8").splitlines()
]
BY_NAME = {case["name"]: case for case in CASES}

# Case, field and the words of the row of the table in docs/segment.md that explains it.
DIFFERENCES = {
    ("user_data.db", "1990-02-14"): "dates of birth",
    ("user_data.db", "02/14/1990"): "dates of birth",
    ("user_data.em", "email number"): "values that are none",
    ("user_data.ge", "nonbinary"): "values that are none",
    ("user_data.ph", "0044 20 7946 0958"): "phone numbers",
    ("user_data.zp", "São Paulo"): "postal codes",
    ("user_data.country", "São Paulo"): "countries",
    ("user_data.fbc", "fbclid in url"): "a newer click",
    ("user_data.client_ip_address", "10.0.0.1"): "private addresses",
    ("event_source_url", "page url not absolute"): "relative urls",
    ("custom_data.value", "mobile iPad"): "an amount without a currency",
    ("custom_data.net_revenue", "mapping net_revenue"): "mappings",
    ("custom_data.contents", "empty array"): "empty lists",
    ("the event", "8 days old"): "too old",
    ("the event", "advertising denied"): "consent",
}


def clock(case):
    return datetime.datetime.fromisoformat(case["now"]).timestamp()


def ours(case):
    """The wire form of the case's events, as the strict sandbox takes it, or why there is none."""
    found, reasons = [], []
    result = Converter().convert(case["event"], now=clock(case))
    for event in result.events:
        if event.consent is Consent.DENIED:
            reasons.append("consent")
            continue
        try:
            payload = DESTINATION.payload(event, Consent.GRANTED, now=clock(case))
        except InvalidEvent as reason:
            reasons.append(str(reason))
            continue
        wire = json.loads(payload.body)
        assert rules.every_problem(wire, clock(case), "strict") == ()
        found.append(wire)
    return found, reasons or [result.reason]


def theirs(case):
    return [event for request in case["segment"]["requests"] for event in request["body"]["data"]]


def lacking(wire, event):
    """The fields in which our event says less than theirs, or something else."""
    for key, value in event.items():
        if key in ("user_data", "custom_data"):
            for name, part in value.items():
                if not covers(wire.get(key, {}).get(name), part):
                    yield f"{key}.{name}"
        elif key == "event_time":
            if wire[key] != parse_time(value):
                yield key
        elif not covers(wire.get(key), value):
            yield key


def covers(mine, other):
    """Whether a value says at least what the other says."""
    if isinstance(mine, list) and not isinstance(other, list):
        return other in mine
    if isinstance(mine, list) and isinstance(other, list) and other[:1] in (["i2"], ["a2"]):
        # The slots of extinfo have their places.
        return all(part in ("", slot) for slot, part in zip(mine, other, strict=True))
    if isinstance(mine, list) and isinstance(other, list):
        return bool(other) and all(
            any(covers(item, part) for item in mine) if isinstance(part, dict) else part in mine
            for part in other
        )
    if isinstance(mine, dict) and isinstance(other, dict):
        return all(covers(mine.get(key), value) for key, value in other.items())
    return mine == other


def known(field, case):
    """The difference that is listed for this field of this case."""
    text = f"{case['name']} {json.dumps(case['event'], ensure_ascii=False)}"
    found = [key for key in DIFFERENCES if key[0] == field and key[1] in text]
    return found[0] if found else None


def differences():
    for case in CASES:
        wires, _ = ours(case)
        for event in theirs(case):
            if not wires:
                yield "the event", case
                continue
            (wire,) = wires
            for field in lacking(wire, event):
                yield field, case


def test_ours_says_at_least_what_segment_says_or_the_difference_is_listed():
    unlisted = [
        f"{case['name']}: {field}" for field, case in differences() if known(field, case) is None
    ]
    assert unlisted == []


def test_no_difference_is_listed_that_is_none():
    assert {known(field, case) for field, case in differences()} == set(DIFFERENCES)


@pytest.mark.repository
def test_every_difference_is_explained_in_the_documentation():
    text = (ROOT / "docs/segment.md").read_text(encoding="utf-8")
    table = text.partition("## Differences")[2].partition("\n## ")[0].lower()
    rows = {row.split("|")[1].strip() for row in table.splitlines() if row.startswith("| ")}
    rows -= {"what", "---"}
    assert rows == set(DIFFERENCES.values())


@pytest.mark.parametrize(
    ("name", "event_name", "value"),
    [
        ("name: 'OrderCompleted'", "Purchase", 25),
        ("name: 'Viewed Product'", "ViewContent", 10),
        ("money: revenue absent, total 30.5", "Purchase", 30.5),
        ("products: mapped delivery_category invalid", "Purchase", 25),
        ("products: Products Searched object query", "Search", None),
        ("ecom: Wishlist Product Added to Cart", "AddToCart", None),
        ("mobile iOS: Application Installed", "MobileAppInstall", None),
    ],
)
def test_what_segment_drops_and_meta_takes_is_sent(name, event_name, value):
    assert theirs(BY_NAME[name]) == []
    (wire,), _ = ours(BY_NAME[name])
    assert wire["event_name"] == event_name
    assert wire.get("custom_data", {}).get("value") == value


@pytest.mark.parametrize(
    ("changes", "event_name", "expected"),
    [
        ({"event": "Products Searched", "properties": {"query": "blue"}}, "Search",
         {"search_string": "blue"}),
        ({"event": "Product Viewed", "properties": {"product_id": "1", "price": 5,
          "currency": "usd"}}, "ViewContent", {"currency": "USD", "value": 5}),
        ({"event": "Order Completed", "properties": {"revenue": 5, "currency": "EUR",
          "products": [{"sku": "s-1"}]}}, "Purchase",
         {"contents": [{"id": "s-1", "quantity": 1}]}),
        ({"timestamp": None}, "Purchase", {"value": 25}),
    ],
    ids=["a bare search", "a currency in small letters", "products with a sku", "no timestamp"],
)  # fmt: skip
def test_good_events_that_segment_loses_are_sent(changes, event_name, expected):
    case = BY_NAME["name: 'OrderCompleted'"]
    event = {**case["event"], "event": "Order Completed", **changes}
    (wire,), _ = ours({**case, "event": event})
    assert wire["event_name"] == event_name
    assert expected.items() <= wire["custom_data"].items()
    # Without a timestamp it is the receiver's clock that counts.
    assert wire["event_time"] == (1785587697 if "timestamp" in changes else 1785587696)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("alias", "a call of type alias is no event"),
        ("name: event number", "event must be the name"),
        ("money: currency 'USDT'", "needs custom_data.currency"),
        ("money: currency absent", "needs custom_data.currency"),
        ("time: 8 days old", "more than 7 days ago"),
        ("consent: advertising denied (context.consent)", "consent"),
    ],
)
def test_what_cannot_be_sent_is_held_back_with_a_reason(name, reason):
    wires, reasons = ours(BY_NAME[name])
    assert wires == []
    assert reason in reasons[0]
