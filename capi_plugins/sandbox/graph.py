"""The Graph API edge ``/{version}/{dataset}/events``: one request in, one verdict out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs
from werkzeug.wrappers import Request

from capi_plugins.sandbox import answers, gate, wire
from capi_plugins.sandbox.advice import advise_request
from capi_plugins.sandbox.answers import Answer
from capi_plugins.sandbox.case import Dataset
from capi_plugins.sandbox.fault_queue import Faults
from capi_plugins.sandbox.faults import Fault, Group, in_french
from capi_plugins.sandbox.refusals import Notice, Refusal
from capi_plugins.sandbox.rules import every_problem, remarks
from capi_plugins.sandbox.store import ReceivedEvent, ReceivedRequest, Store

CHUNK: Final = 64 * 1024


@attrs.frozen(kw_only=True)
class Reply:
    """What goes back on the wire, and how.

    Attributes:
        answer: The answer; None closes the connection without one.
        fault: The fault in the way it is delivered, if any.
        released: Set when waiting faults are to end.
    """

    answer: Answer | None
    fault: Fault | None
    released: threading.Event

    def chunks(self) -> Iterator[bytes]:
        """Yield the body, spoilt or delayed as the fault wants it."""
        assert self.answer is not None  # noqa: S101 - callers drop the connection before
        body = self.answer.body
        kind = self.fault.kind if self.fault else ""
        if kind == "truncated_json":
            yield body[: len(body) // 2]
        elif kind == "slow_drip" and self.fault:
            for byte in body:
                self.released.wait(self.fault.seconds)
                yield bytes([byte])
        elif kind == "huge_body" and self.fault:
            yield body[:-1] + b',"padding":"'
            for _ in range(self.fault.size // CHUNK + 1):
                yield b"x" * CHUNK
            yield b'"}'
        else:
            yield body


@attrs.frozen(kw_only=True)
class _Judged:
    payload: Any
    problems: tuple[Refusal, ...]
    warnings: tuple[Notice, ...]


@attrs.frozen(kw_only=True)
class _Verdict:
    events: list[_Judged]
    refusal: Refusal | None
    answer: Answer | None
    now: float
    latency: float
    fault: str


class Graph:
    """The events edge with its rules, faults and memory."""

    def __init__(
        self, rules: gate.Rulebook, store: Store, faults: Faults, clock: Callable[[], float]
    ) -> None:
        """Judge by ``rules`` at the time ``clock`` tells, keep everything in ``store``."""
        self.rules = rules
        self.faults = faults
        self._store = store
        self._clock = clock

    def handle(self, request: Request) -> Reply:
        """Judge a request, keep it, and say what to answer.

        Args:
            request: A request to any path outside the sandbox's own.
        """
        released = self.faults.released
        started = time.perf_counter()
        incoming = wire.read(request)
        taken = self.faults.take()
        if "delay" in taken:
            released.wait(taken["delay"].seconds)
        now = self._clock()
        fault = taken.get("verdict")
        injected = fault if fault and fault.replaces_verdict else None
        events, refusal = self._judge(incoming, now, injected)
        answer = self._answer(events, refusal, injected, taken)
        if fault and fault.kind == "drop_after_storing":
            answer = None
        kept = _Verdict(
            events=events,
            refusal=refusal,
            answer=answer,
            now=now,
            latency=time.perf_counter() - started,
            fault=", ".join(fault.kind for fault in taken.values()),
        )
        self._keep(incoming, kept)
        if fault and fault.kind == "hang":
            released.wait()
        elif fault and fault.kind == "late_answer":
            released.wait(fault.seconds)
        return Reply(answer=answer, fault=fault, released=released)

    def _judge(
        self, incoming: wire.Incoming, now: float, injected: Fault | None
    ) -> tuple[list[_Judged], Refusal | None]:
        mode = self.rules.mode
        dataset = (self.rules.datasets or {}).get(gate.dataset_in(incoming.path), Dataset())
        batch, body_refusal = gate.check_body(incoming)
        aside = tuple(advise_request(incoming.parameters))
        events = [
            _Judged(
                payload=event,
                problems=every_problem(event, now, mode, dataset, index=index),
                warnings=(*remarks(event, now, mode), *aside),
            )
            for index, event in enumerate(batch)
        ]
        if injected is not None:
            text = f"Injected fault: {injected.title}."
            return events, Refusal(reason="injected", text=text, status=0, code=0)
        refusal = gate.check_request(incoming, self.rules, now) or body_refusal
        if refusal is None:
            refusal = next((event.problems[0] for event in events if event.problems), None)
        return events, refusal

    def _answer(
        self,
        events: list[_Judged],
        refusal: Refusal | None,
        injected: Fault | None,
        taken: dict[Group, Fault],
    ) -> Answer | None:
        french = "language" in taken
        headers: dict[str, str] = {}
        if injected is not None:
            if not injected.body:
                return None
            made = injected.answer()
            if injected.kind == "html":
                return made
            content = in_french(made.content) if french else made.content
            headers = made.headers
            status = made.status
        elif refusal is not None:
            content = answers.error_body(answers.in_french(refusal) if french else refusal)
            status = refusal.status
        else:
            content, status = answers.success(len(events)), 200
        if "trace" in taken:
            content.pop("fbtrace_id", None)
            content.get("error", {}).pop("fbtrace_id", None)
        return answers.as_answer(content, status, headers)

    def _keep(self, incoming: wire.Incoming, verdict: _Verdict) -> None:
        dataset = gate.dataset_in(incoming.path)
        refusal, answer = verdict.refusal, verdict.answer
        shown = verdict.events or [_Judged(payload=None, problems=(), warnings=())]

        def build(is_duplicate: Callable[[str, Any, float], bool]) -> ReceivedRequest:
            return ReceivedRequest(
                method=incoming.method,
                path=incoming.path,
                query=incoming.query,
                headers=incoming.headers,
                status=answer.status if answer else 0,
                answer=answer.content if answer else None,
                events=tuple(
                    ReceivedEvent(
                        dataset=dataset,
                        payload=event.payload,
                        received_at=verdict.now,
                        test_event_code=incoming.test_event_code,
                        duplicate=refusal is None
                        and is_duplicate(dataset, event.payload, verdict.now),
                        warnings=event.warnings,
                        refusal=refusal,
                        problems=event.problems,
                    )
                    for event in shown
                ),
                reason=refusal.reason if refusal else "",
                token_source=incoming.token_source,
                encoding=incoming.encoding,
                size=incoming.size,
                received_at=verdict.now,
                latency=verdict.latency,
                fault=verdict.fault,
            )

        self._store.record(build)
