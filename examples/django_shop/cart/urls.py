from django.urls import path

from . import views

app_name = "cart"
urlpatterns = [
    path("", views.detail, name="detail"),
    path("add/<str:sku>/", views.add, name="add"),
    path("remove/<str:sku>/", views.remove, name="remove"),
]
