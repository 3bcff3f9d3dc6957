"""How the log of the file is kept small."""

from __future__ import annotations

import time

from tests.faults.storage import drained, take
from tests.outbox.other_process import delivery


def test_the_log_is_moved_into_the_file_by_the_sender(open_outbox, path):
    outbox = open_outbox()
    outbox._tidying._tidied = time.monotonic()
    for start in range(0, 2000, 200):
        outbox.put([delivery(str(start + n), payload=b"x" * 3000) for n in range(200)])
    wal = path.with_name(path.name + "-wal")
    assert wal.stat().st_size > 4_000_000
    outbox.delivered(take(outbox, limit=1))
    assert wal.stat().st_size == 0
    assert len(drained(outbox)) == 1999
