"""Many threads that capture at once, and what became of it.

python bursting.py SETTINGS NAME THREADS EVENTS
"""

from __future__ import annotations

import json
import sys
import threading

from capi_plugins import configure
from tests.faults.accounts import Account
from tests.faults.shop_process import event

client = configure(json.loads(sys.argv[1]))
name, threads, events = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
ready = threading.Barrier(threads)
raised = []


def burst(number):
    ready.wait(60)
    try:
        for each in range(events):
            client.capture(event(f"{name}-{number}-{each}"))
    except BaseException as error:
        raised.append(repr(error))


with Account() as account:
    running = [threading.Thread(target=burst, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    client.close()
assert not raised, raised
sys.stdout.write(json.dumps(account.counts()))
