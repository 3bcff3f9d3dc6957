"""The app: connects triggers and system checks when Django starts."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.signals import setting_changed


class CapiConfig(AppConfig):
    """Meta Conversions API."""

    name = "capi_django"
    verbose_name = "Meta Conversions API"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect triggers and checks; safe to call again, and never queries the database."""
        from capi_django import checks, conf  # noqa: PLC0415 - models are not loaded before

        checks.register()
        setting_changed.connect(conf.reload, weak=False, dispatch_uid="capi_django.conf.reload")
        conf.start()
