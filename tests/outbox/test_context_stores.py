"""What every context store does, wherever it keeps its entries."""

from __future__ import annotations

import json
import stat
import subprocess
import sys

import pytest

from capi_plugins.consent import Consent
from capi_plugins.context_store import MemoryContextStore, ShopperContext, key_of, person
from capi_plugins.outbox.sqlite import SqliteOutbox

FULL = ShopperContext(
    at=1000.0,
    fbp="fb.1.1.7",
    fbc="fb.1.1.x",
    fbclid="IwAR1",
    client_ip_address="203.0.113.9",
    client_user_agent="Mozilla/5.0 ☃",
    url="https://shop.example/",
    consents={"meta": Consent.GRANTED, "other": Consent.DENIED},
    visitor={"user": "u", "fbp": "f"},
    people=("0123456789abcdef",),
)
REFUSAL = ShopperContext(at=2000.0, consents={"meta": Consent.DENIED})


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    if request.param == "memory":
        yield MemoryContextStore()
        return
    outbox = SqliteOutbox(tmp_path / "outbox.sqlite3")
    yield outbox.contexts
    outbox.close()


def test_what_is_kept_is_found_whole(store):
    store.keep(FULL, replace={"a", "b"}, add={"c"}, oldest=0)
    assert store.find(["a", "c", "other"]) == {"a": FULL, "c": FULL}


def test_replace_replaces_and_add_does_not(store):
    store.keep(FULL, replace={"a"}, add={"b"}, oldest=0)
    store.keep(REFUSAL, replace={"a"}, add={"b"}, oldest=0)
    assert store.find(["a", "b"]) == {"a": REFUSAL, "b": FULL}


def test_what_is_too_old_counts_as_nothing_there(store):
    store.keep(FULL, replace=(), add={"a"}, oldest=0)
    store.keep(REFUSAL, replace=(), add={"a"}, oldest=1500)
    assert store.find(["a"]) == {"a": REFUSAL}


def test_people_are_erased_and_nobody_else(store):
    store.keep(FULL, replace={"a", "b"}, add=(), oldest=0)
    store.keep(REFUSAL, replace={"c"}, add=(), oldest=0)
    assert store.forget(["0123456789abcdef", "fedcba9876543210"]) == 2
    assert store.forget(["0123456789abcdef"]) == 0
    assert store.find(["a", "b", "c"]) == {"c": REFUSAL}


def test_the_oldest_go_when_there_are_too_many(store):
    store._most = 3
    store._prune_from = float("inf")
    for number in range(6):
        if number == 5:
            store._prune_from = 0.0
        at = ShopperContext(at=float(number))
        store.keep(at, replace={str(number)}, add=(), oldest=0)
    assert sorted(store.find([str(number) for number in range(6)])) == ["3", "4", "5"]


def test_processes_share_a_file_that_only_its_owner_reads(tmp_path):
    path = tmp_path / "outbox.sqlite3"
    outbox = SqliteOutbox(path)
    outbox.contexts.keep(FULL, replace={"a"}, add=(), oldest=0)
    code = (
        "import sys; from capi_plugins.outbox.sqlite import SqliteOutbox\n"
        "print(SqliteOutbox(sys.argv[1]).contexts.find(['a'])['a'].to_json())"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, check=True, text=True
    )
    assert ShopperContext.from_json(told.stdout) == FULL
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    outbox.close()


@pytest.mark.parametrize("text", ["", "[]", "7", "{", '{"nothing": 1}', '{"consents": {"m": "?"}}'])
def test_what_something_else_wrote_is_no_context(text):
    with pytest.raises(ValueError, match=r".?"):
        ShopperContext.from_json(text)


def test_empty_fields_take_no_room():
    assert json.loads(REFUSAL.to_json()) == {"at": 2000.0, "consents": {"meta": "denied"}}


def test_keys_tell_nothing_and_mix_nothing_up():
    assert "secret" not in key_of("session", "secret")
    keys = {key_of("row", "a", "bc"), key_of("row", "ab", "c"), key_of("rowa", "b", "c")}
    assert len(keys) == 3
    assert key_of("user", 5) == key_of("user", "5")
    assert len(person("f" * 64)) == 16
