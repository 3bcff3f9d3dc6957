"""A shop that takes orders and nothing else: ``/order/7/``.

``?die=before`` kills its process before the event of the request is stored, ``?die=after`` when it
is and the answer is not sent yet, ``?hang=1`` keeps it from answering then. 200 is a promise.
"""

import json
import os
import signal
import time

import flask
from capi_flask import Capi
from promises import honest

app = flask.Flask(__name__)
app.config["CAPI"] = json.loads(os.environ["SHOP_CAPI"])
Capi(app)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


@app.get("/order/<number>/")
def order(number):
    flask.current_app.extensions["capi"].client.track(
        "Purchase", event_id=number, custom_data={"value": 5, "currency": "EUR"}
    )
    if flask.request.args.get("die") == "before":
        die()
    return number


class Dying:
    """Around the whole of the app, so that what ends a request is over when it comes back."""

    def __init__(self, inner):
        self._inner = inner

    def __call__(self, environ, start_response):
        begun = []
        answer = self._inner(environ, lambda *given: begun.extend(given))
        client = app.extensions["capi"].client
        stuck = environ["QUERY_STRING"]
        # What is in memory, because the file was busy, is not stored yet.
        while stuck and client.stats().in_memory:
            time.sleep(0.01)
        if "die=after" in stuck:
            die()
        while "hang=1" in stuck:
            time.sleep(1)
        status, headers, *_ = begun
        start_response(honest(status, client), headers)
        return answer


app.wsgi_app = Dying(app.wsgi_app)
