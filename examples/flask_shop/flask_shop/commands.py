from decimal import Decimal

import click
from flask.cli import with_appcontext
from sqlalchemy import func, select

from .extensions import db
from .models import Product

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


@click.command("seed")
@with_appcontext
def seed():
    """Create the tables and fill the shop with its products. May be run again."""
    db.create_all()
    for sku, slug, name, category, price, description in PRODUCTS:
        product = db.session.scalar(select(Product).filter_by(sku=sku)) or Product(sku=sku)
        product.slug = slug
        product.name = name
        product.category = category
        product.price = Decimal(price)
        product.description = description
        db.session.add(product)
    db.session.commit()
    click.echo(f"The shop has {db.session.scalar(select(func.count(Product.id)))} products.")
