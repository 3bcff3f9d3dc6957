"""What signals are sent with: read from the code that sends them, none of which is run."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import attrs

from capi_plugins.cli.discovering.goods import guessed_roots
from capi_plugins.cli.discovering.shapes import Shape
from capi_plugins.cli.discovering.survey import Moment
from capi_plugins.cli.discovering.words import rank, snake

_SENDING = frozenset({"send", "send_robust", "asend", "asend_robust", "send_async"})


@attrs.frozen
class Sent:
    """What every sender of a signal gives.

    Attributes:
        arguments: Names of the keyword arguments, and the class of those that are the sending
            object itself; None: the code does not tell.
        sender: The class whose object is the sender; None: it is something else.
    """

    arguments: Mapping[str, type | None]
    sender: type | None

    def shared(self, other: Sent) -> Sent:
        """Return what both give."""
        return Sent(
            {
                name: found or other.arguments[name]
                for name, found in self.arguments.items()
                if name in other.arguments
            },
            self.sender if self.sender is other.sender else None,
        )


def signal_moments(
    signals: Mapping[str, object], rows: Mapping[Any, Shape], users: Sequence[type]
) -> Iterator[Moment]:
    """Say what paths of a trigger on each signal may start at.

    Args:
        signals: The signals, by dotted path.
        rows: What the rows of the project look like, by class.
        users: Those of the classes that are people who sign in.
    """
    sent = _sent_with(signals)
    for path, signal in signals.items():
        known = sent.get(id(signal))
        if known is None:
            likely = dict.fromkeys(guessed_roots(path))
            yield Moment(on="signal", name=path, roots=dict(_roots(likely, rows, ())), guessed=True)
            continue
        names = {**known.arguments, **({"sender": known.sender} if known.sender else {})}
        yield Moment(on="signal", name=path, roots=dict(_roots(names, rows, users)))


def _roots(
    names: Mapping[str, type | None], rows: Mapping[Any, Shape], users: Sequence[type]
) -> Iterator[tuple[str, Shape]]:
    for name, cls in names.items():
        fitting = [row for row in rows if issubclass(row, cls)] if cls else []
        fitting += [row for row in rows if snake(row.__name__) == name]
        fitting += users if name in {"user", "account"} else []
        if fitting:
            yield name, rows[fitting[0]]
        elif rank("quantity", name) is not None:
            yield name, Shape(kind="number")


def _sent_with(signals: Mapping[str, object]) -> dict[int, Sent]:
    """Find where signals are sent, in the packages they are of; by ``id`` of the signal."""
    packages = {path.partition(".")[0] for path in signals}
    wanted = {id(signal) for signal in signals.values()}
    found: dict[int, Sent] = {}
    for name, module in list(sys.modules.items()):
        for signal, sent in _in_module(module) if name.partition(".")[0] in packages else ():
            if signal in wanted:
                found[signal] = found[signal].shared(sent) if signal in found else sent
    return found


def _in_module(module: ModuleType) -> Iterator[tuple[int, Sent]]:
    try:
        source = inspect.getsource(module)
        if "send" in source:
            yield from _in(ast.parse(source), vars(module), None)
    except Exception:  # no source, or none that Python reads: nothing is known of it
        return


def _in(node: ast.AST, names: Mapping[str, Any], cls: type | None) -> Iterator[tuple[int, Sent]]:
    for child in ast.iter_child_nodes(node):
        inside = cls
        if isinstance(child, ast.ClassDef):
            held = names.get(child.name)
            inside = held if isinstance(held, type) else None
        elif isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute):
            signal = _value(child.func.value, names, cls) if child.func.attr in _SENDING else None
            if signal is not None:
                yield id(signal), _sent(child, cls)
        yield from _in(child, names, inside)


def _value(node: ast.expr, names: Mapping[str, Any], cls: type | None) -> object:
    """Return what an expression of names and attributes stands for; None: that is not known."""
    if isinstance(node, ast.Name):
        return cls if node.id in {"self", "cls"} else names.get(node.id)
    if isinstance(node, ast.Attribute):
        # What is read is what a module or a class holds; nothing is computed.
        return inspect.getattr_static(_value(node.value, names, cls), node.attr, None)
    return None


def _sent(call: ast.Call, cls: type | None) -> Sent:
    given = {word.arg: word.value for word in call.keywords if word.arg}
    sender = given.pop("sender", call.args[0] if call.args else None)
    arguments = {name: cls if _is_self(value) else None for name, value in given.items()}
    return Sent(arguments, cls if _is_self(sender) else None)


def _is_self(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"
