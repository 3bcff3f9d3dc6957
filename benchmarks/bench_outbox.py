"""What a request pays for an event that survives its process: ``put`` into a SQLite outbox.

    python benchmarks/bench_outbox.py

Processes of four threads put one event of 1.2 kB at a time, either as fast as they can or at the
pace of a busy shop, while one more process empties the file the way the worker does. Figures are
what a request waits; "in memory" counts the events that did not get a turn within 50 ms.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import sqlite3
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from capi_plugins.outbox.base import Delivery
from capi_plugins.outbox.memory import MemoryOutbox
from capi_plugins.outbox.sqlite import SqliteOutbox

SECONDS = 4.0
PAYLOAD = os.urandom(600).hex().encode()
THREADS = 4
OFFERED = 540.0


def delivery(number: str) -> Delivery:
    return Delivery(destination="meta", event_name="Purchase", event_id=number, payload=PAYLOAD)


def put_all(outbox: Any, name: str, pace: float | None, out: list[float], spilled: list[int]):
    end = time.monotonic() + SECONDS
    number = 0
    while time.monotonic() < end:
        if pace:
            time.sleep(random.expovariate(pace))
        item = delivery(f"{name}-{number}")
        start = time.perf_counter()
        outbox.put([item])
        out.append(time.perf_counter() - start)
        number += 1
        # Looked at in memory, without asking the file.
        waiting = outbox._overflow.stats().waiting if isinstance(outbox, SqliteOutbox) else 0  # noqa: SLF001
        spilled[0] = max(spilled[0], waiting)


def writer(path: Path, number: int, pace: float | None, ready: Any, queue: Any, power: bool):
    outbox = SqliteOutbox(path, power_safe=power)
    outbox.put([delivery(f"first-{number}")])
    out: list[float] = []
    spilled = [0]
    threads = [
        threading.Thread(target=put_all, args=(outbox, f"{number}-{i}", pace, out, spilled))
        for i in range(THREADS)
    ]
    ready.wait()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outbox.close()
    queue.put((out, spilled[0]))


def sender(path: Path, ready: Any, stop: Any, queue: Any):
    outbox = SqliteOutbox(path)
    ready.wait()
    sent = 0
    while True:
        batch = outbox.take("meta", limit=200, max_bytes=4_000_000, now=time.time())
        if batch:
            outbox.delivered(batch)
            sent += len(batch)
        elif stop.is_set():
            break
        else:
            stop.wait(0.05)
    outbox.close()
    queue.put(sent)


def measure(processes: int, offered: float | None, *, power: bool = False) -> str:
    context = multiprocessing.get_context("spawn")
    folder = Path(tempfile.mkdtemp(prefix="capi-bench-"))
    path = folder / "outbox.sqlite3"
    pace = offered / (processes * THREADS) if offered else None
    ready, stop, queue, sent = (
        context.Barrier(processes + 1), context.Event(), context.Queue(), context.Queue(),
    )  # fmt: skip
    sending = context.Process(target=sender, args=(path, ready, stop, sent))
    writing = [
        context.Process(target=writer, args=(path, i, pace, ready, queue, power))
        for i in range(processes)
    ]
    for process in (sending, *writing):
        process.start()
    parts = [queue.get() for _ in writing]
    stop.set()
    total = sent.get()
    for process in (sending, *writing):
        process.join()
    shutil.rmtree(folder)
    waits = sorted(wait for part, _ in parts for wait in part)
    lost = len(waits) + processes - total
    return row(waits, sum(spilled for _, spilled in parts)) + (f"  LOST {lost}" if lost else "")


def row(waits: list[float], spilled: int) -> str:
    def at(share: float) -> float:
        return waits[min(len(waits) - 1, int(len(waits) * share))] * 1000

    return (
        f"{len(waits) / SECONDS:9,.0f}/s {statistics.median(waits) * 1000:8.3f} "
        f"{at(0.95):8.2f} {at(0.99):8.2f} {waits[-1] * 1000:8.1f} {spilled:7d}"
    )


def single(outbox: Any) -> str:
    """One thread puts, and nobody sends."""
    out: list[float] = []
    put_all(outbox, "1", None, out, [0])
    outbox.close()
    return row(sorted(out), 0)


def memory() -> str:
    return single(MemoryOutbox(max_deliveries=10**7, max_bytes=10**12))


def file() -> str:
    with tempfile.TemporaryDirectory(prefix="capi-bench-") as folder:
        return single(SqliteOutbox(Path(folder) / "box" / "outbox.sqlite3"))


def bare() -> str:
    """What SQLite itself takes for a row and its commit: no index, no identity, nobody else."""
    with tempfile.TemporaryDirectory(prefix="capi-bench-") as folder:
        connection = sqlite3.connect(Path(folder) / "bare.sqlite3", isolation_level=None)
        for pragma in ("page_size = 1024", "journal_mode = WAL", "synchronous = NORMAL"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("CREATE TABLE bare (id INTEGER PRIMARY KEY, name TEXT, payload BLOB)")
        out: list[float] = []
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            start = time.perf_counter()
            connection.execute(
                "INSERT INTO bare (name, payload) VALUES (?, ?)", (str(start), PAYLOAD)
            )
            out.append(time.perf_counter() - start)
        connection.close()
    return row(sorted(out), 0)


def main() -> None:
    print(f"{'':34}{'puts':>11} {'p50 ms':>8} {'p95':>8} {'p99':>8} {'max':>8} in memory")
    print(f"{'memory, 1 thread':34}{memory()}")
    print(f"{'one INSERT and its commit, bare':34}{bare()}")
    print(f"{'SQLite, 1 thread, nobody sends':34}{file()}")
    for processes in (1, 8):
        label = f"{processes} x {THREADS} threads, "
        print(f"{label + f'{OFFERED:.0f}/s offered':34}{measure(processes, OFFERED)}")
        print(f"{label + 'flat out':34}{measure(processes, None)}")
    print(f"{'8 x 4, power_safe, offered':34}{measure(8, OFFERED, power=True)}")


if __name__ == "__main__":
    main()
