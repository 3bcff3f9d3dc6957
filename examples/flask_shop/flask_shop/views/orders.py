from flask import Blueprint, abort, redirect, render_template, request, session, url_for
from flask_login import current_user
from sqlalchemy import select

from ..cart import Cart
from ..extensions import db
from ..forms import CheckoutForm
from ..models import Order
from ..orders import place_order
from ..payments import PaymentDeclined, is_signed

bp = Blueprint("orders", __name__)


@bp.route("/checkout/", methods=["GET", "POST"])
def checkout():
    cart = Cart()
    if not cart.count:
        return redirect(url_for("cart.detail"))
    form = CheckoutForm(obj=current_user if current_user.is_authenticated else None)
    if form.validate_on_submit():
        try:
            order = place_order(form.order_details, cart, form.chosen_card)
        except PaymentDeclined as error:
            db.session.rollback()
            page = render_template(
                "orders/checkout.html", cart=cart, form=form, payment_error=error
            )
            return page, 402
        cart.clear()
        session["placed_orders"] = [*session.get("placed_orders", []), order.number]
        return redirect(url_for("orders.thanks", number=order.number))
    return render_template("orders/checkout.html", cart=cart, form=form)


@bp.get("/thanks/<number>/")
def thanks(number):
    order = db.first_or_404(select(Order).filter_by(number=number))
    is_own = current_user.is_authenticated and order.user_id == current_user.id
    if not is_own and number not in session.get("placed_orders", []):
        abort(404)
    return render_template("orders/thanks.html", order=order)


@bp.post("/webhooks/payment/")
def payment_webhook():
    """The payment provider tells that an invoice was settled, until it is answered with a 2xx."""
    if not is_signed(request.get_data(), request.headers.get("X-Payment-Signature", "")):
        return "Wrong signature\n", 403
    message = request.get_json(silent=True)
    if not isinstance(message, dict) or not {"order", "status"} <= message.keys():
        return "Expected a JSON object with order and status\n", 400
    order = db.first_or_404(select(Order).filter_by(number=message["order"]).with_for_update())
    if message["status"] == "paid":
        order.paid = True
        db.session.commit()
    return "", 204
