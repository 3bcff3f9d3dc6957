"""Every fault of the list is tried, and the page about them says what the tests do."""

from __future__ import annotations

import runpy
import types
from pathlib import Path

import pytest

pytestmark = pytest.mark.repository

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def faults():
    return types.SimpleNamespace(**runpy.run_path(str(ROOT / "tools" / "faults_page.py")))


def numbers(faults):
    return {number for group in faults.known().values() for number in group["faults"]}


def test_every_fault_is_tried(faults):
    assert {number for test in faults.tried() for number in test.ids} == numbers(faults)


def test_every_test_of_the_suite_says_what_is_done_and_what_comes_of_it(faults):
    for test in faults.tried():
        assert test.ids, f"{test.test} has no mark"
        assert test.done.endswith(".") and test.outcome.endswith("."), test.test


def test_the_page_is_that_of_the_tests(faults):
    text = "run 'python tools/faults_page.py'"
    assert faults.PAGE.read_text() == faults.page(), text
