from __future__ import annotations

import json

import pytest

from capi_plugins.sandbox import Fault


@pytest.fixture
def dead(capi):
    def dead(*arguments, stdin=b""):
        return capi("--config", "capi.toml", "dead", *arguments, stdin=stdin)

    return dead


@pytest.fixture
def letters(dead):
    def letters(*arguments):
        result = dead("list", "--json", *arguments)
        assert result.returncode == 0, result.stderr
        return [json.loads(line) for line in result.stdout.splitlines()]

    return letters


@pytest.fixture
def client(capi, shop, lead, sandbox):
    """A shop with three dead letters."""
    client = shop(delivery="BATCH_SIZE = 1")
    lead(client, "1", "2", "3")
    sandbox.inject(Fault.error(100, 2804003, status=400, times=3))
    assert capi("--config", "capi.toml", "deliver", "--once").returncode == 1
    assert client.stats().dead == 3
    return client


def test_they_are_listed_without_personal_data(dead, letters, client):
    found = letters()
    assert sorted(letter["event_id"] for letter in found) == ["1", "2", "3"]
    assert set(found[0]) == {
        *("key", "event_name", "event_id", "destination", "reason", "died_at", "attempts"),
    }
    assert "code 100/2804003" in found[0]["reason"]
    assert len(letters("--limit", "2")) == 2
    table = dead("list").stdout.decode()
    assert "Lead" in table
    assert "meta" in table
    assert "2 of 3 shown" in dead("list", "--limit=2").stdout.decode()


def test_payloads_are_shown_when_asked_for(dead, letters, client):
    assert "user_data" in json.loads(letters("--show-payload")[0]["payload"])
    assert dead("list", "--show-payload").returncode == 2


def test_chosen_ones_are_tried_again(capi, dead, letters, client, sandbox):
    key = next(letter["key"] for letter in letters() if letter["event_id"] == "2")
    result = dead("replay", key, "--yes")
    assert result.stdout == b"1 dead letter will be tried again.\n"
    assert capi("--config", "capi.toml", "deliver", "--once").returncode == 0
    assert [event.payload["event_id"] for event in sandbox.accepted()] == ["2"]
    assert client.stats().dead == 2


def test_all_are_removed_after_a_yes(dead, client):
    result = dead("drop", "--all", stdin=b"n\n")
    assert result.returncode == 130
    assert client.stats().dead == 3
    result = dead("drop", "--all", stdin=b"y\n")
    # Older versions of click print a space after the question.
    assert result.stdout.lstrip() == b"3 dead letters removed.\n"
    assert client.stats().dead == 0


def test_all_are_tried_again(dead, client):
    assert dead("replay", "--all", "--yes").returncode == 0
    assert (client.stats().waiting, client.stats().dead) == (3, 0)


def test_a_key_of_nothing_is_told(dead, client):
    result = dead("drop", "4711", "--yes")
    assert result.returncode == 1
    assert b"1 of the keys belong to no dead letter." in result.stderr


@pytest.mark.parametrize("arguments", [[], ["1", "--all"], ["0"], ["99999999999999999999"]])
def test_it_has_to_be_said_which(dead, client, arguments):
    assert dead("drop", *arguments, "--yes").returncode == 2
    assert client.stats().dead == 3


def test_where_there_are_none_it_says_so(dead, shop):
    shop()
    assert dead("list").stdout == b"No dead letters.\n"
    assert dead("list", "--json").stdout == b""
    assert dead("replay", "--all", "--yes").stdout == b"No dead letters.\n"


def test_an_outbox_in_memory_cannot_be_seen(capi, config):
    for command in ("list", "replay", "drop"):
        keys = [] if command == "list" else ["1"]
        result = capi("--config", config(), "dead", command, *keys)
        assert result.returncode == 2
        assert b"in the memory of each process" in result.stderr
