from __future__ import annotations

import email.utils
import json
import time

import pytest

from capi_plugins.destinations.meta.throttling import LONGEST_WAIT, wait


def test_the_business_header_counts_minutes_and_the_longest_wait_wins():
    usage = {
        "1": [{"estimated_time_to_regain_access": 3}, {"estimated_time_to_regain_access": 0}],
        "2": [{"estimated_time_to_regain_access": 5}],
    }
    assert wait({"x-business-use-case-usage": json.dumps(usage)}) == 300


def test_the_account_header_counts_seconds_when_the_account_is_full():
    usage = {"acc_id_util_pct": 100, "reset_time_duration": 90}
    assert wait({"x-ad-account-usage": json.dumps(usage)}) == 90
    assert wait({"x-ad-account-usage": json.dumps({**usage, "acc_id_util_pct": 9.67})}) is None


def test_retry_after_is_seconds_or_a_date():
    assert wait({"retry-after": "7"}) == 7
    date = email.utils.formatdate(time.time() + 120, usegmt=True)
    assert wait({"retry-after": date}) == pytest.approx(120, abs=5)


def test_no_wait_is_longer_than_an_hour():
    usage = {"1": [{"estimated_time_to_regain_access": 100_000}]}
    assert wait({"x-business-use-case-usage": json.dumps(usage)}) == LONGEST_WAIT
    assert wait({"retry-after": "1e9"}) == LONGEST_WAIT


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"retry-after": "soon"},
        {"retry-after": "-5"},
        {"retry-after": "nan"},
        {"retry-after": "inf"},
        {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"},
        {"retry-after": "Wed, 99 Oct 2015 07:28:00"},
        {"x-business-use-case-usage": "{"},
        {"x-business-use-case-usage": "[]"},
        {"x-business-use-case-usage": '{"1": {}}'},
        {"x-business-use-case-usage": '{"1": [1, null, {"estimated_time_to_regain_access": "x"}]}'},
        {"x-business-use-case-usage": '{"1": [{"estimated_time_to_regain_access": true}]}'},
        {"x-ad-account-usage": "null"},
        {"x-app-usage": '{"call_count": 100}'},
    ],
)
def test_garbage_asks_for_no_wait(headers):
    assert wait(headers) is None
