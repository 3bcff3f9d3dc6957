"""The pytest plugin: fixtures, and no conversion leaves a machine because tests ran.

A package of its own that imports nothing of the others before a fixture is asked for: pytest loads
it for every project in whose environment capi-plugins is installed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from capi_plugins.sandbox import Sandbox
    from capi_plugins.testing import CapturedEvents

_VARIABLE = "CAPI_SENDING"
_set = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """Turn sending off, unless the environment says something else."""
    if _VARIABLE not in os.environ:
        # Not in this process alone: tests start servers, too.
        os.environ[_VARIABLE] = "off"
        config.stash[_set] = True


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave the environment as it was."""
    if config.stash.get(_set, False):
        os.environ.pop(_VARIABLE, None)


@pytest.fixture
def capi_events() -> Iterator[CapturedEvents]:
    """Record the events of the test and send nothing: ``capi_plugins.testing.capture_events``."""
    from capi_plugins.testing import capture_events  # noqa: PLC0415 - see the module's text

    with capture_events() as events:
        yield events


@pytest.fixture
def capi_sandbox() -> Iterator[Sandbox]:
    """Run a strict Graph API on a free port; in Django, ``settings.CAPI`` sends there."""
    from capi_plugins.sandbox import Sandbox  # noqa: PLC0415 - see the module's text

    with Sandbox() as sandbox:
        if not _is_django():
            yield sandbox
            return
        from django.conf import settings  # noqa: PLC0415 - there may be none
        from django.test import override_settings  # noqa: PLC0415

        from capi_plugins.testing import sandboxed  # noqa: PLC0415

        with override_settings(CAPI=sandboxed(getattr(settings, "CAPI", {}), sandbox.url)):
            yield sandbox


def _is_django() -> bool:
    """Whether there is a Django project with our app in this process, and it is set up."""
    registry = sys.modules.get("django.apps")
    apps = getattr(registry, "apps", None)
    return bool(apps and apps.ready and apps.is_installed("capi_django"))
