"""The Flask example shop, with the delivery a test wants.

Answers 202 in place of 200 where the file was busy and an event is in memory, which is no promise.
"""

import json
import os
import sys

from flask_shop import create_app
from flask_shop.config import Config

if "WITHOUT_THREADS" in os.environ:
    # As older versions of uWSGI say where nobody asks for threads; new ones always have them.
    sys.modules["uwsgi"].has_threads = False

app = create_app({"CAPI": {**Config.CAPI, "DELIVERY": json.loads(os.environ["SHOP_DELIVERY"])}})


def honestly(inner):
    def answer(environ, start_response):
        begun = []
        body = inner(environ, lambda *given: begun.extend(given))
        status, headers, *_ = begun
        client = app.extensions["capi"].client
        if status == "200 OK" and "sqlite" in client.settings.delivery.outbox:
            status = "202 Accepted" if client.stats().in_memory else status
        start_response(status, headers)
        return body

    return answer


app.wsgi_app = honestly(app.wsgi_app)
