"""A program that forks while the thread that sends imports what it sends with.

python forking_early.py SETTINGS
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time

from capi_plugins import Event, configure

importing, forked = threading.Event(), threading.Event()


class SlowDisk:
    """Has the import of httpx take until the fork, or a second."""

    def find_spec(self, name, path=None, target=None):
        if name == "httpx" and not importing.is_set():
            importing.set()
            forked.wait(1)


def search(name):
    return Event.from_dict(
        {
            "event_name": "Search",
            "event_id": name,
            "action_source": "website",
            "event_source_url": "https://shop.example/",
            "user_data": {"email": "ada@example.com", "client_user_agent": "curl"},
            "custom_data": {"search_string": name},
        },
        now=time.time(),
    )


def main():
    sys.meta_path.insert(0, SlowDisk())
    client = configure(json.loads(sys.argv[1]))
    client.capture(search("before"))
    assert importing.wait(20)
    child = os.fork()
    forked.set()
    client.capture(search("child" if child == 0 else "parent"))
    # With a file as the outbox, one process sends for both.
    done = client.flush(10)
    if child == 0:
        os._exit(0 if done else 1)
    status = os.waitpid(child, 0)[1]
    assert status == 0, status
    assert done, client.stats()


main()
