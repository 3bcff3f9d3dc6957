"""A scripted shopper, who visits either example shop as a person with a browser does.

A journey is a function in JOURNEYS. It takes a fresh Shopper, shops over real HTTP and returns
what ought to arrive at the Conversions API because of it, as a list of Expectation values.
"""

from httpx import HTTPError

from .journeys import JOURNEYS
from .page import ShopMisbehaved
from .shopper import Shopper

__all__ = ["JOURNEYS", "HTTPError", "ShopMisbehaved", "Shopper"]
