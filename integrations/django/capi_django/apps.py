"""The app: connects triggers and system checks when Django starts."""

from __future__ import annotations

import sys

from django.apps import AppConfig
from django.core.signals import setting_changed

from capi_plugins import sending_off


class CapiConfig(AppConfig):
    """Meta Conversions API."""

    name = "capi_django"
    verbose_name = "Meta Conversions API"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect triggers and checks; safe to call again, and never queries the database."""
        from capi_django import checks, conf  # noqa: PLC0415 - models are not loaded before

        sending_off.in_runs_of("Django", _is_tested)
        checks.register()
        setting_changed.connect(conf.reload, weak=False, dispatch_uid="capi_django.conf.reload")
        conf.start()


def _is_tested() -> bool:
    """Whether Django is set up for tests: by its own runner, or by pytest-django."""
    # Who runs no tests has not imported this; the state is there from
    # setup_test_environment() to teardown_test_environment().
    utils = sys.modules.get("django.test.utils")
    return hasattr(getattr(utils, "_TestState", None), "saved_data")
