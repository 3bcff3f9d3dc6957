"""Which outbox a process gets for ``CAPI["DELIVERY"]["OUTBOX"]``."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping

from capi_plugins.outbox.base import Outbox
from capi_plugins.outbox.immediate import ImmediateOutbox
from capi_plugins.outbox.memory import MemoryOutbox
from capi_plugins.outbox.sqlite_place import parse_place
from capi_plugins.settings import DeliverySettings, Settings, suggest

OutboxFactory = Callable[[Settings], Outbox]


def choose_outbox(
    settings: Settings,
    offered: Mapping[str, OutboxFactory],
    clock: Callable[[], float],
    problems: list[str],
) -> Callable[[], Outbox]:
    """Choose what ``CAPI["DELIVERY"]["OUTBOX"]`` names, and return what makes it.

    Args:
        settings: The whole configuration.
        offered: What an adapter adds to the values.
        clock: Seconds since the epoch.
        problems: Receives sentences about mistakes.
    """
    delivery = settings.delivery

    def memory(cls: type[MemoryOutbox]) -> OutboxFactory:
        return lambda _: cls.of(delivery, clock)

    if delivery.outbox.startswith("sqlite:"):
        return _sqlite(delivery, clock, problems)
    known: dict[str, OutboxFactory] = {
        "auto": memory(MemoryOutbox),
        "memory": memory(MemoryOutbox),
        "immediate": memory(ImmediateOutbox),
        **offered,
    }
    factory: OutboxFactory | None = known.get(delivery.outbox)
    in_memory = {"auto", "memory", "immediate"} - set(offered)
    if delivery.worker != "thread" and delivery.outbox in in_memory:
        problems.append(
            f"CAPI['DELIVERY']['WORKER'] {delivery.worker!r} needs an outbox that other processes "
            f"can read, and {delivery.outbox!r} is in memory"
        )
    if factory is None and "." in delivery.outbox:
        module, _, name = delivery.outbox.rpartition(".")
        try:
            factory = getattr(importlib.import_module(module), name)
        except Exception as error:
            # The value is not shown: it may be somebody's URL of a queue, password included.
            problems.append(
                f"CAPI['DELIVERY']['OUTBOX'] cannot be imported ({type(error).__name__}): "
                f"write the dotted path of an outbox, or one of {', '.join(sorted(known))}"
            )
        else:
            if not callable(factory):
                problems.append("CAPI['DELIVERY']['OUTBOX'] names something that is no outbox")
    elif factory is None:
        problems.append(
            "CAPI['DELIVERY']['OUTBOX'] is not an outbox; " + suggest(delivery.outbox, known)
        )
    chosen = factory or known["memory"]
    return lambda: chosen(settings)


def _sqlite(
    delivery: DeliverySettings, clock: Callable[[], float], problems: list[str]
) -> Callable[[], Outbox]:
    # Only those who use it pay for sqlite3; and not when the first event comes: a process that has
    # no file descriptor left then could not load it.
    from capi_plugins.outbox.sqlite import SqliteOutbox  # noqa: PLC0415

    place, wrong = parse_place(delivery.outbox)
    problems.extend(f"CAPI['DELIVERY']['OUTBOX'] {problem}" for problem in wrong)

    def make() -> Outbox:
        return SqliteOutbox(
            place.path,
            max_bytes=place.max_bytes,
            power_safe=place.power_safe,
            retention=delivery.retention_seconds,
            clock=clock,
        )

    return make
