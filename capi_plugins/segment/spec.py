"""What the Segment spec calls things, and what Meta calls them: tables only.

Source: Segment's specs *V2 Ecommerce Events*, *B2B SaaS*, *Mobile Lifecycle Events* and, for the
other order of words, *Ecommerce Tracking Plan (V1)*; Meta's page *Standard Events*.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

import attrs

Shape = Literal["order", "product", "list", "search", "plain", "no amount", "named"]
"""Where an event keeps its amount and its products; ``named``: ``name`` is the thing's own."""


_LONGEST_REMEMBERED = 64
_MOST_REMEMBERED = 4096


class _Folded(dict[str, str]):
    """Names and their folded forms, which a message asks for sixty times."""

    def __missing__(self, name: str) -> str:
        folded = "".join(filter(str.isalnum, name.lower()))
        if len(name) <= _LONGEST_REMEMBERED:
            if len(self) >= _MOST_REMEMBERED:
                self.clear()
            self[name] = folded
        return folded


fold: Final[Callable[[str], str]] = _Folded().__getitem__
"""Brings the spellings of a name together: ``Order Completed``, ``order_completed``."""


@attrs.frozen
class Rule:
    """What becomes of an event of the spec.

    Attributes:
        event: Meta's name; None: a custom event under the name it came with.
        shape: Where its amount and its products are.
        about_others: The contact data in its properties are somebody else's, an invited friend's.
    """

    event: str | None
    shape: Shape = "plain"
    about_others: bool = False


CUSTOM: Final = Rule(None)

_SPEC: Mapping[str, Rule] = {
    "Products Searched": Rule("Search", "search"),
    "Product List Viewed": Rule("ViewContent", "list"),
    "Product List Filtered": Rule(None, "list"),
    "Promotion Viewed": Rule(None, "named"),
    "Promotion Clicked": Rule(None, "named"),
    "Product Clicked": Rule(None, "product"),
    "Product Viewed": Rule("ViewContent", "product"),
    "Product Added": Rule("AddToCart", "product"),
    "Product Removed": Rule(None, "product"),
    "Cart Viewed": Rule(None, "list"),
    "Checkout Started": Rule("InitiateCheckout", "order"),
    "Checkout Step Viewed": CUSTOM,
    "Checkout Step Completed": CUSTOM,
    "Payment Info Entered": Rule("AddPaymentInfo", "order"),
    "Order Completed": Rule("Purchase", "order"),
    # Their amounts are taken back or counted already: as a value they would be counted twice.
    "Order Updated": Rule(None, "no amount"),
    "Order Refunded": Rule(None, "no amount"),
    "Order Cancelled": Rule(None, "no amount"),
    "Coupon Entered": CUSTOM,
    "Coupon Applied": CUSTOM,
    "Coupon Denied": CUSTOM,
    "Coupon Removed": CUSTOM,
    "Product Added to Wishlist": Rule("AddToWishlist", "product"),
    "Product Removed from Wishlist": Rule(None, "product"),
    "Wishlist Product Added to Cart": Rule("AddToCart", "product"),
    "Product Shared": Rule(None, "product", about_others=True),
    "Cart Shared": Rule(None, "list", about_others=True),
    "Product Reviewed": CUSTOM,
    "Account Created": CUSTOM,
    "Account Deleted": CUSTOM,
    "Signed Up": Rule("CompleteRegistration"),
    "Signed In": CUSTOM,
    "Signed Out": CUSTOM,
    "Invite Sent": Rule(None, about_others=True),
    "Account Added User": Rule(None, about_others=True),
    "Account Removed User": Rule(None, about_others=True),
    "Trial Started": Rule("StartTrial"),
    "Trial Ended": CUSTOM,
    "Lead Generated": Rule("Lead"),
    "Subscription Started": Rule("Subscribe"),
    "Application Installed": Rule("MobileAppInstall"),
    "Application Opened": CUSTOM,
    "Application Updated": CUSTOM,
    "Application Backgrounded": CUSTOM,
    "Application Foregrounded": CUSTOM,
    "Application Crashed": CUSTOM,
    "Application Uninstalled": CUSTOM,
    "Push Notification Received": CUSTOM,
    "Push Notification Tapped": CUSTOM,
    "Push Notification Bounced": CUSTOM,
    "Install Attributed": CUSTOM,
    "Deep Link Clicked": CUSTOM,
    "Deep Link Opened": CUSTOM,
}

_OTHER_NAMES: Mapping[str, str] = {
    "Product Searched": "Products Searched",
    "Product Category Viewed": "Product List Viewed",
    "Viewed Product Category": "Product List Viewed",
    "Added Product to Wishlist": "Product Added to Wishlist",
    "Removed Product from Wishlist": "Product Removed from Wishlist",
    "Added Wishlist Product to Cart": "Wishlist Product Added to Cart",
    "Product Added to Cart": "Product Added",
    "Added to Cart": "Product Added",
    "Added to Wishlist": "Product Added to Wishlist",
    "Order Started": "Checkout Started",
    "Started Order": "Checkout Started",
    "Payment Info Added": "Payment Info Entered",
    "Added Payment Info": "Payment Info Entered",
    "Order Canceled": "Order Cancelled",
    "Canceled Order": "Order Cancelled",
    "Sign Up": "Signed Up",
}

_META: Mapping[str, Rule] = {
    **{
        name: Rule(name)
        for name in (
            "CompleteRegistration",
            "Contact",
            "CustomizeProduct",
            "Donate",
            "FindLocation",
            "Lead",
            "MobileAppInstall",
            "Schedule",
            "StartTrial",
            "SubmitApplication",
            "Subscribe",
        )
    },
    **{name: Rule(name, "product") for name in ("AddToCart", "AddToWishlist", "ViewContent")},
    **{name: Rule(name, "order") for name in ("AddPaymentInfo", "InitiateCheckout", "Purchase")},
    "Search": Rule("Search", "search"),
    "PageView": Rule("PageView", "named"),
}


def _events() -> dict[str, Rule]:
    found = {}
    for name, rule in _SPEC.items():
        found[fold(name)] = rule
        *words, verb = name.split()
        # Version 1 of the spec put the verb first: Completed Order.
        found.setdefault(fold(" ".join([verb, *words])), rule)
    found |= {fold(other): _SPEC[name] for other, name in _OTHER_NAMES.items()}
    return found | {fold(name): rule for name, rule in _META.items()}


EVENTS: Final[Mapping[str, Rule]] = _events()
"""Rules of tracked events by folded name: the spec's, their aliases, and Meta's own."""

CALLS: Final[Mapping[str, Rule]] = {
    "page": Rule("PageView", "named"),
    "screen": Rule("PageView", "named"),
}
"""Rules of calls that are not ``track``. The others make no event of their own."""

TYPES: Final = ("track", "page", "screen", "identify", "group", "alias")

COUNTED: Final = frozenset(["Purchase", "InitiateCheckout"])
"""Events that Meta documents ``num_items`` for."""

TRAITS: Final[Mapping[str, tuple[str, ...]]] = {
    "email": ("email", "emailaddress", "mail"),
    "phone": ("phone", "phonenumber", "mobile", "mobilephone", "mobilenumber", "telephone"),
    "first_name": ("firstname", "givenname"),
    "last_name": ("lastname", "surname", "familyname"),
    "date_of_birth": ("birthday", "birthdate", "dateofbirth", "dob"),
    "gender": ("gender", "sex"),
}
"""Match keys and their folded names among traits and properties."""

ADDRESS: Final[Mapping[str, tuple[str, ...]]] = {
    "city": ("city", "town"),
    "state": ("state", "region", "province", "statecode"),
    "zip": ("postalcode", "zip", "zipcode", "postcode"),
    "country": ("country", "countrycode"),
}
"""Match keys and their folded names in a trait ``address``, or beside it."""

IDS: Final[Mapping[str, str]] = {
    "subscriptionid": "subscription_id",
    "fbloginid": "fb_login_id",
    "leadid": "lead_id",
    "anonid": "anon_id",
    "ctwaclid": "ctwa_clid",
    "pageid": "page_id",
    "pagescopeduserid": "page_scoped_user_id",
    "whatsappbusinessaccountid": "whatsapp_business_account_id",
    "igaccountid": "ig_account_id",
    "igsid": "ig_sid",
    "partnerid": "partner_id",
    "partnername": "partner_name",
}
"""Folded names of ids that Meta gave out, and the match keys they are."""

INTEGRATIONS: Final = frozenset(
    fold(name)
    for name in (
        "Facebook Conversions API",
        "Facebook Conversions API (Actions)",
        "Facebook Conversion API",
        "Facebook Conversions",
        "Facebook Pixel Server-Side",
        "Meta Conversions API",
        "Meta Conversions",
        "capi-plugins",
    )
)
"""What ``integrations`` may call this destination, folded; Segment's, RudderStack's and ours."""

APPLE: Final = frozenset(
    ["ios", "ipados", "iphoneos", "watchos", "tvos", "visionos", "iphone", "ipad"]
)
ANDROID: Final = frozenset(["android", "androidos", "fireos", "wearos"])
