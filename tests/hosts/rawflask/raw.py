"""A shop as first tutorials write it: SQL by hand, links that do things, and texts for pages."""

import os
import sqlite3

from flask import Flask, redirect, render_template_string, request, session, url_for

app = Flask(__name__)
app.secret_key = "of no matter here"
SHOP_CURRENCY = app.config["SHOP_CURRENCY"] = "USD"
TABLES = """
CREATE TABLE IF NOT EXISTS products (id INTEGER PRIMARY KEY, name TEXT, price REAL);
CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, password TEXT);
CREATE TABLE IF NOT EXISTS kart (email TEXT, product INTEGER);
CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, email TEXT, total REAL, paid INTEGER);
INSERT OR IGNORE INTO products VALUES (1, 'Teapot', 19.5), (2, 'Checkout bag', 4.25);
"""


def ask(query, *values):
    connection = sqlite3.connect(os.environ["PLAIN_DATABASE"], timeout=20)
    connection.row_factory = sqlite3.Row
    with connection:
        rows = connection.execute(query, values).fetchall()
    connection.close()
    return rows


with sqlite3.connect(os.environ["PLAIN_DATABASE"], timeout=20) as connection:
    connection.executescript(TABLES)


def in_cart():
    return ask(
        "SELECT products.* FROM products, kart WHERE products.id = kart.product AND email = ?",
        session["email"],
    )


@app.get("/productDescription")
def productDescription():
    (product,) = ask("SELECT * FROM products WHERE id = ?", request.args["productId"])
    return f"<h1>{product['name']}</h1> for {product['price']}"


@app.get("/search")
def search():
    found = ask("SELECT name FROM products WHERE name LIKE ?", f"%{request.args['searchQuery']}%")
    return ", ".join(row["name"] for row in found)


@app.get("/addToCart")
def addToCart():
    if "email" not in session:
        return redirect(url_for("register", next=request.full_path))
    ask("INSERT INTO kart VALUES (?, ?)", session["email"], request.args["productId"])
    return redirect(url_for("cart"))


@app.get("/removeFromCart")
def removeFromCart():
    ask("DELETE FROM kart WHERE product = ?", request.args["productId"])
    return redirect(url_for("cart"))


@app.get("/cart")
def cart():
    return f"{len(in_cart())} things"


@app.get("/checkout")
def checkout():
    total = sum(row["price"] for row in in_cart())
    return render_template_string("Pay {{ totalPrice }}", totalPrice=total)


@app.post("/payment")
def payment():
    total = sum(row["price"] for row in in_cart())
    ask("INSERT INTO orders (email, total, paid) VALUES (?, ?, 1)", session["email"], total)
    ask("DELETE FROM kart WHERE email = ?", session["email"])
    (order,) = ask("SELECT max(id) AS id FROM orders WHERE email = ?", session["email"])
    session["order"] = order["id"]
    return redirect(url_for("thankYou"))


@app.get("/thankYou")
def thankYou():
    (order,) = ask("SELECT * FROM orders WHERE id = ?", session["order"])
    return render_template_string("Thank you for {{ order.total }}", order=order)


@app.route("/register", methods=["GET", "POST"])
def register():
    if request.method == "GET":
        return "<form method=post></form>"
    form = request.form
    if ask("SELECT 1 FROM users WHERE email = ?", form["email"]):
        return "This address is known"
    ask("INSERT INTO users (email, password) VALUES (?, ?)", form["email"], form["password"])
    session["email"] = form["email"]
    return redirect(url_for("cart"))
