from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capi_plugins._retry import BASE, CAP, LONGEST_WISH, backoff


@pytest.mark.parametrize("failures", [1, 2, 3, 6])
def test_waits_are_spread_evenly_between_nothing_and_the_longest(failures):
    longest = BASE * 2 ** (failures - 1)
    waits = [backoff(failures) for _ in range(4000)]
    assert 0 <= min(waits) < longest * 0.02
    assert longest * 0.98 < max(waits) <= longest
    # The mean of 4000 even draws is within 5 standard errors of the middle.
    error = longest / math.sqrt(12 * len(waits))
    assert abs(statistics.fmean(waits) - longest / 2) < 5 * error
    quarters = [sum(q <= wait / longest * 4 < q + 1 for wait in waits) for q in range(4)]
    assert all(800 < quarter < 1200 for quarter in quarters)


@pytest.mark.parametrize("failures", [10, 11, 100, 10_000])
def test_waits_are_capped(failures):
    waits = [backoff(failures) for _ in range(500)]
    assert max(waits) <= CAP == 300
    assert max(waits) > CAP * 0.9


def test_two_processes_do_not_come_back_together():
    assert len({backoff(5) for _ in range(100)}) == 100


def test_the_wish_of_the_other_side_is_the_least():
    assert all(60 <= backoff(1, at_least=60) <= 61 for _ in range(100))


@given(st.integers(1, 10**6), st.none() | st.floats() | st.integers())
def test_whatever_the_other_side_wishes_the_wait_is_sane(failures, wish):
    assert 0 <= backoff(failures, at_least=wish) <= LONGEST_WISH + CAP
