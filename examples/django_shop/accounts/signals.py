from django.dispatch import Signal

# Sent with user= and request= when somebody has opened an account.
user_registered = Signal()
