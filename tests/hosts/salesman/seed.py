"""Two books."""

import django

django.setup()

from shop.models import Book  # noqa: E402

for code, name, price in (("B1", "Dune", "9.99"), ("B2", "Emma", "5.00")):
    Book.objects.create(code=code, name=name, price=price)
