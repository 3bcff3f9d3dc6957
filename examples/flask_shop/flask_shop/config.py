"""Settings of the Fernhill shop."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent


def _database_url():
    """Any database that SHOP_DATABASE_URL names, otherwise a SQLite file."""
    path = os.environ.get("SHOP_DATABASE", BASE_DIR / "shop.sqlite3")
    return os.environ.get("SHOP_DATABASE_URL", f"sqlite:///{Path(path).resolve()}")


class Config:
    SECRET_KEY = os.environ.get("SHOP_SECRET_KEY", "fernhill-example-not-for-production")
    SQLALCHEMY_DATABASE_URI = _database_url()
    SESSION_COOKIE_SAMESITE = "Lax"
    CURRENCY = "EUR"
    PAYMENT_WEBHOOK_SECRET = os.environ.get("PAYMENT_WEBHOOK_SECRET", "example-webhook-secret")


# A strict policy: no script in the page without a nonce. SHOP_CSP names what else pages may reach.
if "SHOP_CSP" in os.environ:
    others = os.environ["SHOP_CSP"].split()
    Config.SECURITY = {
        "force_https": False,
        "session_cookie_secure": False,
        "content_security_policy": {
            "default-src": "'self'",
            "script-src": "'self'",
            "img-src": ["'self'", "data:", *others],
            "connect-src": ["'self'", *others],
        },
        "content_security_policy_nonce_in": ["script-src"],
    }


# ---- Meta Conversions API ----------------------------------------------------------------------
# Everything that this shop says about conversions. Without this block it is the same shop.

if not os.environ.get("SHOP_WITHOUT_CAPI"):
    Config.CAPI = {
        "DESTINATIONS": {
            "meta": {
                "DATASET_ID": os.environ.get("CAPI_META_DATASET_ID", "1234567890"),
                "ACCESS_TOKEN": os.environ.get("CAPI_META_ACCESS_TOKEN", "sandbox-token"),
                # An example must not reach Meta by accident: without SANDBOX_URL it stays here.
                "API_URL": os.environ.get("SANDBOX_URL", "http://127.0.0.1:8900"),
            },
        },
        "CONSENT": {
            "DEFAULT": os.environ.get("SHOP_CONSENT", "denied"),
            "SOURCES": ["cookieyes"],
        },
        "PAGE_VIEW": True,
        "RECIPES": [],  # TRIGGERS says it all
        "USER_DATA": {
            "external_id": "id",
            "email": "email",
            "first_name": "first_name",
            "last_name": "last_name",
        },
        "TRIGGERS": [
            {
                "ON": "request",
                "ROUTE": "catalog.product",
                "METHOD": "GET",
                "STATUS": 200,
                "EVENT": "ViewContent",
                "CUSTOM_DATA": {
                    "content_ids": "context.product.sku",
                    "content_type": {"VALUE": "product"},
                    "content_name": "context.product.name",
                    "content_category": "context.product.category",
                    "value": "context.product.price",
                    "currency": "context.product.currency",
                },
            },
            {
                "ON": "request",
                "ROUTE": "catalog.search",
                "METHOD": "GET",
                "STATUS": 200,
                "EVENT": "Search",
                "CUSTOM_DATA": {"search_string": "args.q"},
            },
            {
                "ON": "request",
                "ROUTE": "cart.add",
                "METHOD": "POST",
                "STATUS": 302,
                "EVENT": "AddToCart",
                "CUSTOM_DATA": {
                    "content_ids": "kwargs.sku",
                    "content_type": {"VALUE": "product"},
                },
            },
            {
                "ON": "request",
                "ROUTE": "orders.checkout",
                "METHOD": "GET",
                "STATUS": 200,
                "EVENT": "InitiateCheckout",
                "CUSTOM_DATA": {
                    "value": "context.cart.total",
                    "currency": "context.cart.currency",
                    "num_items": "context.cart.count",
                    "content_type": {"VALUE": "product"},
                    "contents": {
                        "EACH": "context.cart.lines",
                        "id": "item.product.sku",
                        "quantity": "item.quantity",
                        "item_price": "item.product.price",
                    },
                },
            },
            {
                "ON": "signal",
                "SIGNAL": "flask_shop.signals.order_placed",
                "WHEN": {"order.paid": True},
                "EVENT": "Purchase",
                "EVENT_ID": "order.number",
                "USER_DATA": {
                    "external_id": "order.user.id",
                    "email": ["order.email", "user.email"],
                    "phone": "order.phone",
                    "first_name": "order.first_name",
                    "last_name": "order.last_name",
                    "city": "order.city",
                    "state": "order.state",
                    "zip": "order.zip",
                    "country": "order.country",
                },
                "CUSTOM_DATA": {
                    "value": "order.total",
                    "currency": "order.currency",
                    "order_id": "order.number",
                    "content_type": {"VALUE": "product"},
                    "contents": {
                        "EACH": "order.lines",
                        "id": "item.product.sku",
                        "quantity": "item.quantity",
                        "item_price": "item.unit_price",
                    },
                },
            },
            {
                # Invoices are paid later, through the payment webhook.
                "ON": "model",
                "MODEL": "flask_shop.models.Order",
                "CHANGED": {"paid": True},
                "EVENT": "Purchase",
                "EVENT_ID": "instance.number",
                "USER_DATA": {
                    "external_id": "instance.user.id",
                    "email": "instance.email",
                    "phone": "instance.phone",
                    "first_name": "instance.first_name",
                    "last_name": "instance.last_name",
                    "city": "instance.city",
                    "state": "instance.state",
                    "zip": "instance.zip",
                    "country": "instance.country",
                },
                "CUSTOM_DATA": {
                    "value": "instance.total",
                    "currency": "instance.currency",
                    "order_id": "instance.number",
                    "content_type": {"VALUE": "product"},
                    "contents": {
                        "EACH": "instance.lines",
                        "id": "item.product.sku",
                        "quantity": "item.quantity",
                        "item_price": "item.unit_price",
                    },
                },
            },
            {
                "ON": "signal",
                "SIGNAL": "flask_shop.signals.user_registered",
                "EVENT": "CompleteRegistration",
                "EVENT_ID": "user.id",
                "USER_DATA": {
                    "external_id": "user.id",
                    "email": "user.email",
                    "first_name": "user.first_name",
                    "last_name": "user.last_name",
                },
            },
            {
                "ON": "request",
                "ROUTE": "pages.contact",
                "METHOD": "POST",
                "STATUS": 302,
                "EVENT": "Lead",
                "USER_DATA": {"email": "form.email", "phone": "form.phone"},
            },
        ],
        "BROWSER": {
            "PIXEL": os.environ.get("SHOP_PIXEL") == "1",
            "COLLECT": os.environ.get("SHOP_COLLECT") == "1",
        },
        "DELIVERY": {"OUTBOX": os.environ.get("SHOP_OUTBOX", "memory")},
        "TRUSTED_PROXIES": int(os.environ.get("SHOP_TRUSTED_PROXIES", "0")),
    }
