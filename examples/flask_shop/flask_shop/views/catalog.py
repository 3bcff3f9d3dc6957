from flask import Blueprint, redirect, render_template, request, url_for
from sqlalchemy import or_, select

from ..extensions import db
from ..forms import AddToCartForm
from ..models import Product

bp = Blueprint("catalog", __name__)

PRODUCTS = select(Product).order_by(Product.category, Product.name)


@bp.get("/")
def home():
    return render_template("catalog/home.html", products=db.session.scalars(PRODUCTS).all())


@bp.get("/p/<slug>/")
def product(slug):
    found = db.first_or_404(select(Product).filter_by(slug=slug))
    return render_template("catalog/product.html", product=found, form=AddToCartForm())


@bp.get("/search/")
def search():
    query = request.args.get("q", "").strip()
    if not query:
        return redirect(url_for("catalog.home"))
    columns = (Product.name, Product.description, Product.category)
    matches = or_(*(column.icontains(query, autoescape=True) for column in columns))
    products = db.session.scalars(PRODUCTS.where(matches)).all()
    return render_template("catalog/search.html", query=query, products=products)
