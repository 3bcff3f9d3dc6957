"""The Flask example shop, with the delivery a test wants."""

import json
import os
import sys

from flask_shop import create_app
from flask_shop.config import Config

if "WITHOUT_THREADS" in os.environ:
    # As older versions of uWSGI say where nobody asks for threads; new ones always have them.
    sys.modules["uwsgi"].has_threads = False

app = create_app({"CAPI": {**Config.CAPI, "DELIVERY": json.loads(os.environ["SHOP_DELIVERY"])}})
