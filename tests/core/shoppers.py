"""Shoppers, and those in whose requests their orders are paid."""

from __future__ import annotations

import attrs

from capi_plugins import Consent, RequestContext, UserData, hookimpl
from capi_plugins.context_store import Row

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
SHOPPER = RequestContext(
    url="https://shop.example/checkout/?step=2&email=ada%40shop.example",
    method="POST",
    client_ip_address="203.0.113.9",
    client_user_agent=BROWSER,
    cookies={"_fbp": "fb.1.1.7", "_fbc": "fb.1.1.click", "ads": "yes"},
    session_key="s" * 32,
)
REFUSER = attrs.evolve(SHOPPER, cookies={"_fbp": "fb.1.1.7", "ads": "no"})
WEBHOOK = RequestContext(
    url="https://shop.example/webhooks/",
    method="POST",
    client_ip_address="198.51.100.7",
    client_user_agent="Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    headers={"stripe-signature": "t=1"},
)
STAFF = RequestContext(
    url="https://shop.example/admin/",
    method="POST",
    client_ip_address="198.51.100.8",
    client_user_agent=BROWSER,
    cookies={"sessionid": "x", "_fbp": "fb.1.1.staff"},
    user=UserData(external_id="1"),
    is_staff=True,
)
SELLER = attrs.evolve(STAFF, is_staff=False, user=UserData(external_id="9"))
PROGRAM = RequestContext(
    url="https://shop.example/api/", method="POST", client_user_agent="PaymentProvider/1.0"
)
TASK = RequestContext()
RECEIVER = {
    "ON": "model",
    "MODEL": "shop.Order",
    "CHANGED": {"paid": True},
    "EVENT": "Purchase",
    "EVENT_ID": "instance.number",
}


@attrs.define
class Customer:
    id: int


@attrs.define
class Order:
    pk: int
    number: str = "A1"
    user: Customer | None = None
    cart: str | None = None


def identify(value):
    if isinstance(value, Order):
        return Row("shop.order", value.pk, lambda: value.user)
    return None


class Ads:
    """Consent from a cookie, and everything that gets through."""

    def __init__(self):
        self.sent = []

    @hookimpl
    def capi_consent(self, context):
        answers = {"yes": Consent.GRANTED, "no": Consent.DENIED, "some": Consent.LIMITED}
        return answers.get(context.cookies.get("ads"))

    @hookimpl(trylast=True)
    def capi_filter(self, event, context):
        self.sent.append(event)


class Shop:
    """A shop in which orders are made and paid, each in any request."""

    def __init__(self, client, ads, trigger):
        self.client = client
        self.ads = ads
        self.trigger = trigger

    def creates(self, order, context):
        offer = {"instance": order}
        with self.client.request(lambda: context):
            self.client.created(lambda: self.client.subject(self.trigger, offer, fresh=True))

    def pays(self, order, context):
        offer = {"instance": order}
        with self.client.request(lambda: context):
            self.client.note(
                lambda: self.trigger.build(offer),
                about=lambda: self.client.subject(self.trigger, offer),
            )

    def looks(self, context):
        with self.client.request(lambda: context):
            self.client.track("ViewContent")

    @property
    def event(self):
        (event,) = [event for event in self.ads.sent if event.event_name == "Purchase"]
        return event
