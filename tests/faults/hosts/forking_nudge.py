"""A program that forks while the thread that tells Celery of events imports what it does so with.

python forking_nudge.py SETTINGS BROKER QUEUE MODULE
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import time

from celery import Celery

from capi_plugins import configure
from tests.faults.shop_process import event

importing, forked = threading.Event(), threading.Event()
app = Celery("shop", broker=sys.argv[2], set_as_current=False)
app.conf.task_default_queue = sys.argv[3]


class SlowDisk:
    """Has the import of a module take until the fork, or a second."""

    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[4] and not importing.is_set():
            importing.set()
            forked.wait(1)


def send_task(*arguments, send=app.send_task, **more):
    """Publish when nobody forks: Celery has locks of its own, which no fork waits for."""
    forked.wait(10)
    return send(*arguments, **more)


def told(deadline):
    """Wait until whoever is to be told was told."""
    while any(thread.name == "capi-nudge" for thread in threading.enumerate()):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def main():
    sys.modules["forking_nudge"] = sys.modules["__main__"]
    # Much of it takes longer than a fork waits where others use the machine.
    importlib.import_module("amqp" if sys.argv[2].startswith("amqp") else "redis.asyncio")
    sys.meta_path.insert(0, SlowDisk())
    client = configure(json.loads(sys.argv[1]))
    client.capture(event("before"))
    assert importing.wait(20)
    app.send_task = send_task
    child = os.fork()
    forked.set()
    client.capture(event("child" if child == 0 else "parent"))
    done = told(time.monotonic() + 15)
    if child == 0:
        os._exit(0 if done else 1)
    status = os.waitpid(child, 0)[1]
    assert status == 0, status
    assert done
    client.close()


main()
