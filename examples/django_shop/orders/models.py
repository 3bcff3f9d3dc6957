import secrets

from catalog.models import Product
from django.conf import settings
from django.db import models


def new_order_number():
    return f"F{secrets.randbelow(10**8):08d}"


class Order(models.Model):
    class Country(models.TextChoices):
        GERMANY = "DE", "Germany"
        AUSTRIA = "AT", "Austria"
        FRANCE = "FR", "France"
        NETHERLANDS = "NL", "Netherlands"
        UNITED_STATES = "US", "United States"

    number = models.CharField(max_length=20, unique=True, default=new_order_number, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="orders",
    )
    email = models.EmailField()
    phone = models.CharField(max_length=40, blank=True)
    first_name = models.CharField(max_length=80)
    last_name = models.CharField(max_length=80)
    address = models.CharField(max_length=200)
    city = models.CharField(max_length=80)
    state = models.CharField(max_length=80, blank=True)
    zip = models.CharField("postcode", max_length=20)
    country = models.CharField(max_length=2, choices=Country, default=Country.GERMANY)
    currency = models.CharField(max_length=3, default="EUR")
    total = models.DecimalField(max_digits=10, decimal_places=2)
    paid = models.BooleanField(default=False)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created"]

    def __str__(self):
        return self.number

    def mark_paid(self):
        self.paid = True
        self.save(update_fields=["paid"])


class OrderLine(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.PROTECT)
    quantity = models.PositiveIntegerField()
    unit_price = models.DecimalField(max_digits=10, decimal_places=2)

    def __str__(self):
        return f"{self.quantity} x {self.product}"

    @property
    def total(self):
        return self.unit_price * self.quantity
