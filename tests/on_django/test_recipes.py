"""What is documented of recipes is what there is."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from capi_django.recipes import APPS

pytestmark = pytest.mark.repository

PAGE = (Path(__file__).parents[2] / "docs/recipes.md").read_text()


def test_every_recipe_has_a_row_and_a_section():
    table = PAGE.split("## What there is")[1].split("\n\n")[1]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(APPS)
    headings = re.findall(r"^### (.+)$", PAGE, re.MULTILINE)
    sections = {name for line in headings for name in line.split(", ")}
    assert sections == set(APPS)


@pytest.mark.parametrize("name", APPS)
def test_every_recipe_is_a_plugin_with_triggers(name):
    module = importlib.import_module(f"capi_django.recipes.{name}")
    assert hasattr(module.capi_triggers, "capi_plugins_impl")
    assert f"`{APPS[name]}`" in PAGE
