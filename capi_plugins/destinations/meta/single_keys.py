"""Match keys with one value: ids sent as they are, and the parts of names and dates."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from capi_plugins.destinations.meta import click_ids, digests, ip_address, normalize
from capi_plugins.destinations.meta.scalars import Unusable, sendable, text

_LONGEST_ID = 256
_CTWA_CLID = re.compile(r"[A-Za-z0-9_-]{40,500}", re.ASCII)
_LEAD_ID_DIGITS = range(15, 18)
_LOGIN_ID_DIGITS = range(1, 19)


def _click_to_whatsapp(value: object) -> str:
    result = text(value).strip()
    if not _CTWA_CLID.fullmatch(result):
        # Meta looks the click up; what cannot be one takes the batch with it.
        raise Unusable("is no click-to-WhatsApp id")
    return result


def _id(value: object) -> str:
    result = sendable(value, _LONGEST_ID)
    if result.lower() in normalize.PLACEHOLDERS or not result.strip("0-"):
        # An advertising id of zeros is what a phone gives when tracking is refused.
        raise Unusable("is empty")
    return result


def _fbp(value: object) -> str:
    result = (value if type(value) is str else text(value)).strip()
    if not click_ids.is_fbp(result):
        raise Unusable("is not of the form fb.<index>.<milliseconds>.<number>")
    return result


def _fbc(value: object) -> str:
    result = (value if type(value) is str else text(value)).strip()
    if not click_ids.is_fbc(result):
        raise Unusable("is not of the form fb.<index>.<milliseconds>.<click id>")
    return result


def _digits(value: object, lengths: range) -> int:
    digits = text(value).strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) in lengths):
        raise Unusable(f"is not a number of {lengths[0]} to {lengths[-1]} digits")
    return int(digits)


def _lead_id(value: object) -> int:
    # Meta's own export of leads writes l:123...
    return _digits(text(value).strip().removeprefix("l:"), _LEAD_ID_DIGITS)


def _login_id(value: object) -> int:
    return _digits(value, _LOGIN_ID_DIGITS)


def _part(normal_form: digests.NormalForm) -> Callable[[object], str]:
    digest = digests.of(normal_form)
    return lambda value: digest(text(value), None)


SINGLE: Mapping[str, Callable[[object], str | int]] = {
    "client_ip_address": ip_address.normalize,
    "client_user_agent": sendable,
    "fbp": _fbp,
    "fbc": _fbc,
    "subscription_id": _id,
    "fb_login_id": _login_id,
    "lead_id": _lead_id,
    "anon_id": _id,
    "madid": _id,
    "page_id": _id,
    "page_scoped_user_id": _id,
    "ctwa_clid": _click_to_whatsapp,
    "whatsapp_business_account_id": _id,
    "ig_account_id": _id,
    "instagram_business_account_id": _id,
    "ig_sid": _id,
    "partner_id": _id,
    "partner_name": _id,
    "f5first": _part(normalize.first_five),
    "f5last": _part(normalize.first_five),
    "fi": _part(normalize.first_letter),
    "dobd": _part(normalize.day_of_birth),
    "dobm": _part(normalize.month_of_birth),
    "doby": _part(normalize.year_of_birth),
}
