from django.urls import path

from . import views

app_name = "orders"
urlpatterns = [
    path("checkout/", views.checkout, name="checkout"),
    path("thanks/<str:number>/", views.thanks, name="thanks"),
    path("webhooks/payment/", views.payment_webhook, name="payment_webhook"),
]
