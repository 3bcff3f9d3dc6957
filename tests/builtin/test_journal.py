"""What becomes of events is written down, without anything that tells who somebody is."""

from __future__ import annotations

import json
import logging
import stat
import threading
import time

import pytest

from capi_plugins import ConfigurationError, RequestContext, configure
from capi_plugins.journal import KEPT_DAYS, Journal, redacted
from tests.core.paper import Post, paper_client

EMAIL = "b5fc85e55755f9e0d030a10ab4429b6b2944855f9a0d60077fe832becbc41d72"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "below" / "journal"


@pytest.fixture
def journaled(folder):
    made = []

    def make(post=None, **settings):
        post = post or Post()
        made.append(paper_client(post, JOURNAL=str(folder), **settings))
        return made[-1]

    yield make
    for client in made:
        client.close(0)


def stages(folder):
    return [(line["stage"], line.get("event_id")) for line in Journal(folder).read()]


def test_an_event_is_followed_from_its_trigger_to_the_answer(journaled, folder):
    trigger = {"ON": "signal", "SIGNAL": "shop.placed", "EVENT": "Purchase", "EVENT_ID": "order.n"}
    client = journaled(
        TRIGGERS=[{**trigger, "CUSTOM_DATA": {"order_id": "order.n", "value": "order.total"}}]
    )
    event = client.triggers.on_signal[0].build({"order": {"n": "F1"}})
    context = RequestContext(method="POST", url="https://shop.example/pay/?token=s3cret")
    client.capture(event, context)
    client.flush()
    client.close()
    captured, fields, delivered = Journal(folder).read()
    assert captured["trigger"] == "CAPI['TRIGGERS'][0]"
    assert (captured["method"], captured["path"]) == ("POST", "/pay/")
    assert (captured["event_id"], captured["order"]) == ("Purchase.F1", "F1")
    assert fields["fields"] == {"custom_data.value": "path 'order.total' leads nowhere"}
    assert (delivered["stage"], delivered["destination"]) == ("delivered", "paper")
    assert "s3cret" not in "".join(path.read_text() for path in folder.iterdir())


def test_of_somebody_who_refused_there_is_nothing_but_the_reason(journaled, folder):
    client = journaled(CONSENT={"DEFAULT": "denied"})
    client.track("Lead", event_id="1", user_data={"email": "ada@example.com"})
    text = "".join(path.read_text() for path in folder.iterdir())
    assert "no consent" in text
    assert "ada@" not in text
    assert EMAIL[:12] not in text


def test_payloads_keep_numbers_and_shortened_hashes_only():
    payload = {
        "event_name": "Purchase",
        "event_source_url": "https://shop.example/?email=ada@example.com",
        "user_data": {"em": [EMAIL], "client_ip_address": "203.0.113.9", "fbp": "fb.1.2.3"},
        "custom_data": {"value": 3, "contents": [{"id": "A", "title": "x"}], "note": "for Ada"},
    }
    assert redacted(json.dumps(payload).encode()) == {
        "event_name": "Purchase",
        "event_source_url": "...",
        "user_data": {"em": [EMAIL[:12]], "client_ip_address": "...", "fbp": "..."},
        "custom_data": {"value": 3, "contents": [{"id": "A", "title": "..."}], "note": "..."},
    }
    assert redacted(b"\xff") is None


def test_the_files_are_for_the_owner_alone_and_kept_for_a_week(folder):
    folder.mkdir(parents=True)
    day = 86_400
    old = time.strftime("%Y-%m-%d", time.gmtime(time.time() - (KEPT_DAYS + 2) * day))
    young = time.strftime("%Y-%m-%d", time.gmtime(time.time() - (KEPT_DAYS - 1) * day))
    for name in (old, young):
        (folder / f"{name}.jsonl").write_text('{"stage": "captured"}\n{"half')
    Journal(folder).write([{"stage": "dropped"}])
    names = sorted(path.stem for path in folder.iterdir())
    assert old not in names
    assert young in names
    today = folder / f"{names[-1]}.jsonl"
    assert stat.S_IMODE(today.stat().st_mode) == 0o600
    assert [line["stage"] for line in Journal(folder).read()] == ["captured", "dropped"]


def test_many_writers_do_not_get_in_each_other_s_way(folder):
    def write(number):
        journal = Journal(folder)
        for turn in range(50):
            journal.write([{"writer": number, "turn": turn, "text": "x" * 500}])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(Journal(folder).read())) == 400


def test_a_day_has_an_upper_size(folder, monkeypatch):
    monkeypatch.setattr("capi_plugins.journal.MOST_BYTES", 1000)
    journal = Journal(folder)
    for _ in range(100):
        journal.write([{"text": "x" * 100}])
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1200


def test_a_journal_that_cannot_be_written_is_told_once_and_loses_no_event(
    journaled, folder, caplog
):
    folder.parent.mkdir()
    folder.write_text("a file is in the way")
    post = Post()
    caplog.set_level(logging.WARNING, "capi_plugins")
    client = journaled(post)
    for number in range(3):
        client.track("Lead", event_id=str(number))
    client.flush()
    assert len(post.events) == 3
    told = [record for record in caplog.records if "CAPI['JOURNAL']" in record.getMessage()]
    assert len(told) == 1


def test_two_clients_write_into_their_own_journals(journaled, folder, tmp_path):
    first = journaled()
    other = paper_client(Post(), JOURNAL=str(tmp_path / "other"))
    first.track("Lead", event_id="first")
    other.track("Lead", event_id="other")
    other.close(0)
    assert {event_id for _, event_id in stages(folder)} == {"first"}
    assert {event_id for _, event_id in stages(tmp_path / "other")} == {"other"}


def test_a_person_is_forgotten(folder):
    journal = Journal(folder)
    journal.write([{"who": EMAIL[:12]}, {"who": "somebody"}])
    assert journal.forget([EMAIL]) == 1
    assert [line["who"] for line in journal.read()] == ["somebody"]


def test_without_the_setting_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    client = paper_client(Post())
    client.track("Lead")
    client.close(0)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_has_to_be_the_same_everywhere():
    with pytest.raises(ConfigurationError, match="absolute path"):
        configure({"JOURNAL": "journal"}, environ={})
