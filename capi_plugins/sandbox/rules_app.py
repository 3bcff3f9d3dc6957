"""``app_data``: what events from an app must bring along."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from capi_plugins.destinations.meta import fields
from capi_plugins.sandbox.case import Case, is_empty, is_integer
from capi_plugins.sandbox.refusals import Evidence, Refusal, structural

FLAGS: Final = ("advertiser_tracking_enabled", "application_tracking_enabled")
OS_VERSION: Final = fields.EXTINFO.index("os_version")


def check(case: Case) -> Iterator[Refusal]:
    """Yield what is wrong with an app event and its ``app_data``."""
    data = case.section("app_data")
    for key in data:
        if key not in fields.APP_DATA_KEYS:
            text = f"Unexpected key \"{key[:80]}\" on param {case.path}['app_data']"
            yield structural("unexpected_key", text, field=key, strict_only=True)
    if case.get("action_source") != "app":
        return
    yield from _flags(data)
    yield from _device(data.get("extinfo"))
    if not case.dataset.linked_app:
        yield Refusal(
            reason="no_linked_app",
            text="This dataset has no app linked to it. Link exactly one in Events Manager.",
            title="Dataset Not Linked To An App",
            evidence="M",
            field="action_source",
        )


def _flags(data: dict[str, Any]) -> Iterator[Refusal]:
    for key in FLAGS:
        value = data.get(key)
        if value is None:
            if key == "advertiser_tracking_enabled":
                yield Refusal(
                    reason="missing_tracking_flag",
                    text="app_data.advertiser_tracking_enabled is required for events whose action"
                    " source is 'app': 1 if the person allowed tracking, otherwise 0.",
                    title="Missing Advertiser Tracking Enabled Flag",
                    evidence="F",
                    field=key,
                )
            continue
        if not (is_integer(value) and value in {0, 1}):
            yield Refusal(
                reason="tracking_flag",
                text=f"app_data.{key} must be the number 0 or 1.",
                title="Invalid Tracking Flag",
                evidence="G",
                field=key,
                strict_only=isinstance(value, bool) or value in ("0", "1"),
            )


def _device(extinfo: object) -> Iterator[Refusal]:
    if not isinstance(extinfo, list) or len(extinfo) != len(fields.EXTINFO):
        yield _bad_device(f"app_data.extinfo must be a list of {len(fields.EXTINFO)} texts.")
        return
    if extinfo[0] not in fields.EXTINFO_VERSIONS:
        yield _bad_device("app_data.extinfo[0] must be a2 (Android) or i2 (iOS).", evidence="G")
    if is_empty(extinfo[OS_VERSION]):
        yield _bad_device(f"app_data.extinfo[{OS_VERSION}], the OS version, must not be empty.")
    if not all(isinstance(item, str) for item in extinfo):
        yield _bad_device(
            'app_data.extinfo must hold texts only; unknown is "".', evidence="G", strict_only=True
        )


def _bad_device(text: str, *, evidence: Evidence = "T", strict_only: bool = False) -> Refusal:
    return Refusal(
        reason="extinfo",
        text=text,
        subcode=2804043,
        title="Invalid Extended Device Info Parameter",
        evidence=evidence,
        field="extinfo",
        strict_only=strict_only,
    )
