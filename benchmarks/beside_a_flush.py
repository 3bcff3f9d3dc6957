"""What requests feel of a flush: the time of 1.8 ms of Python beside a batch that is being sent."""

from __future__ import annotations

import statistics
import threading
import time
from pathlib import Path

import bench_payload as work
from senders import FacebookBusiness1000, Ours

EVENTS = 1_000
WORK_MS = 1.8


class Gate:
    """A plugin that holds requests back until it is opened."""

    def __init__(self) -> None:
        from capi_plugins import hookimpl

        self.open = threading.Event()
        # Marked here, so that this module needs no package to be read.
        type(self).capi_send = hookimpl(wrapper=True)(_through)


def _through(self, request, destination):
    self.open.wait(60)
    return (yield)


def request(loops: int) -> float:
    started = time.perf_counter()
    total = 0
    for number in range(loops):
        total += number * number
    return (time.perf_counter() - started) * 1000


def loops_for(milliseconds: float) -> int:
    best = min(request(10_000) for _ in range(50))
    return int(10_000 * milliseconds / best)


def beside(sending: threading.Thread | None, loops: int) -> list[float]:
    if sending is None:
        return [request(loops) for _ in range(30)]
    times = []
    sending.start()
    while sending.is_alive():
        times.append(request(loops))
    sending.join()
    return times


def our_flush(url: str, now: int) -> threading.Thread:
    from capi_plugins import configure

    gate = Gate()
    settings = Ours.settings(url, "memory", Path(), BATCH_SIZE=1000)
    client = configure({**settings, "PLUGINS": [gate]})
    for number in range(EVENTS):
        client.track(work.our_event(number, now))

    def flush() -> None:
        gate.open.set()
        assert client.flush(timeout=60)
        client.close(timeout=0)

    return threading.Thread(target=flush)


def their_flush(url: str, now: int) -> threading.Thread:
    sender = FacebookBusiness1000(url)
    sender.waiting = [work.their_event(number, now) for number in range(EVENTS)]
    return threading.Thread(target=sender.finish)


def probe(url: str, rounds: int) -> None:
    loops, now = loops_for(WORK_MS), int(time.time())
    kinds = {
        "nothing": lambda: None,
        "capi-plugins": lambda: our_flush(url, now),
        "facebook_business": lambda: their_flush(url, now),
    }
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, make in kinds.items():
            times[name] += beside(make(), loops)
    print(f"a request of {WORK_MS} ms beside {EVENTS} events that are sent, ms")
    print(f"{'beside':24}{'requests':>10}{'p50':>8}{'p99':>8}{'p99 against nothing':>22}")
    idle = statistics.quantiles(times["nothing"], n=100)[98]
    for name, values in times.items():
        p99 = statistics.quantiles(values, n=100)[98]
        p50 = statistics.median(values)
        print(f"{name:24}{len(values):10}{p50:8.2f}{p99:8.2f}{p99 / idle:21.2f}x")
