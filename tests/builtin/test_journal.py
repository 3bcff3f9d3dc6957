"""What becomes of events is written down, without anything that tells who somebody is."""

from __future__ import annotations

import json
import logging
import os
import stat
import threading
import time

import pytest

from capi_plugins import ConfigurationError, RequestContext, configure
from capi_plugins.builtin.journal_writer import MOST_WAITING, BackgroundWriter
from capi_plugins.journal import KEPT_DAYS, FolderJournal, redacted, redacted_path
from tests.core.paper import Post, paper_client
from tests.waiting import until

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
    return [(line["stage"], line.get("event_id")) for line in FolderJournal(folder).read()]


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
    captured, fields, delivered = FolderJournal(folder).read()
    assert captured["trigger"] == "CAPI['TRIGGERS'][0]"
    assert (captured["method"], captured["path"]) == ("POST", "/pay/")
    assert (captured["event_id"], captured["order"]) == ("Purchase.F1", "F1")
    assert fields["fields"] == {"custom_data.value": "path 'order.total' leads nowhere"}
    assert (delivered["stage"], delivered["destination"]) == ("delivered", "paper")
    assert "s3cret" not in "".join(path.read_text() for path in folder.iterdir())


def test_of_somebody_who_refused_there_is_nothing_but_the_reason(journaled, folder):
    client = journaled(CONSENT={"DEFAULT": "denied"})
    client.track("Lead", event_id="1", user_data={"email": "ada@example.com"})
    client.close(0)
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
    FolderJournal(folder).write([{"stage": "dropped"}], browsing=False)
    names = sorted(path.stem for path in folder.iterdir())
    assert old not in names
    assert young in names
    today = folder / f"{names[-1]}.jsonl"
    assert stat.S_IMODE(today.stat().st_mode) == 0o600
    assert [line["stage"] for line in FolderJournal(folder).read()] == ["captured", "dropped"]


def test_many_writers_do_not_get_in_each_other_s_way(folder):
    def write(number):
        journal = FolderJournal(folder)
        for turn in range(50):
            journal.write([{"writer": number, "turn": turn, "text": "x" * 500}], browsing=False)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(FolderJournal(folder).read())) == 400


def test_a_day_has_an_upper_size(folder, monkeypatch):
    monkeypatch.setattr("capi_plugins.journal.MOST_BYTES", 1000)
    journal = FolderJournal(folder)
    for _ in range(100):
        journal.write([{"text": "x" * 100}], browsing=False)
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
    client.close(0)
    assert len(post.events) == 3
    told = [record for record in caplog.records if "journal" in record.getMessage()]
    assert len(told) == 1


def test_two_clients_write_into_their_own_journals(journaled, folder, tmp_path):
    first = journaled()
    other = paper_client(Post(), JOURNAL=str(tmp_path / "other"))
    first.track("Lead", event_id="first")
    other.track("Lead", event_id="other")
    first.close(0)
    other.close(0)
    assert {event_id for _, event_id in stages(folder)} == {"first"}
    assert {event_id for _, event_id in stages(tmp_path / "other")} == {"other"}


def test_a_person_is_forgotten_with_all_lines_of_the_events(folder):
    journal = FolderJournal(folder)
    journal.write(
        [
            {"event_id": "1", "stage": "captured", "order": "1001"},
            {"event_id": "1", "stage": "delivered", "payload": {"em": EMAIL[:12]}},
            {"event_id": "2", "stage": "delivered", "payload": {"em": "somebody"}},
        ],
        browsing=False,
    )
    journal.write([{"event_id": "1", "stage": "dropped"}], browsing=True)
    assert journal.forget([EMAIL]) == 3
    assert [line["event_id"] for line in journal.read()] == ["2"]
    assert journal.forget([EMAIL]) == 0


def test_it_is_kept_beside_the_outbox_by_itself(tmp_path):
    place = tmp_path / "box" / "outbox.sqlite3"
    client = paper_client(Post(), DELIVERY={"OUTBOX": f"sqlite:///{place}"})
    client.track("Lead", event_id="1")
    client.close(0)
    kept = FolderJournal(tmp_path / "box" / "outbox.sqlite3.capi-journal")
    assert next(line["event_id"] for line in kept.read()) == "1"
    assert stat.S_IMODE(kept.folder.stat().st_mode) == 0o700
    assert (kept.folder / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize("switch", [{"JOURNAL": False}, {"JOURNAL": None}])
def test_it_can_be_turned_off(tmp_path, switch):
    place = tmp_path / "outbox.sqlite3"
    client = paper_client(Post(), DELIVERY={"OUTBOX": f"sqlite:///{place}"}, **switch)
    client.track("Lead", event_id="1")
    client.close(0)
    assert not list(tmp_path.glob("*journal*/*.jsonl"))


def test_by_itself_it_writes_nothing_where_tests_send_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPI_SENDING", "off")
    place = tmp_path / "outbox.sqlite3"
    client = paper_client(Post(), DELIVERY={"OUTBOX": f"sqlite:///{place}"})
    client.track("Lead", event_id="1")
    client.close(0)
    assert not list(tmp_path.glob("*journal*"))


def test_without_a_place_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    client = paper_client(Post())
    client.track("Lead")
    client.close(0)
    assert list(tmp_path.iterdir()) == []


def test_page_views_leave_room_for_what_matters(folder, monkeypatch):
    monkeypatch.setattr("capi_plugins.journal.MOST_BYTES", 1000)
    journal = FolderJournal(folder)
    for _ in range(100):
        journal.write([{"text": "x" * 100}], browsing=True)
    journal.write([{"event_name": "Purchase"}], browsing=False)
    assert {"event_name": "Purchase"} in list(journal.read())


def test_paths_of_pages_lose_what_may_be_secret():
    secret = "Zx81aQ" * 5
    assert redacted_path(f"/reset/{secret}/for/ada@shop.example/") == "/reset/.../for/.../"
    assert redacted_path("/checkout/thank-you/") == "/checkout/thank-you/"


def test_a_relative_folder_is_refused():
    with pytest.raises(ConfigurationError, match="'auto', False, or the absolute path of a folder"):
        configure({"JOURNAL": "journal"}, environ={})


# ------------------------------------------------------------------ in the background


def test_what_happens_is_written_while_the_process_goes_on(journaled, folder):
    client = journaled()
    client.track("Lead", event_id="1")
    client.flush()
    until(lambda: ("delivered", "1") in stages(folder))


def test_a_disk_that_hangs_stops_nobody_and_fills_no_memory(monkeypatch):
    hanging, written = threading.Event(), []

    def write(items):
        hanging.wait(60)
        written.extend(items)

    monkeypatch.setattr("capi_plugins.builtin.journal_writer.PAUSE", 0.0)
    writer = BackgroundWriter(write)
    writer.add(["first"], browsing=False)
    until(lambda: not writer._items)
    before = time.monotonic()
    for number in range(MOST_WAITING * 2):
        writer.add([number], browsing=True)
    assert len(writer._items) == MOST_WAITING // 2
    for number in range(MOST_WAITING * 2):
        writer.add([number], browsing=False)
    assert len(writer._items) == MOST_WAITING
    assert time.monotonic() - before < 10
    hanging.set()
    writer.close()
    assert len(written) == MOST_WAITING + 1


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_writes_its_own_lines_and_none_of_its_parent(tmp_path):
    written = tmp_path / "lines"

    def write(items):
        with written.open("a") as file:
            file.writelines(f"{os.getpid()} {item}\n" for item in items)

    writer = BackgroundWriter(write)
    writer.add(["parent"], browsing=False)
    child = os.fork()
    if child == 0:
        try:
            writer.add(["child"], browsing=False)
            writer.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    writer.close()
    lines = sorted(written.read_text().splitlines())
    assert lines == sorted([f"{os.getpid()} parent", f"{child} child"])
