from django.http import HttpResponse
from django.urls import include, path

urlpatterns = [
    path("", lambda request: HttpResponse("home")),
    path("one-step/", include("django_registration.backends.one_step.urls")),
    path("activation/", include("django_registration.backends.activation.urls")),
    path("redux/", include("registration.backends.default.urls")),
    path("redux-simple/", include("registration.backends.simple.urls")),
]
