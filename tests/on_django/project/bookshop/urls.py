"""The pages of the shop."""

from django.contrib.staticfiles.urls import staticfiles_urlpatterns
from django.urls import include, path

from bookshop import views

orders = [
    path("place/", views.place, name="place"),
    path("pay/<str:number>/", views.pay, name="pay"),
    path("fail/", views.fail, name="fail"),
]
urlpatterns = [
    path("", views.home, name="home"),
    path("async/", views.home_async, name="home_async"),
    path("book/<slug:slug>/", views.book, name="book"),
    path("contact/", views.contact, name="contact"),
    path("stream/", views.stream, name="stream"),
    path("orders/", include((orders, "orders"))),
    path("do/", views.scenario, name="do"),
    path("async/do/", views.scenario_async, name="async_do"),
    *staticfiles_urlpatterns(),
]
