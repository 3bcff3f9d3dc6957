"""Buying and paying, as the documentation of django-payments shows it."""

from decimal import Decimal

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from payments import RedirectNeeded, get_payment_model


def buy(request):
    payment = get_payment_model().objects.create(
        variant="default",
        total=Decimal(request.POST["total"]),
        currency="EUR",
        billing_first_name="Jane",
        billing_last_name="Doe",
        billing_city="Berlin",
        billing_postcode="10115",
        billing_country_code="DE",
        billing_email="jane@example.com",
        billing_phone="+4930901820",
        customer_ip_address=request.META["REMOTE_ADDR"],
    )
    return redirect(f"/pay/{payment.pk}/")


def pay(request, pk):
    payment = get_object_or_404(get_payment_model(), pk=pk)
    try:
        form = payment.get_form(data=request.POST or None)
    except RedirectNeeded as target:
        return redirect(str(target))
    return TemplateResponse(request, "pay.html", {"form": form, "payment": payment})


def capture(request, pk):
    payment = get_object_or_404(get_payment_model(), pk=pk)
    payment.capture(Decimal(request.GET["amount"]))
    payment.save()
    return HttpResponse("captured")


def release(request, pk):
    get_object_or_404(get_payment_model(), pk=pk).release()
    return HttpResponse("released")


def refund(request, pk):
    amount = Decimal(request.GET["amount"]) if "amount" in request.GET else None
    get_object_or_404(get_payment_model(), pk=pk).refund(amount)
    return HttpResponse("refunded")


def page(request):
    return TemplateResponse(request, "page.html")
