"""A shop that sends no signal and knows nothing of conversions."""

import os
from decimal import Decimal

from flask import Flask, redirect, render_template, request, session, url_for
from flask_login import LoginManager, UserMixin, login_user
from flask_sqlalchemy import SQLAlchemy
from jinja2 import DictLoader
from sqlalchemy import Numeric

db = SQLAlchemy()
login_manager = LoginManager()


class Item(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    sku = db.Column(db.String(20))
    name = db.Column(db.String(80))
    price = db.Column(Numeric(8, 2))
    currency = db.Column(db.String(3))


class Customer(UserMixin, db.Model):
    id = db.Column(db.Integer, primary_key=True)
    email = db.Column(db.String(200))
    password_hash = db.Column(db.String(200))


class Order(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    reference = db.Column(db.String(20))
    email = db.Column(db.String(200))
    phone = db.Column(db.String(40))
    total = db.Column(Numeric(8, 2))
    currency = db.Column(db.String(3))
    status = db.Column(db.String(20), default="new")
    items = db.relationship("OrderItem", back_populates="order")


class OrderItem(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    order_id = db.Column(db.ForeignKey("order.id"))
    item_id = db.Column(db.ForeignKey("item.id"))
    qty = db.Column(db.Integer)
    unit_price = db.Column(Numeric(8, 2))
    order = db.relationship("Order", back_populates="items")
    item = db.relationship("Item")


PAGES = {
    "show.html": "<h1>{{ item.name }}</h1>",
    "results.html": "{% for item in items %}{{ item.name }}{% endfor %}",
    "basket.html": "{{ total }}",
    "checkout.html": "{{ basket.total }}",
    "thanks.html": "Thank you, {{ order.email }}",
    "join.html": "<form method=post></form>",
}


class Basket:
    def __init__(self):
        self.currency = "GBP"
        self.lines = []
        for sku, qty in session.get("basket", {}).items():
            item = db.session.execute(db.select(Item).filter_by(sku=sku)).scalar_one()
            self.lines.append({"item": item, "qty": qty, "price": item.price})

    @property
    def total(self):
        return sum((line["price"] * line["qty"] for line in self.lines), Decimal(0))


def show_item(sku):
    item = db.first_or_404(db.select(Item).filter_by(sku=sku))
    return render_template("show.html", item=item)


def search():
    found = db.session.scalars(db.select(Item).where(Item.name.icontains(request.args["query"])))
    return render_template("results.html", items=found.all())


def basket():
    return render_template("basket.html", total=Basket().total)


def basket_put():
    sku = request.form["sku"]
    kept = session.get("basket", {})
    session["basket"] = {**kept, sku: kept.get(sku, 0) + int(request.form["qty"])}
    return redirect(url_for("basket"))


def checkout():
    if request.method == "GET":
        return render_template("checkout.html", basket=Basket())
    shopper = Basket()
    order = Order(
        email=request.form["email"],
        phone=request.form["phone"],
        total=shopper.total,
        currency="GBP",
    )
    db.session.add(order)
    db.session.flush()
    order.reference = f"P-{order.id:05d}"
    for line in shopper.lines:
        row = OrderItem(order=order, item=line["item"], qty=line["qty"], unit_price=line["price"])
        db.session.add(row)
    db.session.commit()
    if request.form["card"] == "declined":
        return "Declined", 402
    order.status = "paid"
    db.session.commit()
    session["basket"] = {}
    session["order"] = order.id
    return redirect(url_for("thanks"))


def thanks():
    return render_template("thanks.html", order=db.session.get(Order, session["order"]))


def join():
    if request.method == "GET":
        return render_template("join.html")
    customer = Customer(email=request.form["email"], password_hash="x")
    db.session.add(customer)
    db.session.commit()
    login_user(customer)
    return redirect(url_for("basket"))


def newsletter():
    return redirect(url_for("basket")) if "@" in request.form["email"] else ("?", 400)


def create_app():
    app = Flask("plain")
    app.secret_key = "plain"
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{os.environ['PLAIN_DATABASE']}"
    app.jinja_loader = DictLoader(PAGES)
    db.init_app(app)
    login_manager.init_app(app)
    login_manager.user_loader(lambda user_id: db.session.get(Customer, int(user_id)))
    both = ["GET", "POST"]
    app.add_url_rule("/items/<sku>", view_func=show_item)
    app.add_url_rule("/search", view_func=search)
    app.add_url_rule("/basket", view_func=basket)
    app.add_url_rule("/basket/put", view_func=basket_put, methods=["POST"])
    app.add_url_rule("/checkout", view_func=checkout, methods=both)
    app.add_url_rule("/thanks", view_func=thanks)
    app.add_url_rule("/join", view_func=join, methods=both)
    app.add_url_rule("/newsletter", view_func=newsletter, methods=["POST"])
    with app.app_context():
        db.create_all()
        if not db.session.scalar(db.select(Item)):
            db.session.add(Item(sku="T-1", name="Teapot", price=Decimal("19.50"), currency="GBP"))
            db.session.add(Item(sku="M-2", name="Mug", price=Decimal(7), currency="GBP"))
            db.session.commit()
    return app
