"""One sender for each destination, whatever processes do to each other."""

from __future__ import annotations

import time

import pytest

from capi_plugins import configure
from tests.core.paper import Clock
from tests.outbox.other_process import delivery, ids


def take(outbox, destination="paper", limit=100):
    return list(outbox.take(destination, limit=limit, max_bytes=10**6, now=time.time()))


def test_what_one_process_puts_another_sends(open_outbox, others):
    other = others()
    other.ask("put('1', '2')")
    outbox = open_outbox()
    batch = take(outbox)
    assert ids(batch) == ["1", "2"]
    outbox.delivered(batch)
    assert other.ask("outbox.stats().waiting") == 0


def test_in_a_race_there_are_never_two_senders_and_nothing_is_sent_twice(open_outbox, others):
    processes = [others() for _ in range(4)]
    for process in processes:
        process.tell("send_all(300)")
    sent, together = [], 0
    for process in processes:
        found, met = process.hear()
        sent += found
        together += met
    outbox = open_outbox()
    while batch := take(outbox):
        outbox.delivered(batch)
        sent += ids(batch)
    assert together == 0
    assert len(sent) == len(set(sent)) == 1200


def test_while_one_sends_no_other_takes_from_the_same_destination(open_outbox, others):
    outbox, other = open_outbox(), others()
    outbox.put([delivery("1"), delivery("2"), delivery("3", "elsewhere")])
    assert ids(take(outbox, limit=1)) == ["1"]
    assert other.ask("take()") == []
    assert other.ask("take('elsewhere')") == ["3"]


def test_who_has_nothing_in_flight_keeps_nobody_waiting(open_outbox, others):
    outbox, other = open_outbox(), others()
    outbox.put([delivery("1"), delivery("2")])
    batch = take(outbox, limit=1)
    assert other.ask("take()") == []
    outbox.retry(batch, at=time.time(), attempt=True)
    assert other.ask("take()") == ["2", "1"]
    assert take(outbox) == []


def test_who_stands_by_looks_again_within_half_a_second(open_outbox, others):
    outbox, other = open_outbox(), others()
    other.ask("put('1')")
    other.ask("take()")
    assert take(outbox) == []
    wait = outbox.next_due("paper") - time.time()
    assert 0 < wait <= 0.5


def test_an_empty_take_does_not_make_the_next_event_wait(open_outbox):
    outbox = open_outbox()
    assert take(outbox) == []
    outbox.put([delivery("1")])
    assert outbox.next_due("paper") <= time.time()


def test_what_a_killed_sender_had_in_flight_is_sent_again_byte_for_byte(open_outbox, others):
    other = others()
    other.ask("put('1', '2')")
    assert other.ask("take()") == ["1", "2"]
    outbox = open_outbox()
    assert take(outbox) == []
    other.kill()
    batch = take(outbox)
    assert [item.payload for item in batch] == [delivery("1").payload, delivery("2").payload]
    assert ids(batch) == ["1", "2"]


def test_two_outboxes_of_one_process_share_what_is_in_flight(open_outbox, others):
    one, two, other = open_outbox(), open_outbox(), others()
    one.put([delivery("1"), delivery("2")])
    assert ids(take(one, limit=1)) == ["1"]
    batch = take(two)
    assert ids(batch) == ["2"]
    two.delivered(batch)
    two.close()
    assert other.ask("take()") == [], "the first outbox still sends"
    one.close()
    assert other.ask("take()") == ["1"]


def test_two_spellings_of_a_path_are_one_outbox(open_outbox, path, tmp_path):
    (tmp_path / "link").symlink_to(path.parent)
    one = open_outbox()
    one.put([delivery("1")])
    two = open_outbox(path=tmp_path / "link" / path.name)
    assert ids(take(one)) == ["1"]
    assert take(two) == []


def test_an_answer_after_the_end_still_counts(open_outbox):
    outbox = open_outbox()
    outbox.put([delivery("1")])
    batch = take(outbox)
    outbox.close()
    outbox.delivered(batch)
    assert take(open_outbox()) == []


def test_an_event_is_accepted_once_across_processes_and_restarts(open_outbox, others):
    one, two = others(), others()
    assert one.ask("put('1')[1]") == []
    assert two.ask("put('1')[1]") == ["1"]
    assert one.end() == 0
    outbox = open_outbox()
    outbox.delivered(take(outbox))
    assert ids(outbox.put([delivery("1")]).duplicates) == ["1"]


@pytest.mark.parametrize("jump", [-86_400 * 400, -3 * 3600, 86_400])
def test_a_clock_that_jumps_leaves_no_row_behind(open_outbox, jump):
    now = time.time()
    outbox = open_outbox(clock=lambda: now)
    outbox.put([delivery("fresh"), delivery("tried")])
    fresh, tried = outbox.take("paper", limit=2, max_bytes=10**6, now=now)
    outbox.retry([tried], at=now + 3600, attempt=True)
    outbox.retry([fresh], at=0, attempt=False)
    now += jump
    assert outbox.next_due("paper") <= now
    found = outbox.take("paper", limit=9, max_bytes=10**6, now=now)
    assert sorted(ids(found)) == ["fresh", "tried"]


def test_old_identities_and_old_dead_letters_are_removed(open_outbox):
    now = time.time()
    outbox = open_outbox(clock=lambda: now)
    outbox.put([delivery("1"), delivery("2")])
    one, two = take(outbox)
    outbox.delivered([one])
    outbox.dead([two], reason="refused")
    now += 8 * 86_400
    outbox._tidying.tidy()
    assert outbox.stats().dead == 0
    with outbox._back.reading(1) as connection:
        assert connection.execute("SELECT COUNT(*) FROM seen").fetchone() == (0,)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_dead_letters_are_kept_as_long_as_the_settings_say(kind, path):
    clock = Clock(time.time())
    place = {"memory": "memory", "sqlite": f"sqlite:///{path}"}[kind]
    client = configure(
        {"CONSENT": {"DEFAULT": "granted"}, "DELIVERY": {"OUTBOX": place, "RETENTION": 0.5}},
        environ={},
        clock=clock,
    )
    outbox = client.delivering.outbox
    outbox.put([delivery("1")])
    outbox.dead(outbox.take("paper", limit=1, max_bytes=999, now=clock()), reason="refused")
    clock.advance(12 * 3600 - 5)
    assert outbox.next_due("paper") is None
    assert outbox.stats().dead == 1
    clock.advance(10)
    if kind == "sqlite":
        outbox._tidying.tidy()
    assert outbox.stats().dead == 0
    client.close(0)
