from django import forms
from django.contrib.auth import get_user_model, login
from django.shortcuts import get_object_or_404, redirect, render

from plainshop.models import Article, Order, OrderLine


class Cart:
    """{article id: quantity} in the session."""

    def __init__(self, request):
        self.quantities = request.session.setdefault("cart", {})
        self.session = request.session

    def add(self, article, quantity):
        key = str(article.pk)
        self.quantities[key] = self.quantities.get(key, 0) + quantity
        self.session.modified = True

    def __iter__(self):
        for article in Article.objects.filter(pk__in=self.quantities):
            quantity = self.quantities[str(article.pk)]
            yield {"product": article, "quantity": quantity, "price": article.price}

    def __len__(self):
        return sum(self.quantities.values())

    def get_total_price(self):
        return sum(line["price"] * line["quantity"] for line in self)


class CheckoutForm(forms.ModelForm):
    class Meta:
        model = Order
        fields = ["email", "first_name", "postal_code"]


class SignUpForm(forms.Form):
    email = forms.EmailField()
    password = forms.CharField()


def article_detail(request, article_id):
    return render(request, "product.html", {"item": get_object_or_404(Article, pk=article_id)})


def search(request):
    found = Article.objects.filter(title__icontains=request.GET.get("q", ""))
    return render(request, "list.html", {"results": found})


def cart(request):
    return render(request, "cart.html", {"cart": Cart(request)})


def cart_add(request, article_id):
    article = get_object_or_404(Article, pk=article_id)
    Cart(request).add(article, int(request.POST["quantity"]))
    return redirect("cart")


def order_create(request):
    basket = Cart(request)
    form = CheckoutForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        order = form.save(commit=False)
        order.customer = request.user if request.user.is_authenticated else None
        order.save()
        for line in basket:
            OrderLine.objects.create(
                order=order, article=line["product"], price=line["price"], quantity=line["quantity"]
            )
        request.session["order"] = order.pk
        return redirect("payment")
    return render(request, "checkout.html", {"cart": basket, "form": form})


def payment(request):
    order = get_object_or_404(Order, pk=request.session.get("order"))
    if request.method == "POST":
        order.paid = True
        order.save()
        request.session["cart"] = {}
        return redirect("payment_done")
    return render(request, "pay.html", {"order": order})


def payment_done(request):
    return render(request, "done.html", {"order": Order.objects.get(pk=request.session["order"])})


def sign_up(request):
    form = SignUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        email = form.cleaned_data["email"]
        user = get_user_model().objects.create_user(email, email, form.cleaned_data["password"])
        login(request, user)
        return redirect("cart")
    return render(request, "form.html", {"form": form})
