"""A program whose threads become greenlets, before or after it has captured events.

python greening.py SETTINGS LIBRARY MOMENT
"""

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

import threading  # noqa: E402

gaps = []


def watch():
    while not over:
        began = time.monotonic()
        time.sleep(0.005)
        gaps.append(time.monotonic() - began)


over = []
watcher = threading.Thread(target=watch)
watcher.start()
threads = [
    threading.Thread(target=lambda n=n: [lead(client, f"{n}-{each}") for each in range(5)])
    for n in range(10)
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert client.flush(30), client.stats()
over.append(True)
watcher.join()
client.close()
# Whatever it waits for, the other greenlets go on; how fast is the business of the machine.
assert sorted(gaps)[len(gaps) // 2] < 1
