"""``business_messaging``: channels, their ids and the event names allowed there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from capi_plugins.destinations.meta import fields
from capi_plugins.sandbox.case import Case, is_empty
from capi_plugins.sandbox.refusals import Evidence, Refusal

CLICK_ID: Final = re.compile(r"[A-Za-z0-9_-]{40,}", re.ASCII)
"""The form of a real click-to-WhatsApp id. Meta looks the click up; here only the form counts."""


def check(case: Case) -> Iterator[Refusal]:
    """Yield what is wrong with a messaging event."""
    if case.get("action_source") != "business_messaging":
        return
    channel = case.get("messaging_channel")
    if channel not in fields.MESSAGING_CHANNELS:
        yield _refuse(
            "messaging_channel",
            2804063,
            "A business_messaging event needs messaging_channel: "
            + ", ".join(fields.MESSAGING_CHANNELS)
            + ".",
            "messaging_channel",
            evidence="T" if channel is None else "G",
        )
    name = case.get("event_name")
    if not isinstance(name, str) or name not in fields.MESSAGING_EVENTS:
        yield _refuse(
            "messaging_event_name",
            2804066,
            "business_messaging takes only these events: "
            + ", ".join(sorted(fields.MESSAGING_EVENTS))
            + ".",
            "event_name",
            title="Messaging Event Invalid Event Type",
        )
    people = case.section("user_data")
    if channel == "messenger":
        yield from _messenger(people)
    elif channel == "whatsapp":
        yield from _whatsapp(people)
    elif channel == "instagram":
        yield from _instagram(people)


def _messenger(people: dict[str, Any]) -> Iterator[Refusal]:
    if is_empty(people.get("page_id")):
        yield _refuse("page_id", 2804069, "A messenger event needs user_data.page_id.", "page_id")
    if is_empty(people.get("page_scoped_user_id")):
        yield _refuse(
            "page_scoped_user_id",
            None,
            "A messenger event needs user_data.page_scoped_user_id.",
            "page_scoped_user_id",
            evidence="M",
            strict_only=True,
        )


def _whatsapp(people: dict[str, Any]) -> Iterator[Refusal]:
    if all(is_empty(people.get(key)) for key in ("whatsapp_business_account_id", "page_id")):
        yield _refuse(
            "whatsapp_account",
            2804116,
            "A whatsapp event needs user_data.whatsapp_business_account_id or page_id.",
            "whatsapp_business_account_id",
        )
    click_id = people.get("ctwa_clid")
    if not CLICK_ID.fullmatch(str(click_id)):
        yield _refuse(
            "ctwa_clid",
            2804087,
            "user_data.ctwa_clid must be the id of a real click, as WhatsApp's webhook gave it."
            " The sandbox knows no clicks and looks at its form only.",
            "ctwa_clid",
            title="Messaging Event Invalid Ctwa Clid",
            evidence="M" if is_empty(click_id) else "T",
        )


def _instagram(people: dict[str, Any]) -> Iterator[Refusal]:
    if is_empty(people.get("ig_account_id")):
        yield _refuse(
            "ig_account_id",
            2804079,
            "An instagram event needs user_data.ig_account_id.",
            "ig_account_id",
        )
    if is_empty(people.get("ig_sid")):
        yield _refuse(
            "ig_sid",
            None,
            "An instagram event needs user_data.ig_sid.",
            "ig_sid",
            evidence="M",
            strict_only=True,
        )


def _refuse(
    reason: str,
    subcode: int | None,
    text: str,
    field: str,
    *,
    title: str = "Invalid Messaging Event",
    evidence: Evidence = "T",
    strict_only: bool = False,
) -> Refusal:
    return Refusal(
        reason=reason,
        text=text,
        subcode=subcode,
        title=title,
        evidence=evidence,
        field=field,
        strict_only=strict_only,
    )
