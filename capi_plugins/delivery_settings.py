"""``CAPI["DELIVERY"]``: where deliveries wait and how they leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from capi_plugins.section import Section

IN_PROCESSES = ("thread", "external")
"""Values of ``WORKER`` for those who send as long as their process lives."""
WORKERS = (*IN_PROCESSES, "celery", "tasks")


@attrs.frozen(kw_only=True)
class DeliverySettings:
    """``DELIVERY``: where deliveries wait and how they leave.

    Attributes:
        outbox: ``auto``, ``memory``, ``immediate``, ``sqlite:///path``, or what the adapter offers.
        worker: ``thread``, ``external``, ``celery`` or ``tasks``.
        batch_size: Most events in one request, 1 to 1000.
        max_attempts: Requests an event may fail in before it is given up.
        timeout: Seconds for one request.
        exit_timeout: Seconds a process may spend on delivering what is left when it exits.
        queue_size: Most deliveries in memory.
        queue_bytes: Most bytes of payload in memory.
        celery_app: Dotted path of the Celery app, when ``worker`` is ``celery``.
        task_backend: Name of the backend in Django's ``TASKS``, when ``worker`` is ``tasks``.
        task_queue: Its queue.
        database: Where the outbox ``database`` is; None: where the host's routers say.
        retention: Days for which dead letters are kept.
        grace: Seconds a transaction's event waits to be completed, with the outbox ``database``.
    """

    outbox: str = "auto"
    worker: str = "thread"
    batch_size: int = 200
    max_attempts: int = 8
    timeout: float = 10.0
    exit_timeout: float = 2.0
    queue_size: int = 10_000
    queue_bytes: int = 32_000_000
    celery_app: str | None = None
    task_backend: str = "default"
    task_queue: str = "default"
    database: str | None = None
    retention: float = 7.0
    grace: float = 60.0

    @property
    def retention_seconds(self) -> float:
        """How long dead letters are kept, seconds."""
        return self.retention * 86_400.0


def read_delivery(top: Section) -> DeliverySettings:
    """Read the section.

    Args:
        top: All of ``CAPI``.
    """
    section = Section(top.at("DELIVERY"), top.take("DELIVERY", Mapping), top.problems)
    base = DeliverySettings()

    def number(key: str, default: float, low: float, high: float, types: tuple[type, ...]) -> Any:
        value = section.take(key, types, default)
        if not low <= value <= high:
            section.wrong(key, f"must be between {low:g} and {high:g}")
            return default
        return value

    whole, real = (int,), (int, float)
    result = DeliverySettings(
        outbox=section.take("OUTBOX", str, base.outbox),
        worker=section.take("WORKER", str, base.worker),
        batch_size=number("BATCH_SIZE", base.batch_size, 1, 1000, whole),
        max_attempts=number("MAX_ATTEMPTS", base.max_attempts, 1, 1000, whole),
        timeout=float(number("TIMEOUT", base.timeout, 0.1, 300, real)),
        exit_timeout=float(number("EXIT_TIMEOUT", base.exit_timeout, 0, 300, real)),
        queue_size=number("QUEUE_SIZE", base.queue_size, 1, 10_000_000, whole),
        queue_bytes=number("QUEUE_BYTES", base.queue_bytes, 10_000, 10_000_000_000, whole),
        celery_app=section.take("CELERY_APP", str),
        task_backend=section.take("TASK_BACKEND", str, base.task_backend),
        task_queue=section.take("TASK_QUEUE", str, base.task_queue),
        database=section.take("DATABASE", str),
        retention=float(number("RETENTION", base.retention, 0, 3650, real)),
        grace=float(number("GRACE", base.grace, 1, 3600, real)),
    )
    if result.worker not in WORKERS:
        section.wrong("WORKER", f"must be one of {', '.join(map(repr, WORKERS))}")
    section.done()
    return result
