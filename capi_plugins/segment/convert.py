"""From a Segment message to neutral events.

Whatever JSON a message is made of, the answer is events or a reason. Values that cannot be used
cost the field; names and addresses of people leave as match keys, which destinations hash, and
nowhere else.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from capi_plugins.events import CustomData, Event, FieldNote, UserData
from capi_plugins.segment import permission
from capi_plugins.segment.commerce import read_commerce
from capi_plugins.segment.message import Message, flag, text
from capi_plugins.segment.options import EventMapping, Options
from capi_plugins.segment.origin import event_time, read_origin
from capi_plugins.segment.people import read_user
from capi_plugins.segment.private import Person, has_email
from capi_plugins.segment.properties import Mapped, own_properties
from capi_plugins.segment.spec import CALLS, CUSTOM, EVENTS, Rule, fold

_log = logging.getLogger("capi_plugins.segment")
_LONGEST_ID = 200


@attrs.frozen(kw_only=True)
class Conversion:
    """What became of a message.

    Attributes:
        events: Its events, none for calls that are none.
        message_id: The message's own id.
        reason: Why there is no event, without anything personal.
    """

    events: tuple[Event, ...] = ()
    message_id: str | None = None
    reason: str = ""


class Converter:
    """Turns messages into events.

    Args:
        options: What a project wants different.
        clock: Seconds since the epoch.
    """

    def __init__(
        self, options: Options | None = None, *, clock: Callable[[], float] = time.time
    ) -> None:
        self.options = options or Options()
        self.clock = clock

    def convert(self, message: object, *, now: float | None = None) -> Conversion:
        """Turn one message into events; never raises.

        Args:
            message: As JSON gives it.
            now: The clock, seconds since the epoch; default: the converter's.
        """
        if not isinstance(message, Mapping):
            return Conversion(reason='not a Segment message: that is {"type": "track", ...}')
        try:
            return self._convert(Message(message), self.clock() if now is None else now)
        except Exception as error:
            _log.error("converting a message failed with %s", type(error).__name__)
            return Conversion(reason=f"internal error: {type(error).__name__}")

    def _convert(self, message: Message, now: float) -> Conversion:
        message_id = _id(text(message.raw.get("messageId")))
        if not message.type:
            reason = "type must be track, page, screen, identify, group or alias"
            return Conversion(reason=reason, message_id=message_id)
        wanted = permission.refusal(message, self.options) or self._wanted(message)
        if isinstance(wanted, str):
            return Conversion(reason=wanted, message_id=message_id)
        meant = [each for each in wanted if _holds(each, message)]
        if not meant:
            reason = "WHEN in CAPI['SEGMENT']['EVENTS'] does not hold"
            return Conversion(reason=reason, message_id=message_id)
        events = tuple(
            event
            for placed, several in _placed(meant, message)
            for event in self._events(placed, several, message_id, now)
        )
        if not events:
            return Conversion(reason="the event's name names a person", message_id=message_id)
        return Conversion(events=events, message_id=message_id)

    def _wanted(self, message: Message) -> list[_Wanted] | str:
        """Return what the message becomes, or why it becomes nothing."""
        name = message.type
        if name == "track":
            given = message.raw.get("event")
            name = given.strip() if isinstance(given, str) else ""
            if not name:
                return "event must be the name of the event, as text"
        key = fold(name)
        mapped = self.options.events.get(key or name)
        if mapped is not None:
            return [_mapped(key, item) for item in mapped] or (
                "CAPI['SEGMENT']['EVENTS'] says that it is not sent"
            )
        if message.type != "track":
            rule = CALLS.get(name)
            return [_Wanted("PageView", rule)] if rule else f"a call of type {name} is no event"
        rule = EVENTS.get(key, CUSTOM)
        if rule.event is None:
            allowed = self.options.custom_events
            if allowed is False or (allowed is not True and key not in allowed):
                return "CAPI['SEGMENT']['CUSTOM_EVENTS'] leaves out what is no standard event"
            if has_email(name):
                return "the event's name holds an e-mail address"
        return [_Wanted(rule.event or name, rule)]

    def _events(
        self, message: Message, wanted: Sequence[_Wanted], message_id: str | None, now: float
    ) -> tuple[Event, ...]:
        notes: list[FieldNote] = []
        when = event_time(message, now)
        user = read_user(message, notes, about_others=wanted[0].rule.about_others)
        origin = read_origin(message, self.options, when, notes)
        shared = {
            "event_time": when,
            "event_id": _id(text(message.find("eventid"))) or message_id,
            "action_source": origin.action_source,
            "event_source_url": origin.event_source_url,
            "referrer_url": origin.referrer_url,
            "app_data": origin.app_data,
            "consent": permission.consent(message, self.options),
            "opt_out": flag(message.find("optout")),
            **permission.limited_data_use(message, self.options),
        }
        person = Person(user)
        return tuple(
            self._event(message, each, user, person, [*notes], {**shared})
            for each in wanted
            # What the settings call it is no secret, what the message calls it may be one.
            if each.mapping is not None or each.rule.event or not person.is_named_by(each.name)
        )

    def _event(
        self,
        message: Message,
        wanted: _Wanted,
        user: UserData,
        person: Person,
        notes: list[FieldNote],
        fields: dict[str, Any],
    ) -> Event:
        custom = read_commerce(message.properties, wanted.rule, self.options, person, notes)
        own = own_properties(message, self.options, person)
        custom = {**own, **custom}
        if wanted.mapping is not None:
            mapped = Mapped(wanted.mapping, message, notes)
            user = mapped.user_data(user)
            custom |= mapped.custom_data(person)
            key = mapped.event_id()
            if key is not None:
                fields["event_id"] = _id(f"{wanted.name}.{key}")
        return Event(
            event_name=wanted.name,
            user_data=user,
            custom_data=CustomData.from_dict(custom),
            notes=tuple(notes),
            **fields,
        )


@attrs.frozen
class _Wanted:
    """One event a message becomes: its name, where its data are, what the settings say of it."""

    name: str
    rule: Rule
    mapping: EventMapping | None = None


def _mapped(key: str, mapping: EventMapping) -> _Wanted:
    source, name = EVENTS.get(key, CUSTOM), mapping.event.strip()
    rule = EVENTS.get(fold(name))
    if rule is not None and rule.event is not None and fold(rule.event) == fold(name):
        # One of Meta's own, in whatever spelling.
        return _Wanted(rule.event, attrs.evolve(rule, about_others=source.about_others), mapping)
    return _Wanted(name, attrs.evolve(source, event=name), mapping)


def _holds(wanted: _Wanted, message: Message) -> bool:
    return wanted.mapping is None or Mapped(wanted.mapping, message, []).holds()


def _placed(
    wanted: Sequence[_Wanted], message: Message
) -> Iterator[tuple[Message, Sequence[_Wanted]]]:
    """Give the events, and the message as each is to be read; most read it as it is."""
    usual = [each for each in wanted if each.mapping is None or not each.mapping.place]
    if usual:
        yield message, usual
    for each in wanted:
        if each.mapping is not None and each.mapping.place:
            yield Message(Mapped(each.mapping, message, []).placed()), [each]


def _id(value: str | None) -> str | None:
    """Return an id that can be sent: a digest in place of one that is long or an address.

    The digest is the same each time, so that a message that comes twice counts once.
    """
    if value is None or (
        len(value) <= _LONGEST_ID and value.isprintable() and not has_email(value)
    ):
        return value
    return hashlib.sha256(value.encode(errors="replace")).hexdigest()
