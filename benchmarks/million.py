"""What a backlog costs: events for an endpoint that is dead, in a SQLite outbox."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import bench_payload as work
from senders import Ours

DEAD = "http://127.0.0.1:9"
PUT_AT_ONCE = 500
PAYLOAD = b"x" * 1_366  # as long as the events that are measured
SAMPLES = 300


def fill(most: int) -> None:
    """Queue events and show what one more costs with 1, 1,000 and all of them before it."""
    from capi_plugins import configure

    with tempfile.TemporaryDirectory(prefix="capi-bench-") as folder:
        client = configure(Ours.settings(DEAD, "sqlite", Path(folder)))
        now = int(time.time())
        print(f"{'queued':>12}{'us in track(), p50':>20}{'p99':>8}{'MB of memory':>15}")
        queued = 0
        for goal in (1, 1_000, most):
            while queued < goal:
                numbers = range(queued, min(queued + PUT_AT_ONCE, goal))
                store(client, [filling(number) for number in numbers])
                queued += len(numbers)
            waits = []
            for _ in range(SAMPLES):
                event = work.our_event(queued, now)
                started = time.perf_counter()
                client.track(event)
                waits.append((time.perf_counter() - started) * 1e6)
                queued += 1
            p99 = statistics.quantiles(waits, n=100)[98]
            print(f"{goal:12,}{statistics.median(waits):20.0f}{p99:8.0f}{memory():15.0f}")
        stats = client.stats()
        assert stats.waiting == queued, stats
        print(f"{stats.waiting:,} wait, {stats.in_memory} of them in memory")
        client.close(timeout=0)


def filling(number: int):
    from capi_plugins.outbox.base import Delivery

    return Delivery(
        destination="meta",
        event_name="Purchase",
        event_id=f"filling-{number}",
        payload=PAYLOAD,
    )


def store(client, deliveries: list) -> None:
    """Put until all are stored: a file that is busy is full after a thousand."""
    while deliveries := list(client.delivering.put(deliveries).refused):
        time.sleep(0.1)


def memory() -> float:
    """Megabytes this process holds now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return float("nan")
