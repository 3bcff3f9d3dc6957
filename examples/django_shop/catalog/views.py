from django.db.models import Q
from django.shortcuts import get_object_or_404, redirect, render

from .models import Product


def home(request):
    return render(request, "catalog/home.html", {"products": Product.objects.all()})


def product(request, slug):
    return render(
        request, "catalog/product.html", {"product": get_object_or_404(Product, slug=slug)}
    )


def search(request):
    query = request.GET.get("q", "").strip()
    if not query:
        return redirect("catalog:home")
    products = Product.objects.filter(
        Q(name__icontains=query) | Q(description__icontains=query) | Q(category__icontains=query)
    )
    return render(request, "catalog/search.html", {"query": query, "products": products})
