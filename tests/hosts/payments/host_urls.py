from django.urls import include, path
from shop import views

urlpatterns = [
    path("", views.page),
    path("thanks/", views.page),
    path("failed/", views.page),
    path("buy/", views.buy),
    path("pay/<int:pk>/", views.pay),
    path("capture/<int:pk>/", views.capture),
    path("release/<int:pk>/", views.release),
    path("refund/<int:pk>/", views.refund),
    path("payments/", include("payments.urls")),
]
