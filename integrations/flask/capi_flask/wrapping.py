"""Sets up an app that knows nothing of this library, without a line of code in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Config, Flask
from flask.cli import ScriptInfo

from capi_flask.extension import Capi
from capi_plugins.toml_file import read_toml


def wrap(target: str) -> Flask:
    """Load an app and set it up; its own modules stay as they are.

    For ``FLASK_APP="capi_flask:wrap('flaskr:create_app')"``. An app that calls ``Capi`` itself is
    returned as it is. The configuration is ``app.config["CAPI"]``; where the app has none, ``CAPI``
    of ``config.py`` in its instance folder, or the TOML file that ``CAPI_CONFIG`` names. What
    stands in ``FLASK_CAPI`` and ``FLASK_CAPI__...`` of the environment is laid over it.

    Args:
        target: What ``flask --app`` takes: ``module:app``, ``module:factory``,
            ``module:factory("argument")`` or a module alone.

    Returns:
        The app.

    Raises:
        NoAppException: There is no such app.
        ConfigurationError: The configuration is wrong, with one sentence for each mistake.
        PluginError: A plugin cannot be used.
    """
    app = ScriptInfo(app_import_path=target, set_debug_flag=False).load_app()
    if "capi" in app.extensions:
        return app
    configured = _configured(app)
    if configured is not None:
        app.config["CAPI"] = configured
    Capi(app)
    return app


def _configured(app: Flask) -> dict[str, Any] | None:
    """Find the settings, and lay those of the environment over them."""
    found: Any = app.config.get("CAPI")
    if found is None:
        beside = Config(app.instance_path)
        beside.from_pyfile("config.py", silent=True)
        found = beside.get("CAPI")
    if found is None and (path := os.environ.get("CAPI_CONFIG")):
        found = read_toml(Path(path))
    merged = Config(app.instance_path)
    if found is not None:
        # Config.from_prefixed_env() writes into the dictionaries that it finds.
        merged["CAPI"] = _copied(found)
    merged.from_prefixed_env("FLASK")
    return merged.get("CAPI")


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    return value
