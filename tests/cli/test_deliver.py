"""``capi deliver``, in a process of its own."""

from __future__ import annotations

import signal
import time

import pytest

from capi_plugins.sandbox import Fault


def ids(sandbox):
    return sorted(event.payload["event_id"] for event in sandbox.accepted())


def text(process):
    return process.stderr.read().decode()


def test_it_sends_what_other_processes_put_until_it_is_told_to_stop(
    start, shop, lead, sandbox, until
):
    client = shop()
    lead(client, "1", "2")
    process = start("--config", "capi.toml", "deliver")
    until(lambda: ids(sandbox) == ["1", "2"])
    lead(client, "3")
    until(lambda: ids(sandbox) == ["1", "2", "3"])
    until(lambda: client.stats().waiting == 0)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    lines = text(process).splitlines()
    assert [line.split(" INFO ")[1] for line in lines] == [
        "delivering to meta, 2 waiting",
        "destination meta: 2 delivered",
        "destination meta: 1 delivered",
        "stopping; what is under way is finished or kept",
        "stopped",
    ]
    assert process.stdout.read() == b""


def test_ctrl_c_ends_it_as_well(start, shop):
    shop()
    process = start("--config", "capi.toml", "deliver")
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0


def test_once_sends_what_is_due_and_exits(capi, shop, lead, sandbox):
    client = shop(delivery="BATCH_SIZE = 2")
    lead(client, *"12345")
    result = capi("--config", "capi.toml", "deliver", "--once")
    assert result.returncode == 0
    assert ids(sandbox) == list("12345")
    assert b"nothing is due any more, 0 waiting" in result.stderr
    assert capi("--config", "capi.toml", "deliver", "--once", "--quiet").stderr == b""


def test_once_does_not_wait_for_what_is_not_due(capi, shop, lead, sandbox):
    sandbox.inject(Fault.throttle(4, retry_after=600))
    client = shop()
    lead(client, "1")
    for _ in range(2):
        result = capi("--config", "capi.toml", "deliver", "--once", "--quiet")
    assert result.returncode == 0
    assert len(sandbox.requests) == 1
    assert client.stats().waiting == 1


def test_once_says_by_its_status_that_something_was_not_delivered(capi, shop, lead, sandbox):
    client = shop(token="wrong-token")
    lead(client, "1")
    result = capi("--config", "capi.toml", "deliver", "--once")
    assert result.returncode == 1
    assert b"ERROR destination meta is stopped, its events are kept" in result.stderr
    assert b"wrong-token" not in result.stderr
    assert client.stats().waiting == 1


def test_a_request_under_way_is_finished(start, shop, lead, sandbox, until):
    sandbox.inject(Fault.latency(1.0))
    client = shop(delivery="EXIT_TIMEOUT = 20")
    lead(client, "1")
    process = start("--config", "capi.toml", "deliver")
    until(lambda: sandbox.requests)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert ids(sandbox) == ["1"]
    assert client.stats().waiting == 0


def test_a_request_that_hangs_is_left_after_the_exit_timeout(
    start, capi, shop, lead, sandbox, until
):
    sandbox.inject(Fault.hang())
    client = shop(delivery="EXIT_TIMEOUT = 0.2")
    lead(client, "1")
    process = start("--config", "capi.toml", "deliver")
    until(lambda: sandbox.requests)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert time.monotonic() - began < 5
    assert client.stats().waiting == 1
    assert capi("--config", "capi.toml", "deliver", "--once").returncode == 0
    assert ids(sandbox) == ["1"]


def test_a_second_signal_ends_it_at_once(start, shop, lead, sandbox, until):
    sandbox.inject(Fault.hang())
    lead(shop(delivery="EXIT_TIMEOUT = 60"), "1")
    process = start("--config", "capi.toml", "deliver")
    until(lambda: sandbox.requests)
    process.send_signal(signal.SIGTERM)
    while b"stopping" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == -signal.SIGTERM


def test_several_at_once_send_everything_once(start, shop, lead, sandbox, until):
    client = shop(delivery="BATCH_SIZE = 5")
    processes = [start("--config", "capi.toml", "deliver") for _ in range(3)]
    for process in processes:
        assert b"delivering to meta" in process.stderr.readline()
    names = [str(number) for number in range(100)]
    for name in names:
        lead(client, name)
    until(lambda: client.stats().waiting == 0)
    for process in processes:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(10) for process in processes] == [0, 0, 0]
    assert ids(sandbox) == sorted(names)
    assert not any(event.duplicate for event in sandbox.events)


def test_an_outbox_in_memory_is_told(capi, config):
    result = capi("--config", config(), "deliver")
    assert result.returncode == 2
    assert b"the outbox 'auto' is in the memory of each process" in result.stderr


@pytest.mark.parametrize(
    ("settings", "told"),
    [("ENABLED = false", b"ENABLED is False"), ("", b"DESTINATIONS is empty")],
)
def test_with_nowhere_to_send_to_it_says_so(capi, tmp_path, settings, told):
    (tmp_path / "some.toml").write_text(
        f"{settings}\n[DELIVERY]\nOUTBOX = 'sqlite:///box/outbox.sqlite3'\n"
    )
    result = capi("--config", "some.toml", "deliver")
    assert result.returncode == 2
    assert told in result.stderr
