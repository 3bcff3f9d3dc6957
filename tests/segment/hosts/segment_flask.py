"""A Flask host in one file: its pages, protected forms, and the extension."""

import json
import os

from capi_flask import Capi
from flask import Flask, send_from_directory
from flask_wtf import CSRFProtect

app = Flask(__name__)
app.config.update(SECRET_KEY="a host for tests", CAPI=json.loads(os.environ["HOST_CAPI"]))
Capi(app)
CSRFProtect(app)


@app.get("/shop/<path:name>")
def page(name):
    return send_from_directory(os.environ["HOST_PAGES"], name)
