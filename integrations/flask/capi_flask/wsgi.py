"""An app that knows nothing of this library, as a WSGI application.

``CAPI_FLASK_APP`` names it, as ``flask --app`` would::

    CAPI_FLASK_APP=flaskr:create_app gunicorn capi_flask.wsgi:app
    CAPI_FLASK_APP=flaskr:create_app flask --app capi_flask.wsgi run
"""

from __future__ import annotations

import os

from capi_flask.wrapping import wrap

if not os.environ.get("CAPI_FLASK_APP"):
    raise RuntimeError(
        "capi_flask.wsgi needs CAPI_FLASK_APP in the environment: the app, such as "
        "'shop:app' or 'shop:create_app'"
    )

app = wrap(os.environ["CAPI_FLASK_APP"])
