from django.conf import settings
from django.db import models


class Item(models.Model):
    title = models.CharField(max_length=100)
    slug = models.SlugField()
    price = models.FloatField()
    discount_price = models.FloatField(null=True)


class OrderItem(models.Model):
    item = models.ForeignKey(Item, on_delete=models.CASCADE)
    quantity = models.IntegerField(default=1)

    def get_final_price(self):
        return self.quantity * (self.item.discount_price or self.item.price)


class Order(models.Model):
    STATES = [(1, "new"), (2, "Completed"), (3, "returned")]

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    items = models.ManyToManyField(OrderItem)
    state = models.IntegerField(choices=STATES, default=1)
    completed = models.DateTimeField(null=True)

    def get_total(self):
        return sum(line.get_final_price() for line in self.items.all())


class Invoice(models.Model):
    """Is made beside the order, a first time before it is paid."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE)
    total = models.FloatField()
    payment_date = models.DateField(auto_now_add=True)
