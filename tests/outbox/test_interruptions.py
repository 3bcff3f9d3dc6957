"""What every outbox has to do when it is interrupted: a thread may be ended, or out of memory.

Nothing is lost, nothing is given twice, and nothing stays with who never got it.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest

import capi_plugins
from capi_plugins.testing.outbox_trial import delivery
from tests.core.paper import NOW
from tests.outbox.conforming import ids, put, take

OURS = (str(Path(capi_plugins.__file__).parent), "capi_django")


class Interruption:
    """Runs something of ours and raises when so many calls in it have returned."""

    def __init__(self, after):
        self._left = after
        self.happened = False

    def __call__(self, action):
        """Return what the action does, or None if it was interrupted."""
        sys.setprofile(self._watch)
        try:
            return action()
        except MemoryError:
            return None
        finally:
            sys.setprofile(None)

    def _watch(self, frame, event, _):
        if event == "c_return" and any(part in frame.f_code.co_filename for part in OURS):
            self._left -= 1
            if self._left < 0 and not self.happened:
                self.happened = True
                raise MemoryError


def interruptions():
    """Interruptions after one call, two calls and so on, until one does not happen any more."""
    for after in itertools.count():
        interruption = Interruption(after)
        yield interruption
        if not interruption.happened:
            assert after > 3
            return


def test_whoever_is_interrupted_while_taking_leaves_all_of_it_to_others(outbox):
    for number, interrupted in enumerate(interruptions()):
        wanted = [f"{number}-{each}" for each in range(3)]
        put(outbox, *wanted)
        outbox.retry(take(outbox, limit=1), at=NOW, attempt=False)
        got = interrupted(lambda: take(outbox)) or take(outbox)
        assert sorted(ids(got)) == wanted
        outbox.delivered(got)
        assert outbox.stats().waiting == 0


@pytest.mark.parametrize("settle", ["delivered", "dead", "retry"])
def test_what_was_interrupted_while_it_was_settled_can_be_given_back(outbox, settle):
    """Whether it was settled nobody knows then: what is given back is there once, or settled."""
    more = {"retry": {"at": NOW, "attempt": True}, "dead": {"reason": "x"}, "delivered": {}}
    for number, interrupted in enumerate(interruptions()):
        wanted = [f"{number}-{each}" for each in range(3)]
        put(outbox, *wanted)
        batch, before = take(outbox), outbox.stats().dead
        interrupted(lambda batch=batch: getattr(outbox, settle)(batch, **more[settle]))
        outbox.retry(batch, at=NOW, attempt=False)
        again = take(outbox)
        gone = set(wanted) - set(ids(again))
        assert len(again) + len(gone) == 3
        assert settle != "retry" or not gone
        assert settle != "dead" or outbox.stats().dead - before == len(gone)
        outbox.delivered(again)
        assert outbox.stats().waiting == 0


def test_others_are_not_kept_from_what_an_interrupted_one_wanted(outbox):
    for number, interrupted in enumerate(interruptions()):
        outbox.put([delivery(f"{number}"), delivery(f"{number}", destination="other")])
        interrupted(lambda: take(outbox, "other"))
        got = take(outbox)
        assert ids(got) == [f"{number}"]
        outbox.delivered(got)
