from django.conf import settings
from django.db import models


class Article(models.Model):
    title = models.CharField(max_length=80)
    price = models.DecimalField(max_digits=8, decimal_places=2)


class Order(models.Model):
    customer = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    email = models.EmailField()
    first_name = models.CharField(max_length=80)
    postal_code = models.CharField(max_length=10)
    paid = models.BooleanField(default=False)

    def get_total_cost(self):
        return sum(line.price * line.quantity for line in self.orderline_set.all())


class OrderLine(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE)
    article = models.ForeignKey(Article, on_delete=models.PROTECT)
    price = models.DecimalField(max_digits=8, decimal_places=2)
    quantity = models.PositiveIntegerField()
