"""What lies on the disk of a person, what leaves, and what is gone."""

from __future__ import annotations

import pytest
from capi_flask import Capi
from flask import Flask

from capi_plugins.sandbox import Fault
from tests.faults.shop_settings import settings
from tests.faults.small_shop import until
from tests.faults.storage import take
from tests.outbox.other_process import delivery

PERSON = {
    "email": "ada.canary@example.com",
    "phone": "+493023125014",
    "first_name": "Adacanary",
    "last_name": "Lovelacecanary",
    "city": "Berlincanary",
    "zip": "10115",
    "external_id": "customer-canary",
    "date_of_birth": "1815-12-10",
}


def contents(folder):
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


@pytest.mark.fault("S5", "S7")
def test_contact_data_is_hashed_before_it_touches_a_disk(open_shop, box):
    """An event with everything known of a person waits in the file.

    No file holds a word of it in clear. They are not encrypted: their mode, and that they are
    emptied, is what keeps the hashes.
    """
    shop = open_shop(WORKER="external")
    shop.client.track("Lead", event_id="1", user_data=PERSON)
    shop.client.close(0)
    found = contents(box.parent)
    assert b'"event_id":"1"' in found
    assert b'"stage":"captured"' in found
    assert b'"em":' in found and b'"ph":' in found
    for value in (*PERSON.values(), "493023125014", "adacanary", "18151210", "canary"):
        assert value.encode() not in found.lower(), value
    for file in (each for each in box.parent.rglob("*") if each.name != ".gitignore"):
        assert file.stat().st_mode & 0o777 == (0o700 if file.is_dir() else 0o600)


@pytest.mark.fault("S4", "S10")
def test_what_meta_says_of_a_person_is_not_kept(open_shop, sandbox, box, caplog):
    """Meta's refusal repeats an address and a telephone number.

    Log and dead letter have code, trace and our own words, and nothing of Meta's text.
    """
    caplog.set_level("DEBUG")
    text = "ada.canary@example.com and +493023125014 are invalid"
    sandbox.inject(Fault.error(100, 2804003, message=text))
    shop = open_shop()
    shop.client.track("Lead", event_id="1", user_data=PERSON)
    until(lambda: shop.stats.dead == 1)
    (letter,) = shop.client.delivering.outbox.dead_letters(1)
    shop.client.close()
    said = caplog.text + letter.reason + contents(box.parent).decode(errors="replace")
    assert "code 100/2804003" in letter.reason
    assert "fbtrace_id" in letter.reason
    for word in ("canary", "3023125014", "are invalid"):
        assert word not in said


@pytest.mark.fault("S8")
def test_what_is_delivered_is_gone_from_the_disk(open_outbox, path):
    """An event is delivered.

    No file of the outbox holds a byte of it.
    """
    outbox = open_outbox()
    secret = b"f660ab912ec121d1b1e928a0bb4bc61b"
    outbox.put([delivery("1", payload=secret), delivery("2")])
    outbox.delivered(take(outbox, limit=1))
    outbox.close()
    assert secret not in contents(path.parent)


@pytest.mark.fault("S9")
def test_what_is_forgotten_is_gone_from_the_disk(open_outbox, path):
    """A person is forgotten whose event waits.

    No file of the outbox holds a byte of it.
    """
    outbox = open_outbox()
    secret = b"f660ab912ec121d1b1e928a0bb4bc61b"
    outbox.put([delivery("1", payload=secret), delivery("2")])
    assert len(outbox.forget([secret.decode()])) == 1
    assert outbox.stats().waiting == 1
    outbox.close()
    assert secret not in contents(path.parent)


@pytest.mark.fault("S6", "S11", "S12")
def test_what_a_visitor_invents_does_not_leave(sandbox, box):
    """A visitor sends forged addresses, endless and broken cookies and headers, and secrets.

    The event has the address of the connection, no click or browser id that is none, texts that are
    cut and without control characters, and an URL without what is secret or personal.
    """
    app = Flask("shop")
    app.config["CAPI"] = {**settings(sandbox.url, box), "PAGE_VIEW": True, "AUTOLOAD": False}
    app.add_url_rule("/", "home", lambda: "<html><body>Hello</body></html>")
    capi = Capi(app)
    browser = app.test_client()
    browser.set_cookie("_fbp", "fb.1." + "9" * 3500)
    browser.set_cookie("_fbc", "fb.1.1700000000000.<script>")
    query = "email=ada@example.com&token=s3cret&utm_source=%00%1b%7fx&fbclid=" + "A" * 3000
    answer = browser.get(
        f"/?{query}",
        headers={
            "User-Agent": "Firefox \x01\x1b\x7f" + "x" * 20_000,
            "Referer": "https://elsewhere.example/?password=s3cret&x=" + "y" * 5000,
            "X-Forwarded-For": "198.51.100.1, 198.51.100.2",
            "X-Forwarded-Host": "elsewhere.example",
            "Forwarded": "for=198.51.100.3",
            "CF-Connecting-IP": "198.51.100.4",
        },
        environ_base={"REMOTE_ADDR": "203.0.113.77"},
    )
    assert answer.status_code == 200
    (event,) = sandbox.wait_for(1, 20)
    user = event.payload["user_data"]
    assert user["client_ip_address"] == "203.0.113.77"
    assert len(user["client_user_agent"]) <= 512
    assert "fbp" not in user
    assert "<script>" not in str(event.payload)
    assert len(event.payload["event_source_url"]) <= 2048
    assert event.payload["event_source_url"].startswith("http://localhost/?utm_source=")
    sent = str(event.payload)
    for word in ("198.51.100", "ada@", "s3cret"):
        assert word not in sent
    texts = [user["client_user_agent"], event.payload["event_source_url"]]
    assert [text for text in texts if not text.isprintable()] == []
    with app.app_context():
        capi.client.close(0)


@pytest.mark.fault("S11")
@pytest.mark.parametrize(
    ("peer", "expected"), [("10.0.0.7", "198.51.100.9"), ("203.0.113.77", "203.0.113.77")]
)
def test_what_a_proxy_adds_counts_and_what_a_visitor_says_does_not(sandbox, box, peer, expected):
    """A visitor comes through the host's proxy, or past it, and says to be somebody else.

    The event has the address that the proxy saw, and past the proxy that of the connection.
    """
    app = Flask("shop")
    app.config["CAPI"] = {
        **settings(sandbox.url, box), "AUTOLOAD": False, "TRUSTED_PROXIES": ["10.0.0.0/8"],
    }  # fmt: skip
    app.add_url_rule("/", "home", lambda: "<html><body>Hello</body></html>")
    capi = Capi(app)
    answer = app.test_client().get(
        "/",
        headers={"User-Agent": "Firefox", "X-Forwarded-For": "192.0.2.66, 198.51.100.9"},
        environ_base={"REMOTE_ADDR": peer},
    )
    assert answer.status_code == 200
    (event,) = sandbox.wait_for(1, 20)
    assert event.payload["user_data"]["client_ip_address"] == expected
    with app.app_context():
        capi.client.close(0)


@pytest.mark.fault("S13", "S14", "S20")
def test_nothing_can_be_reached_that_the_host_did_not_ask_for(sandbox, box):
    """An app is set up with the settings that are needed, and no more.

    It has the same addresses as before: there is nothing of ours to forge requests to, no endpoint
    for events or webhooks and no dashboard.
    """
    app = Flask("shop")
    before = {rule.rule for rule in app.url_map.iter_rules()}
    app.config["CAPI"] = {**settings(sandbox.url, box), "AUTOLOAD": False}
    capi = Capi(app)
    assert {rule.rule for rule in app.url_map.iter_rules()} == before
    with app.app_context():
        capi.client.close(0)
