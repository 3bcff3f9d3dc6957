import json

from django.contrib.auth import get_user_model, login
from django.contrib.auth.decorators import login_required
from django.db.models.signals import post_save  # noqa: F401 - it is Django's all the same
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.generic import DetailView

from linkshop.models import Invoice, Item, Order, OrderItem


class ItemPage(DetailView):
    model = Item
    template_name = "page.html"


def current(request):
    return Order.objects.get_or_create(user=request.user, completed=None)[0]


@login_required
def add_to_cart(request, slug):
    order = current(request)
    line = order.items.filter(item__slug=slug).first()
    if line is None:
        order.items.add(OrderItem.objects.create(item=get_object_or_404(Item, slug=slug)))
    else:
        line.quantity += 1
        line.save()
    return redirect("summary")


@login_required
def summary(request):
    return render(request, "page.html", {"order": current(request)})


@login_required
def checkout(request):
    return render(request, "page.html", {"order": current(request)})


@login_required
def preview(request, pk):
    order = get_object_or_404(Order, pk=pk)
    if request.method == "POST":
        Invoice.objects.create(order=order, total=order.get_total())
        return redirect("summary")
    return render(request, "page.html", {"object": order, "order": order})


def webhook(request):
    told = json.loads(request.body)
    order = get_object_or_404(Order, pk=told["order"])
    order.state, order.completed = 2, timezone.now()
    order.save()
    Invoice.objects.create(order=order, total=order.get_total())
    return HttpResponse()


def join(request):
    if request.method == "POST":
        form = request.POST
        user = get_user_model().objects.create_user(form["email"], form["email"], form["password"])
        login(request, user)
        return redirect(request.GET.get("next", "summary"))
    return render(request, "page.html", {})
