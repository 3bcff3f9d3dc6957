from __future__ import annotations

import json

import pytest

from capi_plugins.consent import Consent
from capi_plugins.destinations.meta.destination import MetaDestination
from capi_plugins.events import Event

NOW = 1_800_000_000
OPTIONS = {"DATASET_ID": "1234567890", "ACCESS_TOKEN": "EAAB-secret-token"}


@pytest.fixture
def now():
    return NOW


@pytest.fixture
def make():
    """Build a destination; its options may be changed by name."""

    def build(**options):
        return MetaDestination("meta", {**OPTIONS, **options})

    return build


@pytest.fixture
def build(make):
    """Turn a neutral event, given as plain data, into its wire form and notes."""

    def encode(data=None, *, consent=Consent.GRANTED, at=NOW, options=None, **fields):
        event = Event.from_dict(
            {
                "event_name": "Lead",
                "event_time": NOW,
                "event_id": "e-1",
                "action_source": "website",
                "user_data": {"email": "john_smith@gmail.com"},
                **(data or {}),
                **fields,
            }
        )
        payload = make(**(options or {})).payload(event, consent, now=at)
        return json.loads(payload.body), {note.field: note.reason for note in payload.notes}

    return encode


@pytest.fixture
def user(build):
    """Turn neutral match keys into Meta's; an e-mail is added so that the event passes."""

    def encode(options=None, **keys):
        wire, notes = build(user_data={"email": "john_smith@gmail.com", **keys}, options=options)
        return wire["user_data"], notes

    return encode


@pytest.fixture
def custom(build):
    """Turn neutral custom data into Meta's."""

    def encode(**fields):
        wire, notes = build(custom_data=fields)
        return wire.get("custom_data", {}), notes

    return encode
