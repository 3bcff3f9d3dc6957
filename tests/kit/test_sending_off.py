"""In tests nothing leaves the machine, unless somebody asks for it."""

from __future__ import annotations

import pytest

from capi_plugins import TransportError, configure, sending_off
from capi_plugins.builtin.http import HttpSender
from capi_plugins.destinations.base import Request
from capi_plugins.sandbox import Sandbox
from tests.core.paper import Paper

PAPER = Paper("paper", {})
# The names of RFC 2606 lead nowhere: should the lock fail, a test does, and nobody hears of it.
AWAY = Request(url="https://graph.example.invalid/events", body=b"{}")


@pytest.fixture
def off(monkeypatch):
    monkeypatch.setenv("CAPI_SENDING", "off")


def test_requests_to_other_machines_are_refused_and_the_log_says_so_once(off, caplog):
    sender = HttpSender()
    for _ in range(3):
        with pytest.raises(TransportError, match=r"nothing was sent to graph\.example\.invalid"):
            sender.capi_send(AWAY, PAPER)
    (record,) = caplog.records
    assert record.getMessage() == (
        "nothing is sent to graph.example.invalid: CAPI_SENDING is 'off' in the environment; "
        "CAPI_SENDING=on lets it out"
    )


def test_this_machine_is_reached(off):
    with Sandbox() as sandbox:
        client = configure(
            {
                "DESTINATIONS": {
                    "meta": {"DATASET_ID": "1", "ACCESS_TOKEN": "t", "API_URL": sandbox.url}
                },
                "CONSENT": {"DEFAULT": "granted"},
                "DELIVERY": {"OUTBOX": "immediate"},
                "AUTOLOAD": False,
            },
            environ={},
        )
        client.track("Lead", action_source="phone_call", user_data={"email": "a@example.com"})
        client.close(0)
    assert [event.name for event in sandbox.accepted()] == ["Lead"]


def test_events_are_kept_while_sending_is_off(off):
    client = configure(
        {
            "DESTINATIONS": {
                "meta": {"DATASET_ID": "1", "ACCESS_TOKEN": "t", "API_URL": "https://x.invalid"}
            },
            "CONSENT": {"DEFAULT": "granted"},
            "DELIVERY": {"OUTBOX": "immediate"},
            "AUTOLOAD": False,
        },
        environ={},
    )
    client.track("Lead", action_source="phone_call", user_data={"email": "a@example.com"})
    assert client.stats().waiting == 1
    client.close(0)


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("api.localhost", True),
        ("LOCALHOST.", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("[::1]", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("graph.facebook.com", False),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
        ("", False),
    ],
)
def test_only_this_machine_is_this_machine(host, here):
    assert sending_off.is_loopback(host) is here


@pytest.mark.parametrize(
    ("said", "tested", "off"),
    [
        ("", False, False),
        ("", True, True),
        ("on", True, False),
        ("off", False, True),
        ("OFF", False, True),
        ("anything", False, False),
        ("anything", True, True),
    ],
)
def test_the_environment_has_the_last_word(monkeypatch, said, tested, off):
    monkeypatch.setattr(sending_off, "_runners", {"somebody": lambda: tested})
    monkeypatch.setenv("CAPI_SENDING", said)
    assert (sending_off.why_off() is not None) is off
