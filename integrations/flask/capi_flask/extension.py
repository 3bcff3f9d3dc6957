"""The extension: one client for each app."""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask, current_app, has_app_context
from markupsafe import Markup

from capi_flask import recipes
from capi_flask.identity import identify
from capi_flask.installed import Installed
from capi_flask.lifecycle import Lifecycle
from capi_flask.outbox import auto_outbox
from capi_flask.views import mount
from capi_plugins import Client, ConfigurationError, Event, FlushResult, configure
from capi_plugins.browser import MARK

_log = logging.getLogger("capi_plugins.flask")
_USER_DATA = {"external_id": ["id", "get_id"], "email": "email"}


class Capi:
    """The Flask extension.

    One object may serve any number of apps: nothing of an app is kept here, everything is in
    ``app.extensions["capi"]``.

    Args:
        app: The app to set up now; None: call ``init_app`` later.

    Raises:
        ConfigurationError: ``app.config["CAPI"]`` is wrong, with one sentence for each mistake.
        PluginError: A plugin cannot be used.
    """

    def __init__(self, app: Flask | None = None) -> None:
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Read ``app.config["CAPI"]`` and listen to the app's requests.

        A second call for the same app changes nothing.

        Args:
            app: The app, with its configuration loaded.

        Raises:
            ConfigurationError: The configuration is wrong, with one sentence for each mistake.
            PluginError: A plugin cannot be used.
        """
        if "capi" in app.extensions:
            return
        if "CAPI" not in app.config:
            _log.warning(
                "app.config has no CAPI, so nothing will be sent: "
                "load the configuration before Capi.init_app()"
            )
        if getattr(app, "_got_first_request", False):
            _log.warning(
                "Capi.init_app() was called after the first request: what happened before is lost"
            )
        client = configure(
            app.config.get("CAPI"),
            outboxes={"auto": auto_outbox(app)},
            recipes=recipes.installed(),
            user_data=_USER_DATA,
            identify=identify,
        )
        installed = Installed(client)
        if problems := installed.signals.misspelt():
            client.close()
            raise ConfigurationError(problems)
        app.extensions["capi"] = installed
        mount(app, client)
        app.jinja_env.globals.setdefault("capi_pixel", _capi_pixel)
        if installed.active:
            installed.lifecycle = Lifecycle(installed)
            installed.lifecycle.connect(app)
            installed.signals.connect(import_modules=False)

    @property
    def client(self) -> Client:
        """The client of the current app.

        Raises:
            RuntimeError: There is no application context, or the app was not set up.
        """
        installed = current_app.extensions.get("capi")
        if not isinstance(installed, Installed):
            raise RuntimeError(  # noqa: TRY004 - what Flask's extensions raise for this
                f"Capi was not set up for the app {current_app.name!r}: call Capi.init_app(app)"
            )
        return installed.client

    def track(self, event: Event | str, /, **fields: Any) -> None:
        """Note an event of the current app; never raises.

        Inside a request it is captured when the request ends, elsewhere at once.

        Args:
            event: The event, or its name.
            **fields: The event's other attributes, when a name is given; groups may be mappings.
        """
        installed = current_app.extensions.get("capi") if has_app_context() else None
        if isinstance(installed, Installed):
            installed.track(event, fields)
        else:
            _log.error("an event was lost: Capi.track() needs the context of an app with Capi")

    def flush(self, timeout: float = 10.0) -> FlushResult:
        """Wait until everything of the current app is delivered.

        Args:
            timeout: Most seconds to wait.

        Returns:
            What is left; true when nothing is.
        """
        return self.client.flush(timeout)


def _capi_pixel() -> Markup:
    """Mark the place of the pixel's code in a page; without it the code ends the head."""
    return Markup(MARK)  # noqa: S704 - a constant
