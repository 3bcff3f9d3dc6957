from catalog.models import Product
from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from .cart import Cart
from .forms import AddToCartForm


def detail(request):
    return render(request, "cart/detail.html", {"cart": Cart(request.session)})


@require_POST
def add(request, sku):
    product = get_object_or_404(Product, sku=sku)
    form = AddToCartForm(request.POST)
    if not form.is_valid():
        return render(
            request, "catalog/product.html", {"product": product, "form": form}, status=400
        )
    Cart(request.session).add(product, form.cleaned_data["quantity"])
    messages.success(request, f"{product.name} is in your cart.")
    return redirect("cart:detail")


@require_POST
def remove(request, sku):
    Cart(request.session).remove(get_object_or_404(Product, sku=sku))
    return redirect("cart:detail")
