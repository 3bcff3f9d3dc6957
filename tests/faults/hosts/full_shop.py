"""A shop that captures far more than its outbox has room for, for as long as it is told.

    python full_shop.py SETTINGS NAME EVENTS SECONDS

When all events are captured it says so, and delivers what it has as soon as it is told to by a line
on standard input. Then it prints what became of the events and what capturing them cost.
"""

from __future__ import annotations

import json
import sys
import time

import attrs

from capi_plugins import configure
from tests.faults.accounts import Account
from tests.faults.shop_process import event

MUCH = [f"article-{number:026}" for number in range(60)]


def part(values, share):
    return sorted(values)[int(len(values) * share)]


def main() -> None:
    settings, name = json.loads(sys.argv[1]), sys.argv[2]
    events, seconds = int(sys.argv[3]), float(sys.argv[4])
    client = configure(settings)
    # Of the processor, while there was room and when there was none; and by a clock on the wall.
    room, full, waits, refused_at = [], [], [], []
    with Account() as account:
        began = time.monotonic()
        for number in range(events):
            made = event(f"{name}-{number}")
            made = attrs.evolve(made, custom_data=attrs.evolve(made.custom_data, content_ids=MUCH))
            time.sleep(max(0.0, began + number * seconds / events - time.monotonic()))
            refused = account.full
            started, used = time.perf_counter(), time.thread_time()
            client.capture(made)
            used = time.thread_time() - used
            if account.full == refused:
                room.append(used)
            else:
                full.append(used)
                waits.append(time.perf_counter() - started)
                refused_at.append(time.monotonic())
        found = {
            "balances": account.balances(client.stats().waiting),
            "full_for": refused_at[-1] - refused_at[0],
            "room": part(room, 0.99),
            "full": part(full, 0.99),
            "wait": part(waits, 0.5),
        }
        print("captured", flush=True)  # noqa: T201
        sys.stdin.readline()
        deadline = time.monotonic() + 60
        while not client.flush(5):
            assert time.monotonic() < deadline, client.stats()
        client.close()
        found["balances"] = found["balances"] and account.balances(0)
    print(json.dumps({**found, "counts": account.counts()}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
