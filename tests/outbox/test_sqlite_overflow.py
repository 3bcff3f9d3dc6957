"""What a busy file could not take, on its way from memory to the file."""

from __future__ import annotations

import threading
import time

from capi_plugins.outbox.sqlite_file import Unavailable
from capi_plugins.outbox.sqlite_overflow import Overflow
from tests.outbox.other_process import delivery


def test_what_is_on_the_move_is_looked_for_again_soon():
    """Who looked in that moment and found nothing would wait for a minute."""
    begun, go_on, written = threading.Event(), threading.Event(), []

    def store(deliveries, budget):
        begun.set()
        assert go_on.wait(20)
        written.extend(deliveries)

    overflow = Overflow("box", store, time.time)
    overflow.put([delivery("1")], Unavailable("it is busy", passing=True))
    assert begun.wait(20)
    due = overflow.next_due("paper")
    assert due is not None
    assert due - time.time() < 1
    go_on.set()
    overflow.close(20)
    assert [item.event_id for item in written] == ["1"]
    assert overflow.next_due("paper") is None
