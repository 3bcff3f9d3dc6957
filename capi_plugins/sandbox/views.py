"""How the page and other processes see a received event."""

from __future__ import annotations

from typing import Any

from capi_plugins.destinations.meta import fields
from capi_plugins.sandbox.case import is_empty
from capi_plugins.sandbox.refusals import Notice, Refusal
from capi_plugins.sandbox.rules_people import looks_hashed, texts
from capi_plugins.sandbox.store import ReceivedEvent, ReceivedRequest


def describe(event: ReceivedEvent, request: ReceivedRequest) -> dict[str, Any]:
    """Return one event with its request and verdict, ready for JSON.

    Args:
        event: The event.
        request: The request it came in.
    """
    payload = event.payload if isinstance(event.payload, dict) else {}
    custom = payload.get("custom_data")
    custom = custom if isinstance(custom, dict) else {}
    return {
        "seq": event.seq,
        "status": event.status,
        "name": event.name,
        "dataset": event.dataset,
        "event_id": payload.get("event_id"),
        "event_time": payload.get("event_time"),
        "action_source": payload.get("action_source"),
        "value": custom.get("value"),
        "currency": custom.get("currency"),
        "received_at": event.received_at,
        "test_event_code": event.test_event_code,
        "keys": _match_keys(payload.get("user_data")),
        "refusal": _refusal(event.refusal) if event.refusal else None,
        "problems": [_refusal(problem) for problem in event.problems],
        "warnings": [_notice(notice) for notice in event.warnings],
        "payload": event.payload,
        "request": {
            "id": request.request_id,
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "headers": request.headers,
            "encoding": request.encoding,
            "token_source": request.token_source,
            "size": request.size,
            "batch": sum(1 for one in request.events if one.payload is not None),
            "latency_ms": round(request.latency * 1000, 1),
            "status": request.status,
            "answer": request.answer,
            "fault": request.fault,
        },
    }


def _match_keys(people: Any) -> list[dict[str, Any]]:
    if not isinstance(people, dict):
        return []
    return [
        {
            "key": key,
            "hashed": any(looks_hashed(text) for text in texts(value)),
            "must_hash": key in fields.HASHED_KEYS,
        }
        for key, value in people.items()
        if not is_empty(value)
    ]


def _refusal(refusal: Refusal) -> dict[str, Any]:
    return {
        "reason": refusal.reason,
        "text": refusal.text,
        "code": refusal.code,
        "subcode": refusal.subcode,
        "status": refusal.status,
        "title": refusal.title,
        "field": refusal.field,
        "invented": refusal.invented,
    }


def _notice(notice: Notice) -> dict[str, Any]:
    return {"reason": notice.reason, "field": notice.field, "text": notice.text}
