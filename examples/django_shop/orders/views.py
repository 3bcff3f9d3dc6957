import json

from cart.cart import Cart
from django.db import transaction
from django.http import Http404, HttpResponse, HttpResponseBadRequest, HttpResponseForbidden
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from .forms import CheckoutForm
from .models import Order
from .payments import PaymentDeclined, is_signed
from .services import place_order

PLACED_ORDERS = "placed_orders"


def checkout(request):
    cart = Cart(request.session)
    if not cart.count:
        return redirect("cart:detail")
    if request.method == "POST":
        form = CheckoutForm(request.POST)
        if form.is_valid():
            try:
                order = place_order(request, form.save(commit=False), cart, form.chosen_card)
            except PaymentDeclined as error:
                context = {"cart": cart, "form": form, "payment_error": error}
                return render(request, "orders/checkout.html", context, status=402)
            cart.clear()
            request.session[PLACED_ORDERS] = [*request.session.get(PLACED_ORDERS, []), order.number]
            return redirect("orders:thanks", number=order.number)
    else:
        form = CheckoutForm(initial=_known_details(request.user))
    return render(request, "orders/checkout.html", {"cart": cart, "form": form})


def _known_details(user):
    if not user.is_authenticated:
        return {}
    return {"email": user.email, "first_name": user.first_name, "last_name": user.last_name}


def thanks(request, number):
    order = get_object_or_404(Order, number=number)
    is_own = request.user.is_authenticated and order.user_id == request.user.pk
    if not is_own and number not in request.session.get(PLACED_ORDERS, []):
        raise Http404
    return render(request, "orders/thanks.html", {"order": order})


@csrf_exempt
@require_POST
def payment_webhook(request):
    """The payment provider tells that an invoice was settled, until it is answered with a 2xx."""
    if not is_signed(request.body, request.headers.get("X-Payment-Signature", "")):
        return HttpResponseForbidden("Wrong signature\n")
    try:
        message = json.loads(request.body)
        number, status = message["order"], message["status"]
    except (ValueError, KeyError, TypeError):
        return HttpResponseBadRequest("Expected a JSON object with order and status\n")
    with transaction.atomic():
        order = get_object_or_404(Order.objects.select_for_update(), number=number)
        if status == "paid" and not order.paid:
            order.mark_paid()
    return HttpResponse(status=204)
