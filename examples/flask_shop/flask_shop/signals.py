from blinker import Namespace

_signals = Namespace()

# Sent with order= while the order is being placed, inside its transaction.
order_placed = _signals.signal("order-placed")

# Sent with user= when somebody has opened an account.
user_registered = _signals.signal("user-registered")
