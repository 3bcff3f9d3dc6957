"""Views as shops have them, and two that do what a test says."""

from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import render

from bookshop.models import Order
from bookshop.signals import order_placed

SCENARIO = {}
"""What ``/do/`` does, set by a test."""


def shop_name(request):
    return {"shop": {"name": "Bookshop", "currency": "EUR"}}


def scenario(request):
    return SCENARIO["view"](request)


async def scenario_async(request):
    return await SCENARIO["view"](request)


def home(request):
    return render(request, "bookshop/home.html")


async def home_async(request):
    return render(request, "bookshop/home.html")


def book(request, slug):
    found = {"sku": slug, "price": "12.50"}
    return render(request, "bookshop/book.html", {"book": found})


def contact(request):
    if request.method == "POST":
        return HttpResponseRedirect(f"/?thanks={request.POST.get('name', '')}")
    return HttpResponse("contact")


def stream(request):
    return StreamingHttpResponse([b"one ", b"two"], content_type="text/html")


def place(request):
    with transaction.atomic():
        order = Order.objects.create(
            number=request.POST["number"], email=request.POST["email"], total="20.00"
        )
        order_placed.send(sender=Order, order=order)
        order.lines.create(sku="B1")
    return HttpResponseRedirect("/")


def pay(request, number):
    order = Order.objects.get(number=number)
    order.paid = True
    order.save()
    return HttpResponse("paid")


def fail(request):
    with transaction.atomic():
        order = Order.objects.create(number=request.POST["number"], paid=True)
        order_placed.send(sender=Order, order=order)
        raise RuntimeError("the payment broke")
