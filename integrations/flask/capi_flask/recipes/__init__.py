"""Recipes: the conversions of well-known extensions, described with the triggers of settings.

Each module is a plugin as anybody might write one. It is loaded when its extension is installed and
``CAPI["RECIPES"]`` does not leave it out; it says nothing while the app does not use the extension,
because nobody sends the signals then.
"""

from __future__ import annotations

import importlib
import importlib.util

EXTENSIONS = ("flask_dance", "flask_login", "flask_security")
"""The recipes; each has the name of the package that it is for."""


def installed() -> dict[str, object]:
    """Return the recipes whose extensions are installed, by name."""
    return {
        name: importlib.import_module(f"{__name__}.{name}")
        for name in EXTENSIONS
        if importlib.util.find_spec(name) is not None
    }
