from decimal import Decimal

from django.core.management.base import BaseCommand

from catalog.models import Product

PRODUCTS = [
    (
        "MUG-01",
        "stoneware-mug",
        "Stoneware mug",
        "Kitchen",
        "24.00",
        "Thrown by hand, holds 350 ml and keeps tea warm.",
    ),
    (
        "APR-01",
        "linen-apron",
        "Linen apron",
        "Kitchen",
        "49.50",
        "Washed linen with two deep pockets and a cross back.",
    ),
    (
        "BRD-01",
        "olive-wood-board",
        "Olive wood board",
        "Kitchen",
        "38.90",
        "Cut from one piece, oiled, 40 by 20 cm.",
    ),
    (
        "PAN-01",
        "cast-iron-pan",
        "Cast iron pan",
        "Kitchen",
        "79.00",
        "26 cm, seasoned three times, for every kind of stove.",
    ),
    (
        "KET-01",
        "pour-over-kettle",
        "Pour-over kettle",
        "Coffee & tea",
        "64.95",
        "A slim spout and a good grip for slow coffee.",
    ),
    (
        "TEA-01",
        "garden-herb-tea",
        "Garden herb tea",
        "Coffee & tea",
        "9.80",
        "Mint, lemon verbena and marigold, 80 g.",
    ),
    (
        "CAN-01",
        "watering-can",
        "Watering can",
        "Garden",
        "42.00",
        "Galvanised steel, five litres, with a brass rose.",
    ),
    (
        "SED-01",
        "herb-seed-set",
        "Herb seed set",
        "Garden",
        "14.20",
        "Basil, thyme, dill, chives, parsley and coriander.",
    ),
]


class Command(BaseCommand):
    help = "Fills the shop with its products. May be run again."

    def handle(self, *args, **options):
        for sku, slug, name, category, price, description in PRODUCTS:
            Product.objects.update_or_create(
                sku=sku,
                defaults={
                    "slug": slug,
                    "name": name,
                    "category": category,
                    "price": Decimal(price),
                    "description": description,
                },
            )
        self.stdout.write(f"The shop has {Product.objects.count()} products.")
