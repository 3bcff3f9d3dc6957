from __future__ import annotations

import hashlib
import json
import pathlib

import pytest

VECTORS = json.loads(
    (pathlib.Path(__file__).parent.parent / "data" / "normalization_vectors.json").read_text(
        encoding="utf-8"
    )
)["vectors"]
NEUTRAL = {
    "em": "email",
    "ph": "phone",
    "fn": "first_name",
    "ln": "last_name",
    "db": "date_of_birth",
    "ge": "gender",
    "ct": "city",
    "st": "state",
    "zp": "zip",
}
# Where we decide otherwise than the vector recommends.
EXCEPTIONS = {
    # An extension is dialled after the call is answered; it is no part of the number.
    ("ph", "+1-555-123-4567 ext. 123"): hashlib.sha256(b"15551234567").hexdigest(),
}


def identify(vector):
    return f"{vector['field']}-{vector['class']}-{vector['input'][:24]}"


@pytest.mark.parametrize("vector", [v for v in VECTORS if v["field"] != "currency"], ids=identify)
def test_a_match_key_is_sent_as_the_vector_says(user, vector):
    field, context = vector["field"], vector.get("context", {})
    name = NEUTRAL.get(field, field)
    keys = {name: vector["input"]}
    if name != "country" and context.get("country"):
        keys["country"] = context["country"]
    if name == "email":
        keys["external_id"] = "1"
    sent, notes = user(options={"DEFAULT_COUNTRY": context.get("default_country")}, **keys)
    expected = EXCEPTIONS.get((field, vector["input"]), vector["sent"])
    value = sent.get(field)
    assert (value[0] if isinstance(value, list) else value) == expected
    if expected is None:
        assert f"user_data.{name}" in notes


def test_a_currency_is_sent_in_capitals(custom):
    for vector in VECTORS:
        if vector["field"] == "currency":
            sent, _ = custom(currency=vector["input"])
            assert sent == {"currency": vector["sent"].upper()}
