"""Orders, their lines, and variations of a model that triggers must tell apart."""

# ruff: noqa: DJ008 - nobody reads their names
import uuid

from django.conf import settings
from django.db import models


class Order(models.Model):
    number = models.CharField(max_length=20)
    email = models.CharField(max_length=100, blank=True)
    total = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    paid = models.BooleanField(default=False)
    status = models.CharField(max_length=20, default="new")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE)


class Line(models.Model):
    order = models.ForeignKey(Order, related_name="lines", on_delete=models.CASCADE)
    sku = models.CharField(max_length=20)


class PhoneOrder(Order):
    class Meta:
        proxy = True


class Voucher(models.Model):
    code = models.CharField(max_length=20, primary_key=True)
    used = models.BooleanField(default=False)


class Ticket(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    used = models.BooleanField(default=False)
