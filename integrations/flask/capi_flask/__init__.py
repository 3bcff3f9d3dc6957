"""Meta Conversions API for Flask, by configuration alone.

::

    from capi_flask import Capi

    app.config["CAPI"] = {...}
    Capi(app)  # or: capi = Capi(); capi.init_app(app)
"""

from __future__ import annotations

from capi_flask.extension import Capi

__all__ = ["Capi"]
