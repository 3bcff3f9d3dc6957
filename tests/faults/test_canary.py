"""Nothing of a person and no secret is ever logged, by no logger, at no level."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from capi_plugins.cli.shops import examples
from capi_plugins.sandbox import Fault, Sandbox
from tests.faults.serving import LIMIT, environment

TOKEN = "CANARYTOKEN8861"
CANARIES = [TOKEN, "canary.ada", "7654321", "203.0.113.77", "Canarina"]
FAULTS = {
    "nothing": [],
    "trouble": [Fault.server_error(html=True), Fault.drop()],
    "a wrong token": [Fault.error(190, 463, 401, message=f"Token {TOKEN} of canary.ada expired")],
    "a refusal": [Fault.error(100, 2804003, 400, message="canary.ada 203.0.113.77 is invalid")],
}


@pytest.fixture
def sandbox():
    with Sandbox(datasets={"1234567890": TOKEN}) as running:
        yield running


@pytest.mark.fault("D13", "S1", "S10")
@pytest.mark.parametrize("faults", FAULTS)
def test_no_log_record_holds_a_secret_or_a_person(faults, sandbox, databases, box, tmp_path):
    """A visit from the product page to the order, with every logger at DEBUG and the other
    side answering well, badly, with a wrong token and with a refusal that repeats what it
    was sent.

    No log record holds the token, an address, a name or a number of the person.
    """
    for module in ("flask_login", "flask_sqlalchemy", "flask_wtf"):
        pytest.importorskip(module)
    sandbox.inject(*FAULTS[faults])
    database = tmp_path / "shop.sqlite3"
    database.write_bytes(databases("flask").read_bytes())
    environ = environment("flask", database, sandbox.url, {"OUTBOX": f"sqlite:///{box}"})
    here = Path(__file__).parent
    environ["PYTHONPATH"] += f":{here}"
    environ["CAPI_META_ACCESS_TOKEN"] = TOKEN
    done = subprocess.run(
        [sys.executable, str(here / "hosts" / "canary.py")],
        cwd=examples() / "flask_shop",
        env=environ,
        capture_output=True,
        text=True,
        timeout=LIMIT * 2,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert "httpcore.http11 DEBUG" in said
    assert "capi_plugins" in said or faults == "nothing"
    assert [canary for canary in CANARIES if canary in said] == []
    if faults in ("nothing", "trouble"):
        [purchase] = sandbox.accepted("Purchase")
        assert purchase.payload["user_data"]["client_ip_address"] == "203.0.113.77"
        assert "ph" in purchase.payload["user_data"]
