"""What the sandbox says when it refuses a request, and what it remarks without refusing."""

from __future__ import annotations

from typing import Literal

import attrs

Evidence = Literal["L", "F", "T", "M", "G"]
"""How well Meta's answer is known: seen live, in an issue, told by a third party, documented
as a rule whose answer nobody published, or guessed."""


@attrs.frozen(kw_only=True)
class Refusal:
    """One reason to refuse, with everything Meta's answer needs.

    Attributes:
        reason: A short stable name of the rule (``event_time_too_old``).
        text: What is wrong, for Meta's ``error_user_msg`` and for the page.
        code: Graph error code.
        subcode: ``error_subcode``; None leaves the member out.
        status: HTTP status.
        type: Meta's ``error.type``; ``OAuthException`` even for payload errors.
        message: Meta's ``error.message``.
        title: Meta's ``error_user_title``; empty leaves the user texts out.
        evidence: How well this answer of Meta's is known.
        field: The field at fault, for the page.
        strict_only: Documented by Meta, but not known to be enforced: ``meta`` mode lets it pass
            with a remark.
    """

    reason: str
    text: str
    code: int = 100
    subcode: int | None = None
    status: int = 400
    type: str = "OAuthException"
    message: str = "Invalid parameter"
    title: str = ""
    evidence: Evidence = "L"
    field: str = ""
    strict_only: bool = False

    @property
    def invented(self) -> bool:
        """Whether nobody has published Meta's answer to this."""
        return self.evidence in {"M", "G"}


@attrs.frozen
class Notice:
    """A remark on an accepted event: it passes, yet will not do what its sender hopes.

    Attributes:
        reason: A short stable name (``missing_user_agent``).
        field: The field meant.
        text: What is wrong and what to do.
    """

    reason: str
    field: str
    text: str

    def __str__(self) -> str:
        """Read as the text."""
        return self.text


def structural(
    reason: str, text: str, *, field: str, evidence: Evidence = "G", strict_only: bool = False
) -> Refusal:
    """Refuse the shape of an event: the one kind of answer that carries a JSON path."""
    return Refusal(
        reason=reason,
        text=text,
        subcode=2804019,
        message=f"Server Side Api Parameter Error: {text}",
        title="Server Side Api Parameter Error",
        evidence=evidence,
        field=field,
        strict_only=strict_only,
    )
