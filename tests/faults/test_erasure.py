"""A person is forgotten, or says no, while what they did is on its way."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import pytest

from capi_plugins import Consent, configure, hookimpl
from capi_plugins.sandbox import Fault
from tests.faults.accounts import Account
from tests.faults.shop_process import event
from tests.faults.shop_settings import settings
from tests.outbox.other_process import ROOT


def forget(wanted, folder, email):
    """Run ``capi forget``; return what it said."""
    program = "import sys; from capi_plugins.cli import main; sys.exit(main())"
    config = folder / "capi.json"
    config.write_text(json.dumps(wanted))
    toml = folder / "capi.toml"
    meta = wanted["DESTINATIONS"]["meta"]
    toml.write_text(
        "[DESTINATIONS.meta]\n"
        + "".join(f"{key} = {json.dumps(value)}\n" for key, value in meta.items())
        + '[CONSENT]\nDEFAULT = "granted"\n[DELIVERY]\n'
        + f"OUTBOX = {json.dumps(wanted['DELIVERY']['OUTBOX'])}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--config", str(toml), "forget", "--email", email],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=folder,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def stored(box):
    # Not read in here: to close a file takes this process's locks of it away, those of SQLite too.
    files = [str(each) for each in box.parent.iterdir() if each.is_file()]
    return subprocess.run(["cat", *files], capture_output=True, check=True).stdout


def sent(sandbox):
    return [found.payload["event_id"] for found in sandbox.events]


@pytest.mark.fault("D11", "S9")
def test_who_is_forgotten_while_their_event_is_on_its_way_is_not_sent_again(
    sandbox, box, tmp_path, until
):
    """`capi forget` runs while one event of a person is with the other side, which does not answer,
    and another waits.

    What waited never leaves; what was on its way may have, which it says, and is not tried again.
    The events of others arrive, and nothing of the person is left in the file.
    """
    wanted = settings(sandbox.url, box, TIMEOUT=60, BATCH_SIZE=1)
    sandbox.inject(Fault.hang(times=None))
    client = configure(wanted)
    client.capture(event("zora"))
    sandbox.wait_for_requests(1)
    client.capture(event("grace"))
    again = event("zora-2")
    client.track(
        "Purchase",
        event_id="zora-2",
        user_data={"email": "zora@example.com", "client_user_agent": "curl"},
        custom_data=again.custom_data,
        action_source="website",
        event_source_url=again.event_source_url,
    )
    hashed = hashlib.sha256(b"zora@example.com").hexdigest().encode()
    assert hashed in stored(box)
    said = forget(wanted, tmp_path, "zora@example.com")
    assert "2 removed" in said and "may have left" in said
    assert "zora" not in said
    sandbox.clear_faults()
    until(lambda: "grace" in sent(sandbox))
    assert client.flush(20)
    client.capture(event("later"))
    sandbox.wait_for(2)
    assert client.flush(20)
    client.close()
    assert sorted(sent(sandbox)) == ["grace", "later"]
    assert hashed not in stored(box)
    assert b"zora" not in stored(box)


class Banner:
    """A consent banner, and what the visitor has said last."""

    answer = Consent.GRANTED

    @hookimpl
    def capi_consent(self):
        return self.answer


@pytest.mark.fault("D12")
def test_consent_that_is_withdrawn_stops_what_comes_and_with_forget_what_waits(
    sandbox, box, tmp_path
):
    """A visitor says no after an event was captured and before it is sent.

    Consent is asked when something happens. What happens after the refusal is dropped and counted,
    with its reason; what waits leaves unless the person is forgotten as well, and then never.
    """
    banner = Banner()
    wanted = settings(sandbox.url, box, WORKER="external")
    client = configure({**wanted, "PLUGINS": [banner]})
    with Account() as account:
        client.capture(event("ada"))
        client.capture(event("grace"))
        banner.answer = Consent.DENIED
        client.capture(event("after"))
        assert (account.captured, account.dropped) == (3, 1)
        assert account.balances(client.stats().waiting)
    assert "1" in forget(wanted, tmp_path, "ada@example.com")
    client.close()
    client = configure(settings(sandbox.url, box))
    assert client.flush(20)
    client.close()
    assert sent(sandbox) == ["grace"]
