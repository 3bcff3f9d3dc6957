"""A web worker without the web: it captures events, and says of each when it is safe.

    python shop_process.py SETTINGS NAME PER_SECOND

Event ids are written to standard output once the event may not get lost any more. A line on
standard input ends it.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time

from capi_plugins import Event, configure


def event(event_id: str) -> Event:
    return Event.from_dict(
        {
            "event_name": "Purchase",
            "event_id": event_id,
            "action_source": "website",
            "event_source_url": "https://shop.example/thanks",
            "user_data": {"email": f"{event_id}@example.com", "client_user_agent": "curl"},
            "custom_data": {"value": 10, "currency": "EUR"},
        },
        now=time.time(),
    )


def main() -> None:
    settings, name, per_second = json.loads(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    client = configure(settings)
    ended = threading.Event()
    threading.Thread(target=lambda: sys.stdin.readline() and ended.set(), daemon=True).start()
    number = 0
    while not ended.wait(random.expovariate(per_second)):
        event_id = f"{name}-{number}"
        client.capture(event(event_id))
        # What is in memory is not promised yet.
        if client.stats().in_memory == 0:
            os.write(1, f"{event_id}\n".encode())
        number += 1
    client.close()


if __name__ == "__main__":
    main()
