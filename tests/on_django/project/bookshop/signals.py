"""What the shop tells about itself."""

from django.dispatch import Signal

order_placed = Signal()
WEBHOOKS = {"invoice.paid": Signal()}
not_a_signal = object()
