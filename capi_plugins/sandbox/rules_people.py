"""``user_data``: what must be hashed, and whether it says enough about the person."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from capi_plugins.destinations.meta import fields
from capi_plugins.sandbox.case import Case, is_empty
from capi_plugins.sandbox.refusals import Refusal

APPENDIX: Final = r"(?:\.(?:[A-Za-z0-9_-]{2}|[A-Za-z0-9_-]{8}))?"
"""What Meta's parameter builder appends to a value: two or eight characters."""
SHA256: Final = re.compile(rf"[0-9a-f]{{64}}{APPENDIX}", re.ASCII)
UPPER_SHA256: Final = re.compile(rf"[0-9A-Fa-f]{{64}}{APPENDIX}", re.ASCII)
MD5: Final = re.compile(r"[0-9a-fA-F]{32}", re.ASCII)
LEAD_ID: Final = re.compile(r"[0-9]{15,17}", re.ASCII)
OPTIONAL_HASH: Final = frozenset(["external_id"])
"""Keys where Meta recommends the hash and takes the plain value."""


def texts(value: object) -> list[str]:
    """Return the texts in a value that is a text or a list of them, blank ones left out."""
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, str) and item.strip()]


def looks_hashed(value: str) -> bool:
    """Whether a text has the form of a SHA-256, in either case, or of an MD5."""
    return bool(UPPER_SHA256.fullmatch(value) or MD5.fullmatch(value))


def check_hashing(case: Case) -> Iterator[Refusal]:
    """Yield a refusal for each key that must be SHA-256 and is not."""
    people = case.section("user_data")
    for key in people:
        if key not in fields.HASHED_KEYS or key in OPTIONAL_HASH:
            continue
        wrong = [text for text in texts(people[key]) if not SHA256.fullmatch(text)]
        if wrong:
            tolerated = all(looks_hashed(text) for text in wrong)
            yield Refusal(
                reason="not_hashed",
                text=f"The {key} parameter isn't hashed as lowercase hexadecimal SHA-256. Every"
                " customer parameter must be, except those Meta wants as they are, such as the"
                " user agent, the click id and the browser id.",
                subcode=2804016,
                title="Unhashed Customer Information Parameter",
                evidence="G" if tolerated else "F",
                field=key,
                strict_only=tolerated,
            )


def check_information(case: Case) -> Iterator[Refusal]:
    """Yield a refusal when the keys, taken together, single nobody out."""
    people = case.section("user_data")
    present = {key for key, value in people.items() if not is_empty(value)}
    if any(present <= broad for broad in fields.TOO_BROAD):
        yield Refusal(
            reason="too_little_customer_information",
            text="This event has no customer information, or only such as fits too many people."
            " Send an identifier: em, ph, external_id, fbp, fbc, or fn and ln together.",
            subcode=2804050,
            title="Insufficient Customer Information",
            evidence="F",
            field="user_data",
        )
    lead_id = people.get("lead_id")
    if not is_empty(lead_id) and not LEAD_ID.fullmatch(str(lead_id)):
        yield Refusal(
            reason="lead_id",
            text="lead_id must be the lead's own number from Meta, 15 to 17 digits.",
            subcode=2804036,
            title="Invalid Lead ID",
            evidence="F",
            field="lead_id",
        )
    if case.get("action_source") == "website" and is_empty(people.get("client_user_agent")):
        yield Refusal(
            reason="missing_user_agent",
            text="A website event needs user_data.client_user_agent, the browser's own. Meta"
            " documents it as required and lets it pass today.",
            title="Missing Client User Agent",
            evidence="M",
            field="client_user_agent",
            strict_only=True,
        )
