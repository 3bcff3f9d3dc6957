"""A whole visit of the Flask example shop, with every logger told to say everything.

What the shop's own database and server log is theirs, so theirs are left out.
"""

import logging
import sys

logging.basicConfig(
    stream=sys.stdout, level=logging.DEBUG, format="%(name)s %(levelname)s %(message)s %(args)s"
)
for name in ("sqlalchemy", "werkzeug"):
    logging.getLogger(name).setLevel(logging.WARNING)

from served_flask import app  # noqa: E402
from serving import VISITOR  # noqa: E402

BUYER = {
    "email": "canary.ada@example.com",
    "phone": "+49 30 7654321",
    "first_name": "Canarina",
    "last_name": "Lovelace",
    "address": "Hauptstr. 1",
    "zip": "10115",
    "city": "Berlin",
    "state": "BE",
    "country": "DE",
    "payment": "card",
    "card_number": "4242 4242 4242 4242",
}

app.config["WTF_CSRF_ENABLED"] = False
browser = app.test_client()
for cookie in VISITOR["Cookie"].split("; "):
    browser.set_cookie(*cookie.split("=", 1))
visit = {
    "headers": {"User-Agent": VISITOR["User-Agent"]},
    "environ_base": {"REMOTE_ADDR": "203.0.113.77"},
}
assert browser.get("/p/stoneware-mug/", **visit).status_code == 200
answer = browser.post("/cart/add/MUG-01/", data={"quantity": "1"}, **visit)
assert answer.status_code == 302
assert browser.get("/checkout/", **visit).status_code == 200
assert browser.post("/checkout/", data=BUYER, **visit).status_code == 302
contact = {"name": "Ada", "email": BUYER["email"], "phone": BUYER["phone"], "message": "Hello"}
browser.post("/contact/", data=contact, **visit)
client = app.extensions["capi"].client
client.track("Lead", user_data={"email": BUYER["email"], "phone": "x" * 5000, "country": "Oz"})
client.track("Bro ken", user_data={"email": [BUYER["email"], "not an address"]})
client.flush(20)
client.close()
