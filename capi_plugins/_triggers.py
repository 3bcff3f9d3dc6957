"""Triggers: rules in settings that make events from signals, models and requests."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any

import attrs

from capi_plugins._conditions import fulfilled, is_condition
from capi_plugins._paths import Lookup, parse_lookup, resolve
from capi_plugins.context import FinishedRequest
from capi_plugins.event_data import changed
from capi_plugins.events import Event, FieldNote, UserData, is_empty
from capi_plugins.leaving import pass_on
from capi_plugins.settings import Section, Settings

Offer = Callable[[], Mapping[str, Any]]
KINDS = ("signal", "model", "request")
_USER_FIELDS = frozenset(UserData.names())
_EVENT_FIELDS = ("EVENT_TIME", "ACTION_SOURCE", "EVENT_SOURCE_URL")
_LOOKUP = (str, list, tuple, Mapping, FunctionType)


@attrs.frozen(kw_only=True)
class Trigger:
    """One rule.

    Attributes:
        where: Where it stands, for messages: ``CAPI['TRIGGERS'][0]`` or a recipe's name.
        on: ``signal``, ``model`` or ``request``.
        event: The event's name.
        event_id: Where the business key is; the event's id is ``<event>.<key>``.
        context: Where further keys of the context store are: rows, or texts.
        fields: Other attributes of the event and where their values are.
        user_data: ``UserData`` fields and where their values are.
        custom_data: ``CustomData`` fields and where their values are.
        when: Paths and the values they must have.
        signal: Dotted path of a signal.
        model: Label (Django) or dotted path of a model.
        changed: Fields and the values they must change to, or conditions as in ``when``.
        created: True: new rows only; False: rows that were there before only; None: new rows, and
            where ``changed`` says what to look for, those that changed.
        route: Name of a route, None for any.
        methods: HTTP methods.
        statuses: HTTP statuses; empty: every one below 400.
        path: Pattern searched in the path.
        template: Name of the rendered template.
        content_type: Media type of the answer.
        enabled: False: it only takes away what a recipe offers for the same moment.
        clock: Seconds since the epoch, for events without ``EVENT_TIME``.
    """

    where: str
    on: str
    event: str
    event_id: Lookup | None = None
    context: Lookup | None = None
    fields: Mapping[str, Lookup] = attrs.field(factory=dict)
    user_data: Mapping[str, Lookup] = attrs.field(factory=dict)
    custom_data: Mapping[str, Lookup] = attrs.field(factory=dict)
    when: Mapping[str, Any] = attrs.field(factory=dict)
    signal: str | None = None
    model: str | None = None
    changed: Mapping[str, Any] = attrs.field(factory=dict)
    created: bool | None = None
    route: str | None = None
    methods: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()
    path: re.Pattern[str] | None = None
    template: str | None = None
    content_type: str | None = None
    enabled: bool = True
    clock: Callable[[], float] = attrs.field(default=time.time, eq=False, repr=False)

    @property
    def moment(self) -> tuple[str, str, str] | None:
        """What happens and the event's name: a host's own trigger stands in for a recipe's.

        None for a request trigger without a route, which may be any page.
        """
        what = self.signal or self.model or self.route
        return (self.on, what, self.event) if what else None

    def build(self, offer: Mapping[str, Any], event_id: str | None = None) -> Event | None:
        """Make the event from what is offered now.

        Args:
            offer: The names its paths may start at.
            event_id: Its id if ``EVENT_ID`` gives none; default: a random one.

        Returns:
            The event, or None when ``WHEN`` does not hold.

        Raises:
            InvalidEvent: The event's time cannot be read.
        """
        for path, wanted in self.when.items():
            if not fulfilled(resolve(path, offer), wanted):
                return None
        notes: list[FieldNote] = []
        fields: dict[str, Any] = {"event_name": self.event, "event_id": event_id}
        for name, lookup in self.fields.items():
            fields[name] = _found(name, lookup, offer, notes)
        if self.event_id is not None:
            key = _text(_found("event_id", self.event_id, offer, notes))
            if key is not None:
                fields["event_id"] = f"{self.event}.{key}"
        for group, lookups in (("user_data", self.user_data), ("custom_data", self.custom_data)):
            if lookups:
                fields[group] = {
                    name: _found(f"{group}.{name}", lookup, offer, notes)
                    for name, lookup in lookups.items()
                }
        event = Event.from_dict(fields, now=self.clock())
        return changed(event, {"notes": event.notes + tuple(notes), "trigger": self.where})

    def changes(self, *, created: bool, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Whether a saved row is the moment of a model trigger.

        Args:
            created: Whether the row is new.
            old: Values before, of the fields in ``CHANGED`` at least; ignored for a new row.
            new: Values after, of those that were written.
        """
        if self.created is not None and created is not self.created:
            return False
        if not self.changed:
            return created or self.created is False
        return self._has_changed(new) and (created or not self._has_changed(old))

    def _has_changed(self, values: Mapping[str, Any]) -> bool:
        return all(
            name in values and fulfilled(values[name], wanted)
            for name, wanted in self.changed.items()
        )

    def matches(self, finished: FinishedRequest) -> bool:
        """Whether a request trigger matches how a request ended."""
        return (
            (self.route is None or self.route == finished.route)
            and (not self.methods or finished.method in self.methods)
            and (finished.status in self.statuses if self.statuses else finished.status < 400)  # noqa: PLR2004
            and (self.path is None or self.path.search(finished.path) is not None)
            and (self.template is None or self.template == finished.template)
            and (self.content_type is None or self.content_type == finished.content_type)
        )


def _found(field: str, lookup: Lookup, offer: Mapping[str, Any], notes: list[FieldNote]) -> Any:
    lost: list[str] = []
    value = lookup.find(offer, lost)
    notes.extend(FieldNote(field, f"path {path!r} leads nowhere") for path in lost)
    try:
        return None if is_empty(value) else value
    except Exception as error:
        pass_on(error)
        notes.append(FieldNote(field, "cannot be read"))
        return None


def _text(key: Any) -> str | None:
    try:
        return None if key is None else str(key)
    except Exception:
        return None


class Triggers:
    """The triggers in force, by kind."""

    def __init__(self, triggers: Sequence[Trigger]) -> None:
        self.all = tuple(triggers)
        self.on_signal = tuple(t for t in triggers if t.on == "signal")
        self.on_model = tuple(t for t in triggers if t.on == "model")
        self._by_route: dict[str | None, list[Trigger]] = {}
        for trigger in triggers:
            if trigger.on == "request":
                self._by_route.setdefault(trigger.route, []).append(trigger)
        self._anywhere = self._by_route.get(None, [])

    def for_request(self, finished: FinishedRequest) -> list[tuple[Trigger, Offer]]:
        """Return the triggers that match a finished request, and what their paths may start at."""
        candidates = self._anywhere
        if finished.route is not None and finished.route in self._by_route:
            candidates = self._by_route[finished.route] + candidates
        matching = [trigger for trigger in candidates if trigger.matches(finished)]
        if not matching or finished.is_put_off:
            return []
        offered: list[Mapping[str, Any]] = []

        def offer() -> Mapping[str, Any]:
            if not offered:
                offered.append(finished.offer())
            return offered[0]

        return [(trigger, offer) for trigger in matching]


def parse_trigger(
    data: Mapping[str, Any],
    where: str,
    problems: list[str],
    clock: Callable[[], float] = time.time,
) -> Trigger | None:
    """Read one trigger.

    Args:
        data: As written.
        where: Its place, for messages.
        problems: Receives sentences about mistakes.
        clock: Seconds since the epoch.
    """
    before = len(problems)
    section = Section(where, data, problems)
    on = section.take("ON", str)
    event = section.take("EVENT", str)
    if on not in KINDS:
        section.wrong("ON", f"must be one of {', '.join(map(repr, KINDS))}")
    if not event:
        section.wrong("EVENT", "is required: the name of the event, such as 'Purchase'")
    key = section.take("EVENT_ID", _LOOKUP)
    context = section.take("CONTEXT", (str, list, tuple))
    fields = {
        name.lower(): parse_lookup(value, section.at(name), problems)
        for name in _EVENT_FIELDS
        if (value := section.take(name, _LOOKUP)) is not None
    }
    trigger = Trigger(
        where=where,
        on=on or "",
        event=event or "",
        event_id=None if key is None else parse_lookup(key, section.at("EVENT_ID"), problems),
        context=None if context is None else parse_lookup(context, section.at("CONTEXT"), problems),
        fields=fields,
        user_data=section.named("USER_DATA", _USER_FIELDS, parse_lookup),
        custom_data=section.named("CUSTOM_DATA", None, parse_lookup),
        when=_conditions(section),
        enabled=section.take("ENABLED", bool, default=True),
        clock=clock,
        **(_KIND_KEYS[on](section) if on in _KIND_KEYS else {}),
    )
    if on in KINDS:
        section.done()
    return trigger if len(problems) == before else None


def parse_user_data(settings: Settings, problems: list[str]) -> dict[str, Lookup]:
    """Read ``USER_DATA``: match keys and where they are on the signed-in user.

    Args:
        settings: The whole configuration.
        problems: Receives sentences about mistakes.

    Returns:
        Lookups whose paths start at ``user``.
    """
    rooted = settings.user_paths("user")
    section = Section("CAPI", {"USER_DATA": rooted}, problems)
    return section.named("USER_DATA", _USER_FIELDS, parse_lookup)


def _conditions(section: Section) -> dict[str, Any]:
    conditions = _wanted(section, "WHEN")
    for path in conditions:
        parse_lookup(path if isinstance(path, str) else None, section.at("WHEN"), section.problems)
    return conditions


def _wanted(section: Section, key: str) -> dict[str, Any]:
    conditions = section.take(key, Mapping, {})
    for name, wanted in conditions.items():
        for option in wanted if isinstance(wanted, list | tuple) else [wanted]:
            if is_condition(option, "EMPTY") and not isinstance(option["EMPTY"], bool):
                section.problems.append(
                    f"{section.at(key)}[{name!r}]['EMPTY'] must be True or False"
                )
    return dict(conditions)


def _signal(section: Section) -> dict[str, Any]:
    signal = section.take("SIGNAL", str)
    if not signal:
        section.wrong("SIGNAL", "is required: the dotted path of a signal")
    return {"signal": signal}


def _model(section: Section) -> dict[str, Any]:
    model = section.take("MODEL", str)
    if not model:
        section.wrong("MODEL", "is required: 'app_label.Model' or a dotted path")
    return {
        "model": model,
        "changed": _wanted(section, "CHANGED"),
        "created": section.take("CREATED", bool),
    }


def _request(section: Section) -> dict[str, Any]:
    path = section.take("PATH", str)
    pattern = None
    if path is not None:
        try:
            pattern = re.compile(path)
        except re.error as error:
            section.wrong("PATH", f"is not a regular expression: {error}")
    return {
        "route": section.take("ROUTE", str),
        "methods": tuple(str(m).upper() for m in _several(section, "METHOD", str)),
        "statuses": tuple(_several(section, "STATUS", int)),
        "path": pattern,
        "template": section.take("TEMPLATE", str),
        "content_type": section.take("CONTENT_TYPE", str),
    }


_KIND_KEYS: dict[str, Callable[[Section], dict[str, Any]]] = {
    "signal": _signal,
    "model": _model,
    "request": _request,
}


def _several(section: Section, key: str, cls: type) -> list[Any]:
    value = section.take(key, (cls, list, tuple))
    if value is None:
        return []
    items = list(value) if isinstance(value, list | tuple) else [value]
    if not all(isinstance(item, cls) for item in items):
        section.wrong(key, f"must be {cls.__name__} or a list of them")
        return []
    return items
