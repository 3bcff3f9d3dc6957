from __future__ import annotations

import pytest

from capi_plugins.consent import Consent
from capi_plugins.destinations.meta.app_data import extinfo
from capi_plugins.destinations.meta.fields import EXTINFO
from capi_plugins.destinations.meta.scalars import Unusable
from capi_plugins.exceptions import InvalidEvent

DEVICE = {"version": "i2", "os_version": 17.1, "cpu_cores": 6, "screen_density": "3.00"}


def test_device_information_is_sixteen_texts(build):
    wire, notes = build(
        action_source="app", app_data={"advertiser_tracking_enabled": True, "extinfo": DEVICE}
    )
    sent = wire["app_data"]["extinfo"]
    assert len(sent) == 16
    assert all(isinstance(value, str) for value in sent)
    assert dict(zip(EXTINFO, sent, strict=True)) == {
        **dict.fromkeys(EXTINFO, ""),
        "version": "i2",
        "os_version": "17.1",
        "cpu_cores": "6",
        "screen_density": "3.00",
    }
    assert not notes


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        ["i2"] * 15,
        ["i2"] * 17,
        ["a1", *["x"] * 15],
        ["i2", "", "", "", "", *["x"] * 11],
        {},
        {"version": "i2"},
        "i2",
        b"i2",
        object(),
    ],
)
def test_device_information_that_meta_would_refuse_is_refused(value):
    with pytest.raises(Unusable):
        extinfo(value)


def test_an_unreadable_slot_is_empty():
    values = ["a2", None, b"x", object(), "14", float("nan"), *[""] * 10]
    assert extinfo(values) == ["a2", "", "", "", "14", *[""] * 11]


@pytest.mark.parametrize(("value", "sent"), [(True, 1), ("false", 0), (0, 0), ("1", 1)])
def test_flags_are_sent_as_zero_or_one(build, value, sent):
    wire, _ = build(
        action_source="app", app_data={"advertiser_tracking_enabled": value, "extinfo": DEVICE}
    )
    assert wire["app_data"]["advertiser_tracking_enabled"] is not True
    assert wire["app_data"]["advertiser_tracking_enabled"] == sent


def test_other_members_are_read_one_by_one(build):
    wire, notes = build(
        action_source="app",
        app_data={
            "advertiser_tracking_enabled": 0,
            "application_tracking_enabled": "maybe",
            "extinfo": DEVICE,
            "campaign_ids": 7,
            "url_schemes": ["a", "b"],
            "consider_views": "yes",
            "vendor_id": b"x",
        },
    )
    assert wire["app_data"]["campaign_ids"] == "7"
    assert wire["app_data"]["url_schemes"] == ["a", "b"]
    assert wire["app_data"]["consider_views"] is True
    assert set(notes) == {"app_data.application_tracking_enabled", "app_data.vendor_id"}


@pytest.mark.parametrize(
    ("app_data", "missing"),
    [
        (None, "advertiser_tracking_enabled"),
        ({"extinfo": DEVICE}, "advertiser_tracking_enabled"),
        ({"advertiser_tracking_enabled": 2, "extinfo": DEVICE}, "advertiser_tracking_enabled"),
        ({"advertiser_tracking_enabled": 1}, "extinfo"),
    ],
)
def test_an_app_event_without_its_parts_is_held_back(build, app_data, missing):
    with pytest.raises(InvalidEvent, match=missing):
        build(action_source="app", app_data=app_data)


@pytest.mark.parametrize("consent", [Consent.GRANTED, Consent.LIMITED])
def test_who_refused_tracking_on_the_device_stays_refused(build, consent):
    refused = {
        "advertiser_tracking_enabled": False,
        "application_tracking_enabled": False,
        "extinfo": DEVICE,
    }
    wire, _ = build(action_source="app", app_data=refused, consent=consent)
    for flag in ("advertiser_tracking_enabled", "application_tracking_enabled"):
        assert wire["app_data"][flag] == 0
        assert wire["app_data"][flag] is not False
