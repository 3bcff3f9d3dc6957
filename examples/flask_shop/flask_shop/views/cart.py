from flask import Blueprint, flash, redirect, render_template, url_for
from sqlalchemy import select

from ..cart import Cart
from ..extensions import db
from ..forms import AddToCartForm
from ..models import Product

bp = Blueprint("cart", __name__)


@bp.get("/")
def detail():
    return render_template("cart/detail.html", cart=Cart())


@bp.post("/add/<sku>/")
def add(sku):
    product = db.first_or_404(select(Product).filter_by(sku=sku))
    form = AddToCartForm()
    if not form.validate_on_submit():
        return render_template("catalog/product.html", product=product, form=form), 400
    Cart().add(product, form.quantity.data)
    flash(f"{product.name} is in your cart.")
    return redirect(url_for("cart.detail"))


@bp.post("/remove/<sku>/")
def remove(sku):
    Cart().remove(db.first_or_404(select(Product).filter_by(sku=sku)))
    return redirect(url_for("cart.detail"))
