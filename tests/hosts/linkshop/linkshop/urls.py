from django.urls import path

from linkshop import views

urlpatterns = [
    path("shop/<slug>/", views.ItemPage.as_view(), name="shown"),
    path("add-to-cart/<slug>/", views.add_to_cart, name="add-to-cart"),
    path("order-summary/", views.summary, name="summary"),
    path("checkout/", views.checkout, name="checkout"),
    path("preview/<int:pk>/", views.preview, name="preview"),
    path("join/", views.join, name="join"),
    path("hooks/money/", views.webhook, name="webhook"),
]
