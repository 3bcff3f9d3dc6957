"""A process forks while one of its threads holds a lock, each of those there are."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.faults.serving import HOSTS
from tests.faults.shop_settings import settings
from tests.outbox.other_process import ROOT


@pytest.mark.fault("A12", "A11")
@pytest.mark.parametrize("how", ["os.fork", "a fork in C"])
@pytest.mark.parametrize("outbox", ["memory", "sqlite"])
def test_whichever_lock_is_held_at_a_fork_the_child_captures_and_sends(outbox, how, sandbox, box):
    """For each lock that can be reached from the package's modules and from a client at work, a
    thread takes it and the process forks, by Python and past it in C.

    The child captures an event without waiting for a lock that nobody will ever release, and what
    it captured arrives, as what the parent captures afterwards does.
    """
    wanted = settings(sandbox.url, box if outbox == "sqlite" else "memory")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(HOSTS / "locking.py"), json.dumps(wanted), how],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    tried = done.stdout.splitlines()
    assert len(tried) >= (2 if outbox == "memory" else 8), tried
    arrived = sorted(found.payload["event_id"] for found in sandbox.events)
    assert arrived == sorted(["first", "last", *(f"child-{n}" for n in range(len(tried)))])
