from django.urls import include, path
from shop import views

urlpatterns = [
    path("", views.page),
    path("thanks/", views.page),
    path("failed/", views.page),
    path("buy/", views.buy),
    path("pay/<int:pk>/", views.pay),
    path("refund/<int:pk>/", views.refund),
    path("payments/", include("payments.urls")),
]
