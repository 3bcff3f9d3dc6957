from __future__ import annotations

import attrs
import pytest

from capi_plugins import RequestContext, UserData
from capi_plugins.sandbox import Fault


@pytest.fixture
def forget(capi):
    def forget(*arguments):
        result = capi("--config", "capi.toml", "forget", *arguments)
        for value in arguments:
            if value and not value.startswith("--"):
                assert len(value) < 4 or value.encode() not in result.stdout + result.stderr
        return result

    return forget


@pytest.mark.parametrize(
    "arguments",
    [
        ["--email", " ADA@Example.com"],
        ["--external-id", "Customer-7"],
        ["--phone", "+49 (0)30 23125 014"],
        ["--email", "nobody@example.com", "--email", "ada@example.com"],
        ["--email", "b5fc85e55755f9e0d030a10ab4429b6b2944855f9a0d60077fe832becbc41d72"],
    ],
)
def test_a_person_is_erased_by_any_of_their_keys(forget, shop, lead, arguments):
    client = shop()
    ada = {"email": "ada@example.com", "external_id": "customer-7", "phone": "+493023125014"}
    lead(client, "1", "2", **ada)
    lead(client, "3", email="grace@example.com", external_id="customer-8", city="Berlin")
    result = forget(*arguments)
    assert result.returncode == 0, result.stderr
    assert b": 2 removed\n" in result.stdout
    assert b"may have left" in result.stdout
    assert client.stats().waiting == 1


def test_dead_letters_are_erased_too(capi, forget, shop, lead, sandbox):
    sandbox.inject(Fault.error(100, 2804003, status=400, times=1))
    client = shop()
    lead(client, "1", external_id="7")
    capi("--config", "capi.toml", "deliver", "--once")
    assert client.stats().dead == 1
    assert b": 1 removed" in forget("--external-id", "7").stdout
    assert client.stats().dead == 0


def test_a_number_is_found_as_the_shop_writes_it(forget, shop, lead, config):
    client = shop()
    lead(client, "1", phone="030 23125014", country="DE")
    lead(client, "2", phone="030 23125014")
    assert b": 1 removed" in forget("--phone", "+49 30 23125014").stdout
    assert b": 1 removed" in forget("--phone", "030 23125014").stdout


def test_somebody_unknown_costs_nobody_else(forget, shop, lead):
    client = shop()
    lead(client, "1")
    assert b": 0 removed" in forget("--external-id", "7").stdout
    assert client.stats().waiting == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], b"say who"),
        (["--email", "not an address"], b"no destination makes a match key"),
        (["--external-id", "7", "--email", "not an address"], b"no destination makes a match key"),
        (["--external-id", ""], b"no destination makes a match key"),
    ],
)
def test_what_cannot_be_searched_for_is_told(forget, shop, lead, arguments, told):
    client = shop()
    lead(client, "1", external_id="7")
    result = forget(*arguments)
    assert result.returncode == 2
    assert told in result.stderr
    assert client.stats().waiting == 1


def test_what_the_context_store_keeps_of_a_person_is_erased(forget, shop, lead):
    client = shop()
    visit = RequestContext(
        method="GET", client_ip_address="203.0.113.9", user=UserData(external_id="7")
    )
    with client.request(lambda: visit):
        client.track("Lead", event_id="order-1", user_data={"email": "ada@example.com"})
    with client.request(lambda: attrs.evolve(visit, user=UserData(external_id="8"))):
        client.track("Lead", event_id="order-2")
    assert b"context store: 2 removed" in forget("--email", "ada@example.com").stdout
    assert b"context store: 2 removed" in forget("--external-id", "8").stdout
