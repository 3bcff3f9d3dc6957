"""The payment of a shop: in django-payments a model of the shop, with everything inherited."""

from payments.models import BasePayment


class Payment(BasePayment):
    def get_failure_url(self):
        return "/failed/"

    def get_success_url(self):
        return "/thanks/"
