"""Django's tasks framework as the one who sends: nudges as tasks of a backend in ``TASKS``."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from django.db import connections

from capi_plugins.nudging import Nudges, drain
from capi_plugins.settings import DeliverySettings, Settings, suggest

# Django has it since 6.0; before that it is a package of its own.
try:
    from django.tasks import task, task_backends
    from django.tasks.backends.dummy import DummyBackend
    from django.tasks.backends.immediate import ImmediateBackend
except ImportError:
    from django_tasks import task, task_backends  # type: ignore[no-redef,assignment]
    from django_tasks.backends.dummy import DummyBackend  # type: ignore[assignment]
    from django_tasks.backends.immediate import ImmediateBackend  # type: ignore[assignment]

# A nudge is a row of the host's database, where the backend keeps its tasks there.
_NUDGE_EVERY = 5.0
# Which one does not matter here, as long as there is one; ``using`` says which.
_SOME = next(iter(task_backends.settings))


@task(backend=_SOME, queue_name=next(iter(task_backends[_SOME].queues), "default"))
def deliver(destination: str | None = None) -> None:
    """Send what is due.

    Args:
        destination: Name of the destination; None: all.
    """
    drain(destination)


def read(settings: Settings, problems: list[str]) -> Callable[[], Nudges] | None:
    """Return what makes a nudger; None: the backend has no workers, see ``workless``.

    Args:
        settings: Which backend and queue.
        problems: Receives a sentence for each mistake.
    """
    delivery = settings.delivery
    alias, queue = delivery.task_backend, delivery.task_queue
    backends: dict[str, Any] = task_backends.settings
    if alias not in backends:
        problems.append(
            f"CAPI['DELIVERY']['TASK_BACKEND'] {alias!r} is not in TASKS; "
            + suggest(alias, backends)
        )
        return None
    queues = task_backends[alias].queues
    if queues and queue not in queues:
        problems.append(
            f"CAPI['DELIVERY']['TASK_QUEUE'] {queue!r} is not a queue of TASKS[{alias!r}]; "
            f"{suggest(queue, queues)}"
        )
        return None
    if workless(delivery) is not None:
        return None

    def publish(names: Collection[str]) -> None:
        chosen = deliver.using(backend=alias, queue_name=queue)
        try:
            for name in names:
                chosen.enqueue(name)
        finally:
            connections.close_all()

    return lambda: Nudges(publish, worker="task worker", every=_NUDGE_EVERY)


def workless(delivery: DeliverySettings) -> str | None:
    """Name the class of a backend that has no workers; None: it has some.

    Immediate would send within the process that publishes, and Dummy not at all.

    Args:
        delivery: Which backend.
    """
    backend = task_backends[delivery.task_backend]
    if isinstance(backend, (ImmediateBackend, DummyBackend)):
        return type(backend).__name__
    return None
