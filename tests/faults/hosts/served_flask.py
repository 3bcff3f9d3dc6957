"""The Flask example shop, with the delivery a test wants."""

import json
import os

from flask_shop import create_app
from flask_shop.config import Config

app = create_app({"CAPI": {**Config.CAPI, "DELIVERY": json.loads(os.environ["SHOP_DELIVERY"])}})
