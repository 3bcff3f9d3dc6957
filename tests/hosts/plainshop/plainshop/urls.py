from django.urls import path

from plainshop import views

urlpatterns = [
    path("articles/<int:article_id>/", views.article_detail, name="article_detail"),
    path("search/", views.search, name="search"),
    path("cart/", views.cart, name="cart"),
    path("cart/add/<int:article_id>/", views.cart_add, name="cart_add"),
    path("orders/create/", views.order_create, name="order_create"),
    path("payment/", views.payment, name="payment"),
    path("payment/done/", views.payment_done, name="payment_done"),
    path("sign-up/", views.sign_up, name="sign_up"),
]
