"""A program whose threads become greenlets, before or after it has captured events.

python greening.py SETTINGS LIBRARY MOMENT [FILE]

Somebody else holds the file now and then. The number of rounds is written to standard output.
"""

import contextlib
import json
import sys
import time

library, moment = sys.argv[2:4]


def patch():
    if library == "gevent":
        from gevent import monkey

        monkey.patch_all()
    else:
        import eventlet

        eventlet.monkey_patch()


if moment == "early":
    patch()

from capi_plugins import configure  # noqa: E402


def lead(client, number):
    client.track(
        "Lead",
        event_id=str(number),
        action_source="system_generated",
        user_data={"email": "ada@example.com"},
    )


client = configure(json.loads(sys.argv[1]))
if moment == "late":
    lead(client, "before")
    assert client.flush(30), client.stats()
    patch()
if moment == "late, anew":
    patch()

import sqlite3  # noqa: E402
import threading  # noqa: E402

ROUNDS = 5
MOST = 0.05
"""Seconds that nobody else may be kept from running."""


def together(*work):
    threads = [threading.Thread(target=each) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def hold(file):
    """Keep others from writing to the file for a while."""
    connection = sqlite3.connect(file, isolation_level=None, timeout=0)
    while not connection.in_transaction:
        # SQLite's own patience would stop all greenlets, and with them whoever is to make room.
        with contextlib.suppress(sqlite3.OperationalError):
            connection.execute("BEGIN EXCLUSIVE")
        time.sleep(0.005)
    time.sleep(0.3)
    connection.execute("ROLLBACK")
    connection.close()


def one_round(turn):
    """Capture events from many greenlets; return how long others did not run, seconds."""
    gaps, over = [], []

    def watch():
        while not over:
            began = time.monotonic()
            time.sleep(0.005)
            gaps.append(time.monotonic() - began)

    def capture(number):
        for each in range(5):
            lead(client, f"{turn}-{number}-{each}")
            time.sleep(0.02)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    holding = [lambda: hold(sys.argv[4])] if turn and len(sys.argv) > 4 else []
    together(*holding, *(lambda n=n: capture(n) for n in range(10)))
    assert client.flush(30), client.stats()
    over.append(True)
    watcher.join()
    return max(gaps)


# The first one imports what it sends with. What the package does it does in every other, what the
# machine does not.
longest = [one_round(0)]
while len(longest) <= ROUNDS and (len(longest) == 1 or min(longest[1:]) > MOST):
    longest.append(one_round(len(longest)))
client.close()
assert min(longest[1:]) < MOST, longest
sys.stdout.write(str(len(longest)))
