"""What a host app adds to its settings for its conversions."""

import os


def add(settings, **more):
    """Add the app, the middleware, and a ``CAPI`` of destinations and consent.

    Args:
        settings: The names of a settings module.
        **more: Other keys of ``CAPI``.
    """
    how = os.environ["HOST_CAPI"]
    if how == "off":
        return
    settings["INSTALLED_APPS"] = [*settings["INSTALLED_APPS"], "capi_django"]
    settings["MIDDLEWARE"] = [*settings["MIDDLEWARE"], "capi_django.middleware.CapiMiddleware"]
    settings["CAPI"] = {
        "DESTINATIONS": {
            "meta": {
                "DATASET_ID": "1234567890",
                "ACCESS_TOKEN": "test-token",
                "API_URL": os.environ["SANDBOX_URL"],
            }
        },
        "CONSENT": {"DEFAULT": "denied", "SOURCES": ["cookieyes"]},
        **more,
    }
    if how in {"hooks", "store"}:
        import sabotage

        settings["CAPI"] |= getattr(sabotage, how.upper())
