"""Two books in stock, a voucher, a customer and a member of staff."""

import datetime
from decimal import Decimal

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.contrib.sites.models import Site  # noqa: E402
from oscar.core.loading import get_model  # noqa: E402
from oscar.test.factories import create_product  # noqa: E402

Site.objects.update_or_create(pk=1, defaults={"domain": "shop.example", "name": "shop"})
get_model("address", "Country").objects.create(
    iso_3166_1_a2="DE",
    iso_3166_1_a3="DEU",
    iso_3166_1_numeric="276",
    printable_name="Germany",
    name="Germany",
    is_shipping_country=True,
    display_order=1,
)
for upc, title, price in (("B1", "Dune", "9.99"), ("B2", "Emma", "5.00")):
    create_product(upc=upc, title=title, price=Decimal(price), num_in_stock=1000)

Range, Condition, Benefit, Offer = (
    get_model("offer", name) for name in ("Range", "Condition", "Benefit", "ConditionalOffer")
)
everything = Range.objects.create(name="everything", includes_all_products=True)
offer = Offer.objects.create(
    name="ten percent",
    offer_type=Offer.VOUCHER,
    condition=Condition.objects.create(range=everything, type=Condition.COUNT, value=1),
    benefit=Benefit.objects.create(range=everything, type=Benefit.PERCENTAGE, value=10),
)
now = datetime.datetime.now(datetime.UTC)
voucher = get_model("voucher", "Voucher").objects.create(
    name="Ten",
    code="TEN",
    usage="Multi-use",
    start_datetime=now - datetime.timedelta(days=1),
    end_datetime=now + datetime.timedelta(days=30),
)
voucher.offers.add(offer)
for name, staff in (("customer", False), ("staff", True)):
    User.objects.create_user(
        name,
        f"{name}@shop.example",
        "secret-pass-1",
        is_staff=staff,
        is_superuser=staff,
        first_name="Ada",
        last_name="Byron",
    )
