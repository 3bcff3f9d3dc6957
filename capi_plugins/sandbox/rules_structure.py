"""The shape of one event: its keys, their types and enumerations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from capi_plugins.destinations.meta import custom_fields, fields
from capi_plugins.sandbox.case import Case, is_empty, is_integer, number_of
from capi_plugins.sandbox.refusals import Refusal, structural

TEXT_KEYS: Final = ("event_id", "event_source_url", "referrer_url", "advanced_measurement_table")
OBJECT_KEYS: Final = ("custom_data", "app_data", "original_event_data", "attribution_data")
KNOWN_PEOPLE_KEYS: Final = fields.HASHED_KEYS | fields.PLAIN_KEYS
NUMERIC_PEOPLE_KEYS: Final = frozenset(
    [
        "lead_id",
        "fb_login_id",
        "page_id",
        "whatsapp_business_account_id",
        "ig_account_id",
        "ig_sid",
        "instagram_business_account_id",
        "page_scoped_user_id",
    ]
)
"""``user_data`` keys that hold Meta's numbers, which may travel as numbers."""


def not_an_object(case: Case) -> Refusal:
    """Refuse an element of ``data`` that is no object."""
    return structural("not_an_object", f"{case.path} must be a JSON object", field="data")


def check(case: Case) -> Iterator[Refusal]:
    """Yield what is wrong with the event's shape."""
    for key in case.event:
        if key not in fields.EVENT_KEYS:
            yield structural(
                "unexpected_key",
                f'Unexpected key "{key[:80]}" on param {case.path}',
                field=key,
                evidence="F",
            )
    yield from _name_and_time(case)
    yield from _action_source(case)
    yield from _sections(case)
    yield from _processing_options(case)
    yield from _attribution(case)


def _name_and_time(case: Case) -> Iterator[Refusal]:
    name = case.get("event_name")
    if not isinstance(name, str) or not name.strip():
        text = f"The parameter {case.path}['event_name'] is required and must be text"
        yield structural("missing_event_name", text, field="event_name")
    time = case.get("event_time")
    path = f"{case.path}['event_time']"
    if time is None:
        text = f"The parameter {path} is required"
        yield structural("missing_event_time", text, field="event_time")
    elif not is_integer(time):
        whole = number_of(time)
        yield structural(
            "event_time_type",
            f"The parameter {path} must be an integer, in Unix seconds",
            field="event_time",
            strict_only=whole is not None and whole == int(whole),
        )


def _action_source(case: Case) -> Iterator[Refusal]:
    source = case.get("action_source")
    path = f"{case.path}['action_source']"
    if source is None:
        text = f"The parameter {path} is required"
        yield structural(
            "missing_action_source", text, field="action_source", evidence="M", strict_only=True
        )
    elif source not in fields.ACTION_SOURCES:
        allowed = ", ".join(fields.ACTION_SOURCES)
        text = f"The parameter {path} must be one of: {allowed}"
        yield structural("action_source", text, field="action_source")
    if source == "website" and is_empty(case.get("event_source_url")):
        yield structural(
            "missing_event_source_url",
            f"The parameter {case.path}['event_source_url'] is required for website events",
            field="event_source_url",
            evidence="M",
            strict_only=True,
        )


def _sections(case: Case) -> Iterator[Refusal]:
    for key in TEXT_KEYS:
        value = case.get(key)
        if value is not None and not isinstance(value, str):
            text = f"The parameter {case.path}['{key}'] must be text"
            yield structural("type", text, field=key, strict_only=True)
    for key in OBJECT_KEYS:
        value = case.get(key)
        if value is not None and not isinstance(value, dict):
            text = f"The parameter {case.path}['{key}'] must be a JSON object"
            yield structural("type", text, field=key)
    if not isinstance(case.get("opt_out"), bool | None):
        text = f"The parameter {case.path}['opt_out'] must be true or false"
        yield structural("type", text, field="opt_out", strict_only=True)
    segment = case.get("customer_segmentation")
    if (
        segment is not None
        and segment not in custom_fields.CUSTOM_DATA_ENUMS["customer_segmentation"]
    ):
        text = f"The parameter {case.path}['customer_segmentation'] has an unknown value"
        yield structural("enum", text, field="customer_segmentation", strict_only=True)
    yield from _people(case)


def _people(case: Case) -> Iterator[Refusal]:
    path = f"{case.path}['user_data']"
    people = case.get("user_data")
    if people is None:
        text = f"The parameter {path} is required"
        yield structural("missing_user_data", text, field="user_data", evidence="T")
        return
    if not isinstance(people, dict):
        text = f"The parameter {path} must be a JSON object"
        yield structural("type", text, field="user_data")
        return
    for key, value in people.items():
        if key not in KNOWN_PEOPLE_KEYS:
            text = f'Unexpected key "{key[:80]}" on param {path}'
            yield structural("unexpected_key", text, field=key, strict_only=True)
        elif not _fits(key, value):
            text = f"The parameter {path}['{key}'] has the wrong type"
            yield structural("type", text, field=key, strict_only=key in fields.PLAIN_KEYS)


def _fits(key: str, value: object) -> bool:
    if value is None or isinstance(value, str):
        return True
    if isinstance(value, list):
        return key in fields.LIST_KEYS and all(isinstance(item, str | None) for item in value)
    return key in NUMERIC_PEOPLE_KEYS and is_integer(value)


def _processing_options(case: Case) -> Iterator[Refusal]:
    options = case.get("data_processing_options")
    if options is not None and options not in ([], ["LDU"]):
        text = f"The parameter {case.path}['data_processing_options'] must be [] or [\"LDU\"]"
        yield structural("data_processing_options", text, field="data_processing_options")
    for key, allowed in (
        ("data_processing_options_country", fields.LDU_COUNTRIES),
        ("data_processing_options_state", fields.LDU_STATES),
    ):
        value = case.get(key)
        if value is not None and not (is_integer(value) and value in allowed):
            text = f"The parameter {case.path}['{key}'] must be one of the documented numbers"
            yield structural("data_processing_options", text, field=key, strict_only=True)


def _attribution(case: Case) -> Iterator[Refusal]:
    for key, known in (
        ("original_event_data", frozenset(fields.ORIGINAL_EVENT_KEYS)),
        ("attribution_data", frozenset(fields.ATTRIBUTION_TYPES)),
    ):
        for member in case.section(key):
            if member not in known:
                text = f"Unexpected key \"{member[:80]}\" on param {case.path}['{key}']"
                yield structural("unexpected_key", text, field=key, strict_only=True)
    attribution = case.section("attribution_data")
    for member, allowed in fields.ATTRIBUTION_ENUMS.items():
        value = attribution.get(member)
        if value is not None and value not in allowed:
            text = f"The parameter {case.path}['attribution_data']['{member}'] is unknown"
            yield structural("enum", text, field="attribution_data", strict_only=True)
