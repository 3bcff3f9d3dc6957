"""The bodies and headers of the sandbox's answers, as Meta forms them."""

from __future__ import annotations

import secrets
from typing import Any, Final

import attrs
import orjson

from capi_plugins.sandbox.refusals import Refusal

FRENCH: Final[dict[str, tuple[str, str]]] = {
    "event_time_too_old": (
        "Horodatage de l'évènement trop ancien",
        "L'heure de cet évènement remonte à trop longtemps. Vérifiez sa valeur.",
    ),
    "event_time_in_future": (
        "Horodatage de l'évènement dans le futur",
        "L'heure de cet évènement n'est pas encore passée. Vérifiez sa valeur.",
    ),
    "not_hashed": (
        "Paramètre client non haché",
        "Un paramètre client doit être haché avec SHA-256 avant l'envoi.",
    ),
    "too_little_customer_information": (
        "Informations client insuffisantes",
        "Cet évènement ne contient pas assez d'informations client.",
    ),
    "purchase_without_value": (
        "Valeur manquante pour l'achat",
        "Indiquez le montant de l'achat, par exemple 1,99.",
    ),
    "purchase_without_currency": (
        "Devise manquante pour l'achat",
        "Indiquez la devise de l'achat, par exemple EUR.",
    ),
}
"""Titles and texts of the commonest refusals in French: Meta translates them for its users."""

FRENCH_MESSAGES: Final[dict[int, str]] = {
    1: "Une erreur inconnue s'est produite",
    2: "Service temporairement indisponible",
    4: "(#4) Limite de requêtes de l'application atteinte",
    17: "(#17) Limite de requêtes de l'utilisateur atteinte",
    104: "Un jeton d'accès est nécessaire pour demander cette ressource.",
    190: "Jeton d'accès OAuth non valide",
}


@attrs.frozen(kw_only=True)
class Answer:
    """One HTTP answer.

    Attributes:
        status: HTTP status.
        body: The bytes to send.
        headers: Headers beyond the content type.
        content_type: Media type.
    """

    status: int
    body: bytes = attrs.field(repr=False)
    headers: dict[str, str] = attrs.field(factory=dict)
    content_type: str = "application/json; charset=UTF-8"

    @property
    def content(self) -> Any:
        """The body decoded: JSON where it is JSON, text otherwise."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return self.body.decode("utf-8", "replace")


def trace_id() -> str:
    """Return a new ``fbtrace_id`` of Meta's form."""
    return "A" + secrets.token_urlsafe(17)[:22]


def success(count: int) -> dict[str, Any]:
    """Return Meta's body for an accepted batch of ``count`` events."""
    return {"events_received": count, "messages": [], "fbtrace_id": trace_id()}


def error_body(refusal: Refusal, *, transient: bool | None = None) -> dict[str, Any]:
    """Return Meta's error envelope.

    Args:
        refusal: What to say.
        transient: ``is_transient``; None says False for payload errors and nothing otherwise.

    Returns:
        The body. An answer nobody has published carries an extra member ``sandbox`` that says so.
    """
    error: dict[str, Any] = {
        "message": refusal.message,
        "type": refusal.type,
        "code": refusal.code,
    }
    if refusal.subcode is not None:
        error["error_subcode"] = refusal.subcode
    if transient is not None:
        error["is_transient"] = transient
    elif refusal.title:
        error["is_transient"] = False
    if refusal.title:
        error["error_user_title"] = refusal.title
        error["error_user_msg"] = refusal.text
    error["fbtrace_id"] = trace_id()
    if refusal.invented:
        error["sandbox"] = {
            "invented": True,
            "evidence": refusal.evidence,
            "note": "Meta's answer to this is not published: rely on code 100 alone.",
        }
    return {"error": error}


def in_french(refusal: Refusal) -> Refusal:
    """Return the refusal as Meta words it for a French token owner: same codes, other texts."""
    title, text = FRENCH.get(
        refusal.reason, ("Paramètre non valide", "Un paramètre n'est pas valide.")
    )
    return attrs.evolve(
        refusal,
        message=FRENCH_MESSAGES.get(refusal.code, "Paramètre non valide"),
        title=title if refusal.title else "",
        text=text,
    )


def as_answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """Return ``body`` as a JSON answer."""
    return Answer(status=status, body=orjson.dumps(body), headers=headers or {})
