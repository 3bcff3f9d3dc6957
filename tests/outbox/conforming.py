"""What the suites of the conformance of outboxes have in common.

Another outbox joins with a line in ``OUTBOXES``, or with fixtures ``new`` and ``outbox`` of its
own and the tests of ``SUITES``.
"""

from __future__ import annotations

from capi_plugins.outbox.immediate import ImmediateOutbox
from capi_plugins.outbox.memory import MemoryOutbox
from capi_plugins.outbox.sqlite import SqliteOutbox
from capi_plugins.testing.outbox_trial import delivery
from tests.core.paper import NOW, Clock

SUITES = (
    "test_conformance",
    "test_forgetting",
    "test_interruptions",
    "test_accounts",
)
OUTBOXES = {
    # Name: makes an empty outbox in a folder. Arguments: clock.
    "memory": lambda folder, **options: MemoryOutbox(**options),
    "immediate": lambda folder, **options: ImmediateOutbox(**options),
    "sqlite": lambda folder, **options: SqliteOutbox(
        folder / f"{len(list(folder.iterdir()))}.sqlite3", **options
    ),
}
BOUNDED = ("memory", "immediate")
"""Those with a limit in count and bytes: max_deliveries, max_bytes."""
HOURS = 3600


def maker(name, folder):
    folder.chmod(0o700)
    made = []

    def new(**options):
        outbox = OUTBOXES[name](folder, **{"clock": Clock(), **options})
        made.append(outbox)
        return outbox

    yield new
    for outbox in made:
        outbox.close()


def take(outbox, destination="paper", *, limit=100, max_bytes=1_000_000, now=NOW):
    return list(outbox.take(destination, limit=limit, max_bytes=max_bytes, now=now))


def ids(deliveries):
    return [item.event_id for item in deliveries]


def put(outbox, *event_ids, **fields):
    stored = outbox.put([delivery(event_id, **fields) for event_id in event_ids])
    assert not stored.refused
    assert not stored.duplicates
