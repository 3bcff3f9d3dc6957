"""The access token: where it must be, and everywhere it must not be."""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
import pickle
import subprocess
import sys
from pathlib import Path

import capi_django
import pytest
from django.apps import apps
from django.http import HttpResponse
from django.test import Client

from capi_plugins import ConfigurationError, configure
from capi_plugins.destinations.base import Request
from capi_plugins.sandbox import Fault, Sandbox
from tests.faults.shop_settings import settings
from tests.faults.small_shop import SmallShop, accepted, until

TOKEN = "CANARY-TOKEN-8861"
CAPI = Path(sys.executable).with_name("capi")


@pytest.mark.fault("S1", "S2")
def test_the_token_is_in_the_body_of_the_request_and_nowhere_else(box, caplog):
    """Events are captured, refused and sent, with every logger at DEBUG.

    The token arrives in the body. It is in no URL, header, log record, file, text of an object or
    error, and what holds it can be neither pickled nor copied.
    """
    caplog.set_level("DEBUG")
    with Sandbox(datasets={"1234567890": TOKEN}) as sandbox:
        wanted = settings(sandbox.url, box)
        wanted["DESTINATIONS"]["meta"]["ACCESS_TOKEN"] = TOKEN
        sandbox.inject(Fault.error(100, 2804003, message=f"{TOKEN} is wrong"), Fault.drop())
        shop = SmallShop(wanted)
        shop.lead("refused")
        until(lambda: shop.stats.dead == 1)
        shop.lead("sent")
        until(lambda: accepted(sandbox) == ["sent"])
        assert {request.token_source for request in sandbox.requests} <= {"body", ""}
        assert any(request.token_source == "body" for request in sandbox.requests)
        assert TOKEN not in str([(each.query, each.headers) for each in sandbox.requests])
        client = shop.client
        (meta,) = client.destinations.values()
        held = meta.request(client.delivering.outbox.take("meta", limit=1, max_bytes=9, now=0))
        assert isinstance(held, Request)
        letters = client.delivering.outbox.dead_letters(9)
        for shown in (client, client.settings, meta, held, letters, client.stats()):
            assert TOKEN not in repr(shown)
            assert TOKEN not in str(shown)
        for way in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="holds secrets"):
                way(meta)
        client.close()
        files = b"".join(file.read_bytes() for file in box.parent.rglob("*") if file.is_file())
        assert TOKEN.encode() not in files
    assert TOKEN not in caplog.text


@pytest.mark.fault("S1")
def test_a_mistake_in_settings_does_not_show_the_token():
    """The token has a space in it, and other settings are wrong as well.

    The error names the settings, and shows no value of a secret.
    """
    wrong = {"DATASET_ID": "x", "ACCESS_TOKEN": f"{TOKEN} oops", "APP_SECRET": f"{TOKEN} oops"}
    with pytest.raises(ConfigurationError) as caught:
        configure({"DESTINATIONS": {"meta": wrong}, "CONSENT": {"DEFAULT": "granted"}}, environ={})
    assert "['ACCESS_TOKEN'] must be text without spaces" in str(caught.value)
    assert TOKEN not in str(caught.value) + repr(caught.value)


@pytest.mark.fault("S1")
def test_no_command_shows_the_token(tmp_path, box):
    """Every command that tells of settings, events and the outbox is run, and one that fails.

    None of them prints the token.
    """
    with Sandbox(datasets={"1234567890": "another"}) as sandbox:
        wanted = settings(sandbox.url, box, WORKER="external")
        wanted["DESTINATIONS"]["meta"]["ACCESS_TOKEN"] = TOKEN
        shop = SmallShop(wanted)
        shop.lead("1")
        shop.close()
        lead = {"event_name": "Lead", "event_id": "2", "user_data": {"email": "ada@example.com"}}
        (tmp_path / "event.json").write_text(json.dumps(lead))
        (tmp_path / "capi.toml").write_text(
            f'[CONSENT]\nDEFAULT = "granted"\n[DESTINATIONS.meta]\nDATASET_ID = "1234567890"\n'
            f'ACCESS_TOKEN = "{TOKEN}"\nAPI_URL = "{sandbox.url}"\n'
            f'[DELIVERY]\nOUTBOX = "sqlite:///{box}"\nWORKER = "external"\n'
        )
        for arguments in (
            ["check"], ["plugins"], ["payload", "event.json"], ["send", "event.json"],
            ["deliver", "--once"], ["status"], ["explain", "1"], ["dead", "list"],
        ):  # fmt: skip
            done = subprocess.run(
                [CAPI, "--config", "capi.toml", *arguments],
                cwd=tmp_path,
                capture_output=True,
                timeout=60,
                check=False,
            )
            assert done.stdout + done.stderr, arguments
            assert TOKEN.encode() not in done.stdout + done.stderr


@pytest.mark.fault("S1", "S5", "S10")
def test_no_table_holds_the_token_or_a_person(tables, configure, view):
    """Visitors who decided about their consent, and some who did not, tell a shop who they are; the
    other side refuses an event, repeating what it was sent, and then the token. In three databases.

    No column of any of our tables, and no line of the journal, holds the token, or contact data in
    clear.
    """
    person = {
        "email": "ada.canary@example.com",
        "phone": "+493023125014",
        "first_name": "Adacanary",
    }

    def page(request):
        capi_django.track("Lead", event_id=request.GET["number"], user_data=person)
        return HttpResponse("<p>Thank you</p>")

    view(page)
    headers = {"user-agent": "Mozilla/5.0 Firefox/140.0", "accept": "text/html"}
    undecided, decided = (Client(headers=headers, REMOTE_ADDR="203.0.113.9") for _ in range(2))
    decided.cookies["ads"] = "granted"
    with Sandbox(datasets={"1234567890": TOKEN}) as sandbox:
        meta = {"DATASET_ID": "1234567890", "ACCESS_TOKEN": TOKEN, "API_URL": sandbox.url}
        configure(
            DESTINATIONS={"meta": meta},
            PLUGINS=[],
            PAGE_VIEW=True,
            CONSENT={"DEFAULT": "hold", "SOURCES": [{"COOKIE": "ads"}]},
            DELIVERY={"OUTBOX": "database", "DATABASE": tables.alias, "WORKER": "external"},
        )
        undecided.get("/do/?number=held")
        delivering = capi_django.get_client().delivering
        for code, subcode in ((100, 2804003), (190, 463)):
            decided.get(f"/do/?number={code}")
            said = f"{TOKEN} of ada.canary@example.com"
            sandbox.inject(Fault.error(code, subcode, message=said, times=None))
            delivering.drain(None, 20)
            sandbox.clear_faults()
    rows = {
        model.__name__: [
            tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)
            for row in model.objects.using(tables.alias).values_list()
        ]
        for model in apps.get_app_config("capi_django").get_models()
    }
    empty = {name for name, found in rows.items() if not found}
    assert empty <= {"JournalChunk"}
    journal = delivering.outbox.journal
    until(lambda: "given up" in {line["stage"] for line in journal.read()})
    said = repr((rows, list(journal.read()))).lower()
    for word in (TOKEN.lower(), "canary", "3023125014"):
        assert word not in said


@pytest.mark.fault("S3")
def test_requests_are_signed_where_the_app_demands_it(box):
    """The app demands a proof that the sender knows its secret.

    Requests carry it, and events arrive; the secret itself does not leave.
    """
    with Sandbox(app_secret="app-secret") as sandbox:
        wanted = settings(sandbox.url, box)
        wanted["DESTINATIONS"]["meta"]["APP_SECRET"] = "app-secret"
        shop = SmallShop(wanted)
        (meta,) = shop.client.destinations.values()
        proof = hmac.new(b"app-secret", b"secret-token", hashlib.sha256).hexdigest()
        body = meta.request([]).body
        assert proof.encode() in body
        assert b"app-secret" not in body
        shop.lead("1")
        until(lambda: accepted(sandbox) == ["1"])
        shop.close()


@pytest.mark.fault("S15")
@pytest.mark.parametrize(
    ("url", "passes"),
    [
        ("https://graph.facebook.com", True),
        ("https://gateway.shop.example/capi", True),
        ("http://127.0.0.1:8900", True),
        ("http://localhost:8900", True),
        ("http://graph.facebook.com", False),
        ("http://10.0.0.1", False),
        ("http://169.254.169.254/latest", False),
        ("http://localhost.evil.example", False),
        ("https://user:pass@graph.facebook.com", False),
        ("https://graph.facebook.com?x=1", False),
        ("ftp://graph.facebook.com", False),
        ("file:///etc/passwd", False),
        ("//graph.facebook.com", False),
    ],
)
def test_events_go_out_over_https_alone(url, passes):
    """Settings name where events go: by HTTPS, in clear, with credentials, and elsewhere.

    HTTPS passes, and plain HTTP to this machine itself, where the sandbox is. All others are
    told as
    mistakes, and redirects are not followed.
    """
    meta = {"DATASET_ID": "1", "ACCESS_TOKEN": "t", "API_URL": url}
    wanted = {"DESTINATIONS": {"meta": meta}, "CONSENT": {"DEFAULT": "granted"}}
    if passes:
        configure(wanted, environ={}).close(0)
        return
    with pytest.raises(ConfigurationError, match="API_URL"):
        configure(wanted, environ={})
