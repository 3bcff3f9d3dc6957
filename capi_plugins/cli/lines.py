"""JSON lines in, JSON lines out: what ``capi payload`` and ``capi send`` share."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import attrs
import orjson

from capi_plugins import Consent, Event, InvalidEvent

MAX_LINE = 1_000_000
"""Longest line that is read, bytes; more than any event Meta takes."""
_LONG_NUMBER = re.compile(rb"\d{19}")
_BOM = b"\xef\xbb\xbf"


@attrs.frozen(kw_only=True)
class Line:
    """One line of the input that is not blank.

    Attributes:
        number: From 1, blank lines counted.
        size: Bytes read so far, this line included.
        event: The event, when there is one.
        reason: Why there is none.
        event_id: As the line gives it, also when there is no event.
    """

    number: int
    size: int
    event: Event | None = None
    reason: str = ""
    event_id: str | None = None


@attrs.frozen(kw_only=True)
class Read:
    """What a line means.

    Attributes:
        events: Its events.
        reason: Why there is none.
        event_id: As the line gives it, when there is no event.
    """

    events: Sequence[Event] = ()
    reason: str = ""
    event_id: str | None = None


Reader = Callable[[Any, float | None], Read]
"""Makes events of what a line holds; its second argument is the clock, if that is fixed."""


def neutral(data: Any, now: float | None) -> Read:
    """Read the public ``Event`` as JSON."""
    if not isinstance(data, dict):
        return Read(reason='not a JSON object: an event is {"event_name": ...}')
    try:
        return Read(events=[Event.from_dict(data, now=now)])
    except InvalidEvent as error:
        given = data.get("event_id")
        is_id = isinstance(given, str | int) and not isinstance(given, bool)
        return Read(reason=str(error), event_id=str(given) if is_id else None)


def read_lines(
    stream: BinaryIO,
    reader: Reader = neutral,
    *,
    now: float | None = None,
    consent: Consent | None = None,
) -> Iterator[Line]:
    """Read events, one line at a time, as they come.

    Args:
        stream: JSON lines.
        reader: What the lines hold.
        now: The clock for events without a time, seconds since the epoch.
        consent: What the caller asserts for events that say nothing of consent.
    """
    if stream.isatty():
        sys.stderr.write("Reading events, one JSON object on each line; Ctrl-D ends.\n")
    number = size = 0
    while raw := stream.readline(MAX_LINE + 1):
        number += 1
        size += len(raw)
        whole = len(raw) <= MAX_LINE
        if not whole:
            size += _skip_to_end(stream, raw)
        if raw.isspace():
            continue
        if whole:
            yield from _read(raw, reader, now, consent, number=number, size=size)
        else:
            reason = f"the line is longer than {MAX_LINE:,} bytes"
            yield Line(number=number, size=size, reason=reason)


def _skip_to_end(stream: BinaryIO, raw: bytes) -> int:
    skipped = 0
    while not raw.endswith(b"\n") and (raw := stream.readline(MAX_LINE)):
        skipped += len(raw)
    return skipped


def _read(
    raw: bytes,
    reader: Reader,
    now: float | None,
    consent: Consent | None,
    *,
    number: int,
    size: int,
) -> Iterator[Line]:
    try:
        read = reader(_parse(raw), now)
    except InvalidEvent as error:
        read = Read(reason=str(error))
    if not read.events:
        yield Line(number=number, size=size, reason=read.reason, event_id=read.event_id)
    for found in read.events:
        asserted = found.consent is None and consent is not None
        event = attrs.evolve(found, consent=consent) if asserted else found
        yield Line(number=number, size=size, event=event, event_id=event.event_id)


def _parse(raw: bytes) -> Any:
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidEvent(_why(raw, error)) from None
    if _LONG_NUMBER.search(raw):
        # orjson makes floats of these, and an id would lose its last digits.
        with contextlib.suppress(ValueError, RecursionError):
            data = json.loads(raw)
    return data


def _why(raw: bytes, error: orjson.JSONDecodeError) -> str:
    if raw.startswith(_BOM):
        return "begins with a byte order mark: save the file as UTF-8 without one"
    try:
        raw.decode()
    except UnicodeDecodeError as wrong:
        return f"not UTF-8: byte 0x{raw[wrong.start]:02x} in column {wrong.start + 1}"
    return f"not JSON: look at column {error.colno}"


class Answers:
    """Writes one JSON line for each answer to standard output, at once, from any thread.

    Attributes:
        failed: How many answers were not ok.
        broken: Why nothing can be written any more.
    """

    def __init__(self) -> None:
        self._out = sys.stdout.buffer
        self._lock = threading.Lock()
        self.failed = 0
        self.broken: OSError | None = None

    def good(self, **fields: Any) -> None:
        """Say that something is ok."""
        self._write({"ok": True, **fields})

    def bad(self, line: int, reason: str, event_id: str | None, destination: str | None) -> None:
        """Say that something is not, and why."""
        answer: dict[str, Any] = {"ok": False, "reason": reason, "line": line}
        if event_id is not None:
            answer["event_id"] = event_id
        if destination is not None:
            answer["destination"] = destination
        self._write(answer)

    def check(self) -> None:
        """Raise what a write in another thread met."""
        if self.broken is not None:
            raise self.broken

    def _write(self, answer: Mapping[str, Any]) -> None:
        line = orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE)
        with self._lock:
            self.failed += not answer["ok"]
            try:
                self._out.write(line)
                self._out.flush()
            except OSError as error:
                self.broken = error
                raise
