from django.dispatch import Signal

# Sent with order= and request= while the order is being placed, inside its transaction.
order_placed = Signal()
