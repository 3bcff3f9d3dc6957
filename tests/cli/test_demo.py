from __future__ import annotations

import contextlib
import importlib
import re
import signal
import subprocess
import sys
import time
import urllib.request
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest

from capi_plugins.cli.journeys import Journey, judge
from capi_plugins.cli.shops import SHOPS, ShopFailed, examples, serving
from capi_plugins.sandbox import ReceivedEvent

ADDRESS = "81.2.69.1"


@pytest.mark.parametrize("shop", SHOPS, ids=lambda shop: shop.name)
def test_everything_bought_in_a_shop_arrives_and_nothing_else(start, shop):
    process = start("demo", "--only", shop.name)
    told, errors = process.communicate(timeout=120)
    text = told.decode()
    assert process.returncode == 0, text + errors.decode()
    assert "8 of 8 journeys are as expected. All is well." in text
    assert re.search(r"^Purchase +4 +[\d.]+ EUR", text, re.MULTILINE)
    assert max(len(line) for line in text.splitlines()[:-1]) <= 80


def test_the_page_stays_open_when_asked_to(start):
    process = start("demo", "--only=flask", "--keep")
    told = ""
    while "until you press Ctrl-C" not in told:
        line = process.stdout.readline().decode()
        assert line, told
        told += line
    found = re.search(r"http://127\.0\.0\.1:\d+/", told)
    with urllib.request.urlopen(found[0], timeout=10) as page:
        assert page.status == 200
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0


def processes_with(setting: str) -> list[int]:
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if setting.encode() in environ.read_bytes():
                found.append(int(environ.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminated"])
def test_no_shop_is_left_behind_when_the_demo_is_ended(start, number):
    process = start("demo", "--only=flask")
    url = re.search(r"http://\S+", process.stdout.readline().decode())[0]
    deadline = time.monotonic() + 60
    while not processes_with(f"SANDBOX_URL={url}"):
        assert process.poll() is None
        assert time.monotonic() < deadline
    process.send_signal(number)
    assert process.wait(30) == 130
    assert b"Traceback" not in process.stderr.read()
    assert processes_with(f"SANDBOX_URL={url}") == []


def test_a_shop_whose_framework_is_missing_is_left_out(tmp_path):
    code = (
        "import sys\n"
        "import capi_plugins.cli.shops as shops\n"
        "shops.Shop.missing = lambda shop: [shop.name]\n"
        "from capi_plugins.cli.console import console\n"
        "console.main(['demo'], prog_name='capi')\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, cwd=tmp_path, check=False
    )
    assert result.returncode == 2
    assert b"The Django shop is left out" in result.stdout
    assert b"none of their frameworks is installed" in result.stderr


def test_a_shop_that_does_not_start_says_why(tmp_path):
    flask = next(shop for shop in SHOPS if shop.name == "flask")
    importlib.import_module("flask")
    settings = {"SHOP_DATABASE_URL": "nonsense://"}
    with (
        pytest.raises(ShopFailed, match="nonsense"),
        serving(flask, examples(), tmp_path, settings),
    ):
        pass


def test_a_shop_does_not_write_beside_its_code(tmp_path):
    before = sorted((examples() / "flask_shop").iterdir())
    flask = next(shop for shop in SHOPS if shop.name == "flask")
    with serving(flask, examples(), tmp_path, {"SHOP_WITHOUT_CAPI": "1"}) as url:
        urllib.request.urlopen(url, timeout=10).close()
    assert sorted((examples() / "flask_shop").iterdir()) == before


def received(name: str, address: str = ADDRESS, **custom: object) -> ReceivedEvent:
    payload = {
        "event_name": name,
        "user_data": {"client_ip_address": address, "em": ["x"]},
        "custom_data": custom,
    }
    return ReceivedEvent(dataset="1", payload=payload, received_at=0.0)


def expectation(name: str, count: int, **more: object) -> SimpleNamespace:
    fields = {"value": None, "currency": None, "content_ids": (), "order_id": None}
    return SimpleNamespace(event_name=name, count=count, **{**fields, "match_keys": (), **more})


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (received("Purchase", value=10.5, currency="EUR", content_ids=["A"]), None),
        (received("Purchase", value=10.4, currency="EUR", content_ids=["A"]), "value is 10.4"),
        (received("Purchase", value=10.5, currency="USD", content_ids=["A"]), "currency is USD"),
        (received("Purchase", value=10.5, currency="EUR", contents=[{"id": "B"}]), "products"),
        (received("Lead"), "0 arrived"),
    ],
)
def test_an_event_that_differs_from_what_was_expected_is_told(event, told):
    wanted = expectation(
        "Purchase",
        1,
        value=Decimal("10.50"),
        currency="EUR",
        content_ids=("A",),
        match_keys=("email",),
    )
    journey = Journey(name="buy", story="", address=ADDRESS, expected=[wanted])
    assert judge([journey], [event]) == []
    assert (told is None and not journey.wrong) or told in " ".join(journey.wrong)


def test_lost_match_keys_too_many_events_and_strangers_are_told():
    expected = [expectation("Lead", 1, match_keys=("email", "phone")), expectation("Purchase", 0)]
    journey = Journey(name="lead", story="", address=ADDRESS, expected=expected)
    events = [received("Lead"), received("Purchase"), received("Search"), received("Lead", "::1")]
    strangers = judge([journey], events)
    assert len(strangers) == 1
    assert journey.wrong == [
        "Lead: match keys are missing: phone",
        "Purchase: 0 expected, 1 arrived",
        "Search was not expected",
    ]


def test_what_rightly_does_not_arrive_is_named():
    def withheld(*expected):
        return Journey(name="", story="", address="", expected=expected).withheld

    assert withheld(expectation("Lead", 0)) == "everything"
    tried = expectation("InitiateCheckout", 1)
    assert withheld(tried, expectation("Purchase", 0)) == "Purchase"
    assert withheld(tried, expectation("Purchase", 1)) == ""
