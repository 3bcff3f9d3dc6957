"""Which properties are about a person, by their names."""

from __future__ import annotations

import functools
import itertools
import re

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_]+")
_LONGEST = 100

# fmt: off
_WORDS = frozenset([
    "email", "emails", "mail", "mails", "phone", "phones", "mobile", "telephone", "tel", "fax",
    "cell", "whatsapp", "skype", "telegram", "firstname", "lastname", "fullname", "surname",
    "middlename", "nickname", "username", "login", "forename", "birthday", "birthdate", "birth",
    "dob", "gender", "sex", "age", "ssn", "passport", "iban", "iin", "vat", "taxid",
    "address", "addresses", "street", "street1", "street2", "city", "town", "state", "province",
    "zip", "zipcode", "postalcode", "postcode", "postal", "country", "region", "latitude",
    "longitude", "lat", "lng", "lon", "location", "geo", "recipient", "recipients", "invitee",
    "sender", "contact", "customer", "user", "person", "patient", "guest", "traveler", "traveller",
    "passenger", "employee", "author", "owner", "traits", "avatar", "signature", "password",
    "passwd", "pwd", "secret", "token", "jwt", "otp", "pin", "cvv", "cvc", "card", "authorization",
    "cookie", "session", "ip", "ipaddress", "useragent",
])
_BEFORE_NAME = frozenset([
    "first", "last", "full", "given", "family", "middle", "sur", "nick", "user", "display", "real",
    "legal", "maiden", "preferred", "billing", "shipping", "account", "holder", "cardholder",
    "member", "client", "student", "teacher", "doctor", "spouse",
])
_HARMLESS = frozenset([
    "customer_segmentation", "customer_type", "is_new_customer", "new_customer", "user_type",
])
# fmt: on


def is_personal_name(key: str) -> bool:
    """Whether a property is about a person, or opens a door, by its name.

    ``recipient``, ``invitee_email``, ``billingPhone`` and a bare ``name`` are; ``product_name`` is
    not.

    Args:
        key: The property's name. One too long to be a name counts as personal.
    """
    return len(key) > _LONGEST or "@" in key or _is_personal(key)


@functools.lru_cache(maxsize=4096)
def _is_personal(key: str) -> bool:
    if key.lower() in _HARMLESS:
        return False
    words = [word.lower() for word in _WORD.findall(key)]
    pairs = {first + second for first, second in itertools.pairwise(words)}
    if not _WORDS.isdisjoint((*words, *pairs, "".join(words))):
        return True
    return any(
        word in ("name", "names") and (place == 0 or words[place - 1] in _BEFORE_NAME)
        for place, word in enumerate(words)
    )
