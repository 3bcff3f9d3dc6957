"""What every source has to do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import attrs

from capi_plugins.events import Event
from capi_plugins.exceptions import WebhookError
from capi_plugins.sources.base import Received, Source, SourceRequest, SourceResponse

_BODIES = (
    *(b"", b"null", b"[]", b"{}", b"{", b"\xff\xfe", b'"text"', b"0", b"[[[[[[]]]]]]", b"<xml/>"),
    *(b'{"type": null}', b'{"type": 7, "data": []}'),
)
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+\.[a-z]+")


class SourceContract:
    """Subclass it, say how the source is made and what it is sent, and pytest runs the tests.

    Attributes:
        SIGNED: Whether a request has to prove where it comes from.
    """

    SIGNED: ClassVar[bool] = True

    def make(self) -> Source:
        """Return a new source."""
        raise NotImplementedError

    def requests(self) -> Sequence[SourceRequest]:
        """Return requests as they come, signed; each has at least one event."""
        raise NotImplementedError

    def signed(self, request: SourceRequest) -> SourceRequest:
        """Return a request with the proof it needs; default: as it is.

        Args:
            request: One of ``requests()`` with another body.
        """
        return request

    # ------------------------------------------------------------------ what it is

    def test_it_can_be_a_part_of_a_url(self) -> None:
        """NAME stands in a URL, METHODS are upper case, and there is room for a body."""
        source = self.make()
        assert re.fullmatch(r"[\w.-]+", source.NAME), f"NAME is no part of a URL: {source.NAME!r}"
        assert source.METHODS, "METHODS is empty"
        wrong = [method for method in source.METHODS if method != method.upper()]
        assert not wrong, f"METHODS are upper case: {wrong}"
        assert source.MOST_BYTES > 0, "MOST_BYTES leaves no room"

    # ------------------------------------------------------------------ what it takes

    def test_its_requests_have_events(self) -> None:
        """Each is taken, has events, and is answered with a success."""
        source = self.make()
        given = self.requests()
        assert given, "requests() is empty"
        for request in given:
            assert request.method in source.METHODS, f"METHODS lacks {request.method}"
            assert len(request.body) <= source.MOST_BYTES, "MOST_BYTES refuses a request"
            received = self._received(source, request)
            assert received.events, f"no event in {request.path or source.NAME}"
            status = received.response.status
            assert 200 <= status < 300, f"a success is answered {status}"

    def test_a_request_that_comes_again_has_the_same_events(self) -> None:
        """Webhooks are delivered more than once; the id tells that it is the same event."""
        source = self.make()
        for request in self.requests():
            first = self._received(source, request).events
            second = self._received(self.make(), request).events
            ids = [[event.event_id for event in events] for events in (first, second)]
            assert ids[0] == ids[1], "give events an id from the request: event_id is random"

    def test_several_threads_may_ask_at_once(self) -> None:
        """They get what one would get."""
        source = self.make()
        given = list(self.requests())
        alone = [len(self._received(source, request).events) for request in given]
        with ThreadPoolExecutor(8) as pool:
            counts = pool.map(lambda each: len(self._received(source, each).events), given * 16)
            assert list(counts) == alone * 16

    # ------------------------------------------------------------------ what it refuses

    def test_a_request_without_proof_is_refused(self) -> None:
        """Without its headers and query nobody knows who sent it."""
        if not self.SIGNED:
            return
        source = self.make()
        for request in self.requests():
            for forged in self._forged(request):
                error = self._refused(source, forged)
                assert error is not None, "a forged request is taken"
                assert 400 <= error.status < 500, f"a forgery is answered {error.status}"

    def test_whatever_comes_raises_nothing_but_webhook_error(self) -> None:
        """Anything else is answered 500, and sent again and again."""
        source = self.make()
        for request in self.requests():
            for body in (*_BODIES, request.body[: len(request.body) // 2]):
                self._refused(source, self.signed(attrs.evolve(request, body=body)))
            self._refused(source, SourceRequest(method=request.method))

    def test_refusals_are_answers_that_repeat_nobodys_address(self) -> None:
        """They are logged here and there."""
        source = self.make()
        for request in self.requests():
            half = attrs.evolve(request, body=request.body[: len(request.body) // 2])
            for odd in (*self._forged(request), self.signed(half)):
                error = self._refused(source, odd)
                if error is None:
                    continue
                answer = source.refusal(odd, error)
                assert isinstance(answer, SourceResponse), "refusal() returns a SourceResponse"
                said = f"{error} {answer.body.decode('utf-8', 'replace')}"
                assert not _ADDRESS.search(said), "a refusal repeats an e-mail address"

    # ------------------------------------------------------------------ in short

    @staticmethod
    def _received(source: Source, request: SourceRequest) -> Received:
        received = source.receive(request)
        assert isinstance(received, Received), "receive() returns a Received"
        wrong = [event for event in received.events if not isinstance(event, Event)]
        assert not wrong, "events are of the class Event"
        assert isinstance(received.response, SourceResponse), "the response is a SourceResponse"
        return received

    def _refused(self, source: Source, request: SourceRequest) -> WebhookError | None:
        try:
            self._received(source, request)
        except WebhookError as error:
            return error
        return None

    @staticmethod
    def _forged(request: SourceRequest) -> Iterator[SourceRequest]:
        yield attrs.evolve(request, headers={}, query={})
        if request.headers:
            wrong = dict.fromkeys(request.headers, "0" * 64)
            yield attrs.evolve(request, headers=wrong, query={})
