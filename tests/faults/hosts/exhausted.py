"""A program that has no file descriptor left for a while, before it opens its outbox or after.

python exhausted.py SETTINGS MOMENT
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time

from capi_plugins import configure
from tests.faults.shop_process import event


def exhaust():
    """Open files until there are no more to be had."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    found = []
    try:
        while True:
            found.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return found


client = configure(json.loads(sys.argv[1]))
if sys.argv[2] == "after":
    client.capture(event("first"))
    assert client.flush(30)
files = exhaust()
waits = []
for number in range(20):
    made = event(f"none-left-{number}")
    began = time.thread_time()
    client.capture(made)
    waits.append(time.thread_time() - began)
assert sorted(waits)[10] < 0.05, waits
kept = client.stats()
for file in files:
    os.close(file)
assert kept.waiting == 20, kept
client.capture(event("last"))
deadline = time.monotonic() + 60
while not client.flush(5):
    assert time.monotonic() < deadline, client.stats()
client.close()
