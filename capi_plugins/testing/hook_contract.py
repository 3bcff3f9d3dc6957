"""What every plugin with hooks has to do."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

from capi_plugins import Client, configure, signals
from capi_plugins.consent import Consent
from capi_plugins.context import NO_REQUEST, RequestContext
from capi_plugins.destinations.base import (
    Destination,
    Outcome,
    Payload,
    Request,
    Response,
    Verdict,
)
from capi_plugins.events import CustomData, Event, UserData
from capi_plugins.hookspecs import hookimpl
from capi_plugins.outbox.base import Delivery
from capi_plugins.testing.captured import capture_events

_EMAIL = "quibble.zanzibar@example.com"
_TIMES, _THREADS = 20, 4


class _Drawer(Destination):
    """Takes every event and is never sent to."""

    KIND = "contract"

    def payload(self, event: Event, consent: Consent, *, now: float) -> Payload:
        del consent, now
        return Payload(body=event.event_name.encode("utf-8", "replace"))

    def request(self, deliveries: Sequence[Delivery]) -> Request:
        del deliveries
        return Request(url="http://127.0.0.1:1/")

    def outcome(self, response: Response, deliveries: Sequence[Delivery]) -> Outcome:
        del response, deliveries
        return Outcome(verdict=Verdict.DELIVERED)


class _Brings:
    @hookimpl
    def capi_destination_types(self) -> list[type[Destination]]:
        return [_Drawer]


class HookContract:
    """Subclass it, say how the plugin is made, and pytest runs the tests.

    Attributes:
        settings: What ``CAPI`` needs for the plugin besides, such as ``PLUGIN_OPTIONS``.
    """

    settings: ClassVar[Mapping[str, Any]] = {}

    def make(self) -> object:
        """Return the plugin: a new object, a module, or its dotted path."""
        raise NotImplementedError

    def events(self) -> Sequence[Event]:
        """Return events that the plugin may meet; add some that it has work with."""
        person = UserData(email=_EMAIL, phone="+4915112345678", external_id="customer-4711")
        data = CustomData(value=42.5, currency="EUR", order_id="4711", properties={"own": [1]})
        return [
            Event(event_name="Purchase", user_data=person, custom_data=data),
            Event(event_name="A name of one's own"),
            Event(event_name="Lead", custom_data=CustomData(value="free", currency="")),
        ]

    def contexts(self) -> Sequence[RequestContext]:
        """Return requests that the plugin may meet; add some that it has work with."""
        return [NO_REQUEST, RequestContext(method="GET"), RequestContext(method="POST")]

    # ------------------------------------------------------------------ tests

    def test_it_can_be_loaded_and_has_hooks(self) -> None:
        """Hooks are spelt right, take the arguments there are, and are plain functions."""
        with self._client() as client:
            first = client.plugins.loaded()[0]
            assert first.hooks, f"{first.name} has no hooks: is @hookimpl missing?"

    def test_no_hook_fails(self) -> None:
        """No implementation raises, or answers with something else than its hook may."""
        with self._client() as client, self._no_failures():
            self._run(client)

    def test_hooks_work_in_several_threads_at_once(self) -> None:
        """Requests are handled in threads, and so are hooks."""
        with self._client() as client, self._no_failures(), ThreadPoolExecutor(_THREADS) as pool:
            for done in [pool.submit(self._run, client) for _ in range(_TIMES)]:
                done.result()

    def test_events_are_left_as_they_were(self) -> None:
        """A hook returns a copy; the event it was given is also other destinations'."""
        for event in self.events():
            before = _text(event)
            with self._client() as client:
                for context in self.contexts():
                    client.dry_run(event, context)
            assert _text(event) == before, f"{event.event_name} was changed in place"

    def test_what_is_known_is_not_overwritten(self) -> None:
        """``capi_enrich`` adds what is missing: what the host said stays."""
        with self._client() as client:
            if "capi_filter" in client.plugins.loaded()[0].hooks:
                # A filter may make values coarser.
                return
            for event in self.events():
                for context in self.contexts():
                    for result in client.dry_run(event, context):
                        self._compare(event, result.event)

    def test_nothing_of_a_person_is_logged(self) -> None:
        """No log record holds an e-mail address of an event."""
        with self._client() as client, _records() as records:
            self._run(client)
        found = [record.name for record in records if _EMAIL in record.getMessage()]
        assert not found, f"contact data is logged by {found}"

    def test_it_can_be_shut_down(self) -> None:
        """``capi_shutdown`` does not fail, whether there was an event or not."""
        with self._no_failures(), self._client():
            pass

    # ------------------------------------------------------------------ parts

    @contextlib.contextmanager
    def _client(self) -> Iterator[Client]:
        given = dict(self.settings)
        raw = {
            "CONSENT": {"DEFAULT": "granted"},
            "DELIVERY": {"OUTBOX": "memory"},
            "PAGE_VIEW": False,
            "AUTOLOAD": False,
            **given,
            "DESTINATIONS": {"contract": {}, **given.get("DESTINATIONS", {})},
            "PLUGINS": [self.make(), *given.get("PLUGINS", []), _Brings()],
        }
        client = configure(raw, environ={})
        try:
            with capture_events():
                yield client
        finally:
            client.close(0)

    def _run(self, client: Client) -> None:
        for event in self.events():
            for context in self.contexts():
                client.capture(event, context)

    @contextlib.contextmanager
    def _no_failures(self) -> Iterator[None]:
        failures: list[str] = []

        def failed(sender: object, *, plugin: str, hook: str, error: BaseException) -> None:
            del sender
            failures.append(f"{hook} of {plugin}: {type(error).__name__}: {error}")

        with signals.plugin_failed.connected_to(failed):
            yield
        assert not failures, f"a hook fails: {sorted(set(failures))}"

    def _compare(self, before: Event, after: Event) -> None:
        for group in ("user_data", "custom_data"):
            old, new = getattr(before, group), getattr(after, group)
            for name in old.names():
                if name != "properties" and (value := getattr(old, name)) is not None:
                    same = getattr(new, name) == value
                    assert same, f"{group}.{name} of {before.event_name} is overwritten"


def _text(event: Event) -> str:
    groups = (event.user_data, event.custom_data)
    return repr(event) + repr([[(n, getattr(g, n)) for n in g.names()] for g in groups])


@contextlib.contextmanager
def _records() -> Iterator[list[logging.LogRecord]]:
    records: list[logging.LogRecord] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    root, keeper = logging.getLogger(), Keeper()
    level = root.level
    root.addHandler(keeper)
    root.setLevel(logging.DEBUG)
    try:
        yield records
    finally:
        root.setLevel(level)
        root.removeHandler(keeper)
