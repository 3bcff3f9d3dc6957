"""Meta Conversions API for Flask, by configuration alone.

::

    from capi_flask import Capi

    app.config["CAPI"] = {...}
    Capi(app)  # or: capi = Capi(); capi.init_app(app)

Or without a line of code, for an app that is not to be touched::

    FLASK_APP="capi_flask:wrap('flaskr:create_app')"
"""

from __future__ import annotations

from capi_flask.extension import Capi
from capi_flask.wrapping import wrap

__all__ = ["Capi", "wrap"]
