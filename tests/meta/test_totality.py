"""Whatever an event holds, it becomes a payload or is held back with a reason."""

from __future__ import annotations

import datetime as dt
import decimal
import fractions
import json
import uuid

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capi_plugins.consent import Consent
from capi_plugins.destinations.meta.custom_fields import CUSTOM_DATA_TYPES
from capi_plugins.destinations.meta.destination import MetaDestination
from capi_plugins.destinations.meta.fields import (
    ACTION_SOURCES,
    EVENT_KEYS,
    HASHED_KEYS,
    MESSAGING_CHANNELS,
    PLAIN_KEYS,
)
from capi_plugins.events import AppData, Content, CustomData, Event, UserData
from capi_plugins.exceptions import InvalidEvent

NOW = 1_800_000_000
DESTINATION = MetaDestination(
    "meta", {"DATASET_ID": 1, "ACCESS_TOKEN": "t", "DEFAULT_COUNTRY": "GB"}
)


class Broken:
    """A proxy whose object is gone."""

    def _fail(self, *_):
        raise RuntimeError("gone")

    __str__ = __eq__ = __bool__ = __len__ = __iter__ = __float__ = __getattr__ = _fail
    __hash__ = None
    __class__ = property(_fail)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.fractions()
    | st.text(max_size=40)
    | st.characters(categories=["Cs", "Cc", "Cf", "Mn", "Zs"])
    | st.binary(max_size=8)
    | st.uuids()
    | st.dates()
    | st.datetimes()
    | st.ip_addresses()
    | st.complex_numbers()
    | st.builds(object)
    | st.builds(Broken)
    | st.sampled_from(
        [
            "john@example.com",
            "+16505551212",
            "020 7946 0958",
            "null",
            "US",
            "1,234.50",
            "EUR",
            "product",
            "fb.1.1596403881668.1116446470",
            "a" * 64,
            "f" * 32,
            "x" * 5000,
            10**400,
            decimal.Decimal("sNaN"),
            fractions.Fraction(1, 3),
            dt.timedelta(1),
            uuid.NAMESPACE_URL,
            type,
            len,
            NOW,
            "2026-11-22",
        ]
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda children: (
        st.lists(children, max_size=3)
        | st.tuples(children, children)
        | st.dictionaries(st.text(max_size=5) | st.integers() | st.none(), children, max_size=3)
    ),
    max_leaves=6,
)


def some(cls, **given_values):
    names = [name for name in cls.names() if name not in given_values]
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, VALUES) | given_values).map(
        lambda fields: cls(**fields)
    )


PROPERTIES = VALUES | st.dictionaries(
    st.sampled_from(sorted(CUSTOM_DATA_TYPES)) | st.text(max_size=5), VALUES, max_size=5
)
CONTENTS = VALUES | st.lists(some(Content) | VALUES, max_size=3)
EVENTS = st.fixed_dictionaries(
    {
        "event_name": st.sampled_from(["Purchase", "Lead", "AppendAttribution"])
        | st.text(min_size=1, max_size=20).filter(str.strip),
        "event_time": st.integers(NOW - 70 * 86400, NOW + 86400) | st.just(NOW),
        "user_data": some(UserData),
        "custom_data": some(CustomData, properties=PROPERTIES, contents=CONTENTS),
    },
    optional={
        "app_data": VALUES | some(AppData),
        "event_id": st.text() | st.integers() | st.uuids(),
        "action_source": st.sampled_from(ACTION_SOURCES) | VALUES,
        "messaging_channel": st.sampled_from(MESSAGING_CHANNELS) | VALUES,
        "event_source_url": VALUES | st.just("https://shop.example/"),
        "referrer_url": VALUES,
        "opt_out": VALUES,
        "data_processing_options": VALUES,
        "data_processing_options_country": VALUES,
        "data_processing_options_state": VALUES,
        "original_event_data": VALUES,
        "attribution_data": VALUES,
        "customer_segmentation": VALUES,
        "advanced_measurement_table": VALUES,
    },
)


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=300)
@given(fields=EVENTS, consent=st.sampled_from([Consent.GRANTED, Consent.LIMITED]))
def test_any_event_becomes_a_payload_or_is_held_back(fields, consent):

    held_back = None
    try:
        payload = DESTINATION.payload(Event(**fields), consent, now=NOW)
    except InvalidEvent as problem:
        held_back = str(problem)
    if held_back is not None:
        assert 0 < len(held_back) < 500
        return
    wire = json.loads(payload.body, parse_constant=lambda _: 1 / 0)
    assert wire.keys() <= EVENT_KEYS
    assert wire["action_source"] in ACTION_SOURCES
    assert 0 < wire["event_time"] <= NOW
    assert wire["user_data"]
    assert wire["user_data"].keys() <= HASHED_KEYS | PLAIN_KEYS
    for key, value in wire["user_data"].items():
        if key in HASHED_KEYS:
            for digest in value if isinstance(value, list) else [value]:
                assert len(digest.partition(".")[0]) in (32, 64)
                assert digest.partition(".")[0].strip("0123456789abcdef") == ""
    for note in payload.notes:
        assert "." not in note.field or note.field.startswith(
            ("user_data.", "custom_data.", "app_data.", "original_event_data.", "attribution_data.")
        )


SECRET = "Zyxwvut98"


@settings(deadline=None, max_examples=200)
@given(
    fields=st.dictionaries(
        st.sampled_from(UserData.names()),
        st.sampled_from([SECRET, [SECRET], f"{SECRET}@", f"+{SECRET}", f"{SECRET}\ud800"]),
        min_size=1,
    )
)
def test_no_reason_repeats_a_match_key(fields):
    event = Event(event_name="Purchase", event_time=NOW, user_data=UserData(**fields))
    try:
        payload = DESTINATION.payload(event, Consent.GRANTED, now=NOW)
        shown = f"{payload!r} {payload.notes}"
    except InvalidEvent as problem:
        shown = str(problem)
    assert SECRET.lower() not in shown.lower()
