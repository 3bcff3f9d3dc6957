from __future__ import annotations

import hashlib

import pytest

from tests.sandbox.wire_events import EMAIL, NOW, changed, website_purchase

SHOP = website_purchase()
MILLIS = int(NOW * 1000)


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def warnings_of(post, sandbox, event):
    answer = post(event)
    assert answer.status_code == 200, answer.text
    return {warning.reason for warning in sandbox.events[-1].warnings}


@pytest.mark.parametrize("word", ["", "null", "None", "undefined"])
def test_hash_of_nothing_is_flagged(word, sandbox, post):
    nothing = hashlib.sha256(word.encode()).hexdigest()
    event = changed(SHOP, "user_data.ph", [nothing])
    assert warnings_of(post, sandbox, event) == {"hash_of_nothing"}
    assert sandbox.events[0].warnings[0].field == "ph"


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("user_data.client_ip_address", "10.0.0.7", "ip_private"),
        ("user_data.client_ip_address", "127.0.0.1", "ip_private"),
        ("user_data.client_ip_address", "8.8.8.8, 10.0.0.1", "ip_invalid"),
        ("user_data.client_ip_address", "256.256.256.256", "ip_invalid"),
        ("user_data.client_ip_address", EMAIL, "ip_hashed"),
        ("user_data.client_user_agent", EMAIL, "hashed_needlessly"),
        ("user_data.client_user_agent", "python-requests/2.32", "server_user_agent"),
        ("user_data.fbc", f"fb.1.{MILLIS}.iwar2f4-dbp0l7mn1iawqqgcinez7pyxq", "fbc_lowercased"),
        ("user_data.fbc", "IwAR2F4", "fbc_form"),
        ("user_data.fbc", f"fb.1.{int(NOW)}.IwAR2F4", "fbc_time"),
        ("user_data.fbc", f"fb.1.{MILLIS - 91 * 86_400_000}.IwAR2F4", "fbc_expired"),
        ("user_data.fbp", f"fb.1.{MILLIS}.abc", "fbp_form"),
        ("user_data.external_id", "customer-1", "external_id_not_hashed"),
        ("user_data.zp", [], "empty_value"),
        ("custom_data.event_id", "x", "event_id_in_custom_data"),
        ("custom_data.content_type", "subscription", "enum"),
        ("custom_data.value", "9.90", "value_as_text"),
        ("custom_data.value", -1, "negative_value"),
        ("event_time", int(NOW) - 2 * 86400, "stale"),
        ("event_id", "", "missing_event_id"),
        ("event_source_url", "/thank-you", "url"),
        ("user_data.ge", [sha("female")], "hash_of_other_form"),
        ("user_data.country", [sha("US")], "hash_of_other_form"),
        ("user_data.db", sha("1997-02-16"), "hash_of_other_form"),
        ("messaging_channel", "whatsapp", "messaging_channel_unused"),
    ],
)
def test_misuse_is_remarked_on(path, value, reason, sandbox, post):
    assert warnings_of(post, sandbox, changed(SHOP, path, value)) == {reason}


@pytest.mark.parametrize(("key", "value"), [("ge", "f"), ("country", "us"), ("db", "19970216")])
def test_normalised_values_of_small_domains_pass(key, value, sandbox, post):
    assert warnings_of(post, sandbox, changed(SHOP, f"user_data.{key}", [sha(value)])) == set()


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"test_event_cod": "TEST1"}, "unknown_parameter"),
        ({"test_event_code": 5}, "test_event_code"),
        ({"partner_agent": "x" * 23}, "partner_agent"),
        ({"partner_agent": "pldjango_0_1"}, None),
    ],
)
def test_request_is_remarked_on(more, reason, sandbox, post):
    assert post(SHOP, **more).status_code == 200
    assert [found.reason for found in sandbox.events[0].warnings] == [reason][: reason is not None]


def test_misspelt_standard_event_is_remarked_on(sandbox, post):
    event = changed(SHOP, "event_name", "Complete Registration")
    assert warnings_of(post, sandbox, event) == {"event_name_spelling"}
    assert "CompleteRegistration" in str(sandbox.events[0].warnings[0])


def test_what_strict_would_refuse_is_remarked_on_in_meta_mode(sandbox, post):
    sandbox.mode = "meta"
    event = changed(SHOP, "user_data.client_user_agent")
    assert warnings_of(post, sandbox, event) == {"missing_user_agent"}
