from __future__ import annotations

import hashlib

import pytest

from capi_plugins import ConfigurationError, Consent, Event, hookimpl
from capi_plugins.cli.doors import Door
from capi_plugins.cli.group import group
from capi_plugins.destinations.base import Destination
from tests.plugins import pinboard


@pytest.fixture
def server():
    made = pinboard.PinboardServer()
    yield made
    made.close()


def settings(server, **more):
    return {"pinboard": {"AD_ACCOUNT": "7", "KEY": "key", "URL": server.url, **more}}


def test_another_network_is_a_destination(make, server):
    client = make("tests.plugins.pinboard", DESTINATIONS=settings(server))
    client.track("Purchase", event_id="A-1", user_data={"email": " Jane@Example.com "})
    hashed = hashlib.sha256(b"jane@example.com").hexdigest()
    assert server.batches == [
        (
            "/accounts/7",
            [{"event": "checkout", "id": "A-1", "limited": False, "hashed_email": hashed}],
        )
    ]


def test_two_accounts_of_one_kind(make, server):
    both = {
        "eu": {"KIND": "pinboard", **settings(server)["pinboard"]},
        "us": {**settings(server, AD_ACCOUNT="8")["pinboard"], "KIND": "pinboard"},
    }
    make(pinboard, DESTINATIONS=both).track("Lead")
    assert {path for path, _ in server.batches} == {"/accounts/7", "/accounts/8"}


def test_its_settings_are_checked_like_everybodys(make, server):
    with pytest.raises(ConfigurationError, match=r"\['AD_ACOUNT'\] .* did you mean 'AD_ACCOUNT'"):
        make(pinboard, DESTINATIONS={"pinboard": {"AD_ACOUNT": "7", "KEY": "k"}})


def test_what_the_network_does_not_know_is_dropped_with_its_reason(make, server):
    client = make(pinboard, DESTINATIONS=settings(server))
    (result,) = client.capture(Event(event_name="Search"))
    assert result.reason == "Pinboard knows no Search"


def test_limited_consent_reaches_the_network(make, server):
    class Limited:
        @hookimpl
        def capi_consent(self):
            return Consent.LIMITED

    make(pinboard, Limited(), DESTINATIONS=settings(server)).track("Lead")
    assert server.events[0]["limited"] is True


def test_batches_are_as_small_as_the_network_wants(make, server):
    client = make(
        pinboard, DESTINATIONS=settings(server), DELIVERY={"OUTBOX": "memory", "EXIT_TIMEOUT": 10}
    )
    for _ in range(7):
        client.track("Lead")
    assert client.flush(20)
    assert len(server.events) == 7
    assert max(len(batch) for _, batch in server.batches) <= 2


def test_a_wrong_key_stops_the_destination_and_keeps_the_event(make, server, caplog):
    client = make(pinboard, DESTINATIONS=settings(server, KEY="wrong-secret"))
    client.track("Lead")
    assert client.stopped() == ["pinboard"]
    assert client.stats().waiting == 1
    assert "destination pinboard is stopped, its events are kept: the key is wrong" in caplog.text
    assert "wrong-secret" not in caplog.text


class Tenants:
    """Each tenant has an account of its own, which lives in a database and not in settings."""

    def __init__(self, url):
        self.accounts = {"north": "100", "south": "200"}
        self.url = url
        self.cache: dict[str, Destination] = {}

    @hookimpl
    def capi_route(self, event, destinations):
        tenant = event.custom_data.properties.get("tenant")
        return [f"tenant:{tenant}"] if tenant else None

    @hookimpl
    def capi_lookup_destination(self, name):
        kind, _, tenant = name.partition(":")
        if kind != "tenant" or tenant not in self.accounts:
            return None
        if name not in self.cache:
            options = {"AD_ACCOUNT": self.accounts[tenant], "KEY": "key", "URL": self.url}
            self.cache[name] = pinboard.Pinboard(name, options)
        return self.cache[name]


def test_tenants_have_destinations_settings_do_not_know(make, server):
    client = make(pinboard, Tenants(server.url), DESTINATIONS=settings(server))
    for tenant in ("north", "south", None):
        client.track("Lead", custom_data={"tenant": tenant} if tenant else {})
    assert [path for path, _ in server.batches] == ["/accounts/100", "/accounts/200", "/accounts/7"]
    (result,) = client.dry_run(
        Event.from_dict({"event_name": "Lead", "custom_data": {"tenant": "west"}})
    )
    assert (result.destination, result.reason) == ("tenant:west", "there is no such destination")


def test_tenants_need_no_destination_in_the_settings(make, server):
    client = make(pinboard, Tenants(server.url), DESTINATIONS={})
    client.track("Lead", custom_data={"tenant": "north"})
    assert [path for path, _ in server.batches] == ["/accounts/100"]


class Last:
    """Counts how often it is told that it is over."""

    def __init__(self):
        self.told = 0

    @hookimpl
    def capi_shutdown(self):
        self.told += 1


def test_send_takes_tenants_and_tells_plugins_once_that_it_is_over(make, server, tmp_path):
    last = Last()
    client = make(pinboard, Tenants(server.url), last, DESTINATIONS={})
    events = tmp_path / "events.jsonl"
    events.write_text(
        '{"event_name": "Lead", "event_id": "1", "consent": "granted", '
        '"custom_data": {"tenant": "south"}}\n'
    )
    door = Door(client=lambda: client, where="settings")
    assert not group.main(["send", "--quiet", str(events)], obj=door, standalone_mode=False)
    assert [path for path, _ in server.batches] == ["/accounts/200"]
    assert last.told == 0
    client.close()
    client.close()
    assert last.told == 1
