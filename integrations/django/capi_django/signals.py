"""Signal triggers: events from the signals that the host and its apps send anyway."""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from django.dispatch import Signal

from capi_django.context import offered
from capi_django.statements import unbroken
from capi_django.transactions import database_of, note_trigger
from capi_plugins import Client, Trigger
from capi_plugins.settings import suggest

Lost = Callable[[Trigger, str], None]
_PATH = re.compile(r"""([\w.]+)(?:\[(["']?)(.+)\2\])?""")


def connect(client: Client, lost: Lost) -> list[Callable[[], object]]:
    """Connect the signal triggers of a client.

    Args:
        client: The client.
        lost: Told about a trigger whose signal cannot be found, and why.

    Returns:
        Functions that take the connections back.
    """
    disconnect: list[Callable[[], object]] = []
    for number, trigger in enumerate(client.triggers.on_signal):
        try:
            signal = find_signal(trigger.signal or "")
        except LookupError as error:
            lost(trigger, str(error.args[0]))
            continue
        uid = f"capi_django.signals[{number}]"
        signal.connect(_receiver(client, trigger), weak=False, dispatch_uid=uid)
        disconnect.append(functools.partial(signal.disconnect, dispatch_uid=uid))
    return disconnect


def _receiver(client: Client, trigger: Trigger) -> Callable[..., None]:
    def receive(sender: object, **kwargs: Any) -> None:
        with unbroken():
            try:
                kwargs.pop("signal", None)
                named = {**kwargs, "sender": sender}
                # Bound here: at the end of the request another one may be the current one.
                offer = offered(named)
                alias = database_of((sender, *kwargs.values()))
                note_trigger(client, trigger, offer, alias=alias)
            except Exception as error:
                client.failed(f"the receiver of {trigger.where}", error)

    return receive


def find_signal(path: str) -> Signal:
    """Find a signal by its dotted path.

    The last steps may be attributes or keys of a dictionary, and a key may hold dots:
    ``djstripe.signals.WEBHOOK_SIGNALS["invoice.paid"]``, or the same with a dot and no brackets.

    Args:
        path: What ``SIGNAL`` says.

    Raises:
        LookupError: There is no such signal; the text says what is missing.
    """
    match = _PATH.fullmatch(path)
    steps = match[1].split(".") if match else []
    if match is None or len(steps) < 2 or not all(steps):  # noqa: PLR2004 - a module and a name
        raise LookupError(f"{path!r} is not the path of a signal; write 'module.name'")
    value, rest = _module(steps)
    if match[3] is not None:
        rest = [*rest, match[3]]
    while rest:
        value, rest = _step(value, rest, path)
    if not isinstance(value, Signal):
        raise LookupError(f"{path!r} is no signal but {type(value).__name__}")  # noqa: TRY004 - the path is wrong, not a type
    return value


def _module(steps: list[str]) -> tuple[Any, list[str]]:
    """Import the longest module that a path starts with."""
    for size in range(len(steps) - 1, 0, -1):
        name = ".".join(steps[:size])
        try:
            return importlib.import_module(name), steps[size:]
        except ModuleNotFoundError as error:
            # What is missing may be this module, or something that it imports.
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise LookupError(f"{name!r} cannot be imported: {error}") from error
        except Exception as error:
            raise LookupError(
                f"{name!r} cannot be imported: {type(error).__name__}: {error}"
            ) from error
    raise LookupError(f"there is no module {steps[0]!r}")


def _step(value: Any, rest: list[str], path: str) -> tuple[Any, list[str]]:
    if isinstance(value, Mapping):
        for name, after in ((".".join(rest), []), (rest[0], rest[1:])):
            if name in value:
                return value[name], after
        names = [str(name) for name in value]
    else:
        try:
            return getattr(value, rest[0]), rest[1:]
        except AttributeError:
            names = [name for name, item in vars(value).items() if isinstance(item, Signal)]
    raise LookupError(f"{path!r} leads nowhere at {rest[0]!r}; {suggest(rest[0], names)}")
