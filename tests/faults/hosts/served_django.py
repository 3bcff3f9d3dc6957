"""The settings of the Django example shop, with the delivery a test wants."""

import json
import os

from shop.settings import *  # noqa: F403

ALLOWED_HOSTS = ["127.0.0.1"]
CAPI = {**CAPI, "DELIVERY": json.loads(os.environ["SHOP_DELIVERY"])}  # noqa: F405
if "SHOP_AGREED" in os.environ:
    CAPI["CONSENT"] = {"DEFAULT": "granted"}
