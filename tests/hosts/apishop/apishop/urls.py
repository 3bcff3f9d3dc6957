from django.urls import include, path
from rest_framework.routers import DefaultRouter

from apishop import views

router = DefaultRouter()
router.register("products", views.Products, "product")
router.register("cart-items", views.CartItems)
router.register("orders", views.Orders)
urlpatterns = [
    path("api/", include(router.urls)),
    path("api/carts/", views.NewCart.as_view(), name="cart-create"),
    path("api/sign-up/", views.SignUp.as_view(), name="sign-up"),
]
