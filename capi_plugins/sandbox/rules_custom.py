"""``custom_data``: value, currency, contents and the types of what Meta documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from capi_plugins.destinations.meta import custom_fields, fields
from capi_plugins.sandbox.case import Case, is_empty, is_integer, number_of
from capi_plugins.sandbox.refusals import Refusal


def check(case: Case) -> Iterator[Refusal]:
    """Yield what is wrong with the event's ``custom_data``."""
    custom = case.section("custom_data")
    yield from _money(case, custom)
    yield from _contents(custom)
    yield from _types(custom)


def _money(case: Case, custom: dict[str, Any]) -> Iterator[Refusal]:
    value, currency = custom.get("value"), custom.get("currency")
    purchase = case.get("event_name") == "Purchase"
    if purchase and is_empty(value):
        yield Refusal(
            reason="purchase_without_value",
            text="A Purchase needs custom_data.value. Enter a value. For example: 1.99",
            subcode=2804009,
            title="Missing Value for Purchase Event",
            evidence="L",
            field="value",
        )
    if purchase and is_empty(currency):
        yield Refusal(
            reason="purchase_without_currency",
            text="A Purchase needs custom_data.currency, an ISO 4217 code such as EUR.",
            subcode=2804010,
            title="Missing Currency for Purchase Event",
            evidence="F",
            field="currency",
        )
    if not is_empty(value) and number_of(value) is None:
        yield _wrong("value", "custom_data.value must be a number such as 142.52.")
    if is_empty(currency):
        return
    if not isinstance(currency, str) or currency.upper() not in fields.CURRENCIES:
        yield Refusal(
            reason="currency",
            text="custom_data.currency must be an ISO 4217 code of three letters, such as EUR.",
            subcode=2804023,
            title="Invalid Currency",
            evidence="T",
            field="currency",
        )


def _contents(custom: dict[str, Any]) -> Iterator[Refusal]:
    contents = custom.get("contents")
    if contents is None:
        return
    if not isinstance(contents, list) or not all(isinstance(item, dict) for item in contents):
        yield _wrong("contents", "custom_data.contents must be a list of objects.")
        return
    for place, item in enumerate(contents):
        where = f"custom_data.contents[{place}]"
        if is_empty(item.get("id")):
            yield Refusal(
                reason="content_without_id",
                text=f"{where} has no id. Each entry needs the product's id in the catalogue.",
                subcode=2804008,
                title="Missing Content ID",
                evidence="T",
                field="contents",
            )
        elif not isinstance(item["id"], str):
            yield _wrong("contents", f"{where}.id must be text.", strict_only=True)
        quantity = item.get("quantity")
        if quantity is not None and not (is_integer(quantity) and quantity > 0):
            yield _wrong(
                "contents", f"{where}.quantity must be a whole number above 0.", strict_only=True
            )
        price = item.get("item_price")
        if price is not None and (isinstance(price, str) or number_of(price) is None):
            yield _wrong("contents", f"{where}.item_price must be a number.", strict_only=True)
        delivery = item.get("delivery_category")
        if (
            delivery is not None
            and delivery not in custom_fields.CUSTOM_DATA_ENUMS["delivery_category"]
        ):
            yield _wrong("contents", f"{where}.delivery_category is unknown.", strict_only=True)


def _types(custom: dict[str, Any]) -> Iterator[Refusal]:
    for key, value in custom.items():
        kind = custom_fields.CUSTOM_DATA_TYPES.get(key)
        if value is None or kind is None or key in {"value", "currency", "contents"}:
            continue
        if kind == "number" and number_of(value) is None:
            yield _wrong(key, f"custom_data.{key} must be a number.", strict_only=True)
        elif kind == "integer" and not is_integer(value):
            yield _wrong(key, f"custom_data.{key} must be a whole number.", strict_only=True)
        elif kind == "strings" and not _is_text_list(value):
            yield _wrong(key, f"custom_data.{key} must be a list of texts.", strict_only=True)
        elif kind == "string" and not isinstance(value, str):
            yield _wrong(key, f"custom_data.{key} must be text, even if numeric.", strict_only=True)
        elif kind == "object" and not isinstance(value, dict):
            yield _wrong(key, f"custom_data.{key} must be an object.", strict_only=True)


def _is_text_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _wrong(key: str, text: str, *, strict_only: bool = False) -> Refusal:
    return Refusal(
        reason="custom_data_type",
        text=text,
        title="Invalid Custom Data",
        evidence="G",
        field=key,
        strict_only=strict_only,
    )
