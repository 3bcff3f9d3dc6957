"""A shop that is one client: it captures leads, and notices how long that takes."""

from __future__ import annotations

import collections
import time

from capi_plugins import Event, configure
from tests import waiting

LIMIT = 30.0
AT_ONCE = 0.2


class SmallShop:
    """A client.

    Args:
        settings: As ``shop_settings.settings`` makes them.
        clock: Seconds since the epoch.

    Attributes:
        took: How long capturing each event took, seconds.
    """

    def __init__(self, settings, clock=time.time):
        self.client = configure(
            {"PAGE_VIEW": False, "AUTOLOAD": False, **settings}, environ={}, clock=clock
        )
        self.clock = clock
        self.took: list[float] = []

    def lead(self, *event_ids, name="Lead", **fields):
        """Capture events, one after the other."""
        for event_id in event_ids:
            data = {"email": f"{event_id}@example.com", **fields}
            event = Event.from_dict(
                {
                    "event_name": name,
                    "event_id": str(event_id),
                    "action_source": "email",
                    "user_data": data,
                },
                now=self.clock(),
            )
            began = time.perf_counter()
            self.client.capture(event)
            self.took.append(time.perf_counter() - began)

    @property
    def unhindered(self):
        """Whether each event was captured within a second, and nine of ten at once.

        A busy machine keeps one of many waiting for longer than this library does.
        """
        took = sorted(self.took)
        return took[-1] < 1 and took[(len(took) - 1) * 9 // 10] < AT_ONCE

    def drain(self):
        """Send what is due, in this thread."""
        self.client.delivering.drain(None, LIMIT)

    @property
    def stats(self):
        return self.client.stats()

    def close(self):
        self.client.close(0)


def arrived(sandbox):
    """How often each event has come, refused and repeated ones too."""
    return collections.Counter(event.payload["event_id"] for event in sandbox.events)


def accepted(sandbox):
    """The ids of what counts, each of them once."""
    ids = sorted(event.payload["event_id"] for event in sandbox.accepted())
    assert len(ids) == len(set(ids))
    return ids


def until(question, seconds=LIMIT):
    """Ask again until the answer is true; return it."""
    return waiting.until(question, seconds)
