"""The Flask example shop, with the delivery a test wants; 200 is a promise."""

import json
import os
import sys

from flask_shop import create_app
from flask_shop.config import Config
from promises import honest

if "WITHOUT_THREADS" in os.environ:
    # As older versions of uWSGI say where nobody asks for threads; new ones always have them.
    sys.modules["uwsgi"].has_threads = False

app = create_app({"CAPI": {**Config.CAPI, "DELIVERY": json.loads(os.environ["SHOP_DELIVERY"])}})


def honestly(inner):
    def answer(environ, start_response):
        begun = []
        body = inner(environ, lambda *given: begun.extend(given))
        status, headers, *_ = begun
        start_response(honest(status, app.extensions["capi"].client), headers)
        return body

    return answer


app.wsgi_app = honestly(app.wsgi_app)
