"""Every fault of the list is tried, and the page about them says what the tests do."""

from __future__ import annotations

import runpy
import types
from pathlib import Path

import pytest

pytestmark = pytest.mark.repository

ROOT = Path(__file__).parents[2]
NOT_YET = {
    *"A1 A2 A4 A5 A6 A14 A15 A16 A17 A18 A19 A20 A21".split(),
    *"B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B11 B12 B13 B14 B15 B16 B17 B18".split(),
    *"D2 D3 D4 D5 D6 D7 D8 D9 D10 D11 D12".split(),
    *"S2 S4 S5 S6 S7 S8 S9 S11 S12 S13 S14 S18 S19 S20 S21 S22 S23 S24 S25".split(),
}
"""Faults nobody has tried so far. It may only shrink."""


@pytest.fixture(scope="module")
def faults():
    return types.SimpleNamespace(**runpy.run_path(str(ROOT / "tools" / "faults_page.py")))


def numbers(faults):
    return {number for group in faults.known().values() for number in group["faults"]}


def test_every_fault_is_tried(faults):
    tried = {number for test in faults.tried() for number in test.ids}
    assert numbers(faults) - tried == NOT_YET
    assert tried - numbers(faults) == set()


def test_every_test_of_the_suite_says_what_is_done_and_what_comes_of_it(faults):
    for test in faults.tried():
        assert test.ids, f"{test.test} has no mark"
        assert test.done.endswith(".") and test.outcome.endswith("."), test.test


def test_the_page_is_that_of_the_tests(faults):
    text = "run 'python tools/faults_page.py'"
    assert faults.PAGE.read_text() == faults.page(), text
