"""Watches a project that is being used, and keeps what happens in it without any value."""

from __future__ import annotations

import contextvars
import enum
import threading
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from capi_plugins import Client, FinishedRequest, Trigger
from capi_plugins._paths import resolve
from capi_plugins.cli.discovering.shapes import Shape, kind_of, look
from capi_plugins.cli.discovering.survey import Moment
from capi_plugins.cli.discovering.words import ADD, PAID_WORDS, TAKE_AWAY, known_words, rank

Offer = Mapping[str, Any]
_REQUEST_ROOTS = ("kwargs", "args", "form", "json", "context", "session")
# Of Django REST framework and of Flask.
_PARSED = ("data", "json")
_NO_PAGE = frozenset(
    "request user perms messages csrf_token block view form session g config current_user "
    "paginator page_obj debug sql_queries static media LANGUAGES LANGUAGE_CODE TIME_ZONE".split()
)
_ACTIONS = ("action", "act", "operation", "op", "cmd", "do")
_FAILED = 400


class Recorder:
    """Is told of what happens, and keeps it as moments.

    Signals and rows are looked at when their request ends, as triggers do: an order has its lines
    by then. Where there is no request they are looked at at once.

    Args:
        client: Whose triggers are compared with what happens; None: there are none.
    """

    def __init__(self, client: Client | None) -> None:
        self.fired: set[str] = set()
        self._triggers: tuple[Trigger, ...] = () if client is None else client.triggers.all
        self._found: dict[tuple[Any, ...], Moment] = {}
        self._lock = threading.Lock()
        self._late: contextvars.ContextVar[list[Callable[[], Moment]] | None]
        self._late = contextvars.ContextVar("capi_recorded", default=None)

    @property
    def moments(self) -> tuple[Moment, ...]:
        """What was seen so far, in the order in which it came first."""
        with self._lock:
            return tuple(self._found.values())

    def begin(self) -> None:
        """Take note that a request begins."""
        self._late.set([])

    def signal(self, path: str, arguments: Offer) -> None:
        """Take note of a signal.

        Args:
            path: Its dotted path.
            arguments: What it was sent with, ``sender`` included.
        """
        self._fires(lambda trigger: trigger.on == "signal" and trigger.signal == path)
        self._keep(
            lambda: Moment(
                on="signal",
                name=path,
                roots={name: look(value) for name, value in arguments.items()},
                times=1,
            )
        )

    def row(
        self,
        model: str,
        read: Callable[[], Any],
        *,
        created: bool,
        old: Offer,
        new: Offer,
        labels: Offer = MappingProxyType({}),
        is_user: bool = False,
    ) -> None:
        """Take note of a row that was saved.

        Args:
            model: As ``MODEL`` names it.
            read: Gives the row, when it is looked at.
            created: Whether it is new.
            old: Fields before, as far as they are known.
            new: Fields after.
            labels: What those values are called that have a name: 2 may be ``completed``.
            is_user: Whether its model is that of the people who sign in.
        """
        changes = {
            name: wanted
            for name, value in new.items()
            if created or name not in old or old[name] != value
            if (wanted := _telling(name, value, labels.get(name))) is not None
            if created or not _was_filled(wanted, old.get(name))
        }
        self._fires(
            lambda trigger: (
                trigger.on == "model"
                and (trigger.model or "").rpartition(".")[2] == model.rpartition(".")[2]
                and trigger.changes(created=created, old=old, new=new)
            )
        )
        if not created and not changes:
            return

        def moment() -> Moment:
            roots = {"instance": look(read())}
            return Moment(
                on="model",
                name=model,
                roots=roots,
                created=created,
                changes=changes,
                is_user=is_user,
                times=1,
            )

        self._keep(moment)

    def finish(self, finished: FinishedRequest) -> None:
        """Take note of how a request ended, and look at what happened in it."""
        put_off = finished.is_put_off
        if not put_off:
            self._fires(lambda trigger: trigger.on == "request" and trigger.matches(finished))
        late, _ = self._late.get() or [], self._late.set(None)
        for make in late:
            self._add(make())
        if finished.route is None or finished.status >= _FAILED or put_off:
            return
        offer = finished.offer()
        roots = {name: _root(name, offer) for name in _REQUEST_ROOTS if name in offer}
        if finished.content_type == "application/json":
            roots["response"] = _told(offer)
        moment = Moment(
            on="request",
            name=finished.route,
            roots=roots,
            words=known_words([_without_values(finished.path, offer), finished.template or ""]),
            method=finished.method,
            status=finished.status,
            actions=dict(_actions(offer)),
            times=1,
        )
        self._add(moment)

    def _keep(self, make: Callable[[], Moment]) -> None:
        late = self._late.get()
        if late is None:
            self._add(make())
        else:
            late.append(make)

    def _add(self, moment: Moment) -> None:
        with self._lock:
            before = self._found.get(moment.key)
            self._found[moment.key] = moment if before is None else before.merged(moment)

    def _fires(self, matches: Callable[[Trigger], bool]) -> None:
        self.fired.update(trigger.where for trigger in self._triggers if matches(trigger))


def _telling(name: str, value: Any, label: Any) -> Any:
    """Return what ``CHANGED`` has to say where a field tells that money has come, else None.

    Of a row no other values are kept.
    """
    is_date = kind_of(value) == "moment"
    if is_date and (rank("paid_at", name) is not None or rank("paid", name) is not None):
        return {"EMPTY": False}
    if rank("paid", name) is not None and value is True:
        return True
    if rank("status", name) is None:
        return None
    if isinstance(value, enum.Enum):
        label, value = value.name, value.name
    said = value if label is None else label
    return value if isinstance(said, str) and said.lower() in PAID_WORDS else None


def _was_filled(wanted: Any, old: Any) -> bool:
    return isinstance(wanted, Mapping) and old is not None


def _told(offer: Offer) -> Shape:
    """Look at what an answer to a script tells, where it can be read from the answer."""
    told = {name: resolve(f"response.{name}", offer) for name in _PARSED}
    fields = {name: look(value) for name, value in told.items() if isinstance(value, Mapping)}
    return Shape(kind="object", fields=fields)


def _actions(offer: Offer) -> Iterator[tuple[str, str]]:
    for root in ("form", "json"):
        for name in _ACTIONS:
            value = resolve(f"{root}.{name}", offer)
            if isinstance(value, str) and value.lower() in ADD | TAKE_AWAY:
                yield f"{root}.{name}", value


def _without_values(path: str, offer: Offer) -> str:
    """Take out of a path what its arguments are: a ``leather-bag`` is no cart."""
    values = resolve("kwargs", offer)
    texts = [str(value) for value in values.values()] if isinstance(values, Mapping) else []
    for text in sorted(filter(None, texts), key=len, reverse=True):
        path = path.replace(text, "")
    return path


def _root(name: str, offer: Offer) -> Shape:
    value = resolve(name, offer)
    if name == "context" and isinstance(value, Mapping):
        value = {key: item for key, item in value.items() if key not in _NO_PAGE}
    return look(value, every_name=name != "session")
