from django.conf import settings
from django.contrib import admin
from django.contrib.staticfiles.views import serve
from django.urls import include, path, re_path

urlpatterns = [
    path("", include("catalog.urls")),
    path("cart/", include("cart.urls")),
    path("", include("orders.urls")),
    path("accounts/", include("accounts.urls")),
    path("", include("pages.urls")),
    path("admin/", admin.site.urls),
    # A shop this small serves its stylesheet itself; a larger one leaves that to its web server.
    re_path(r"^static/(?P<path>.*)$", serve, {"insecure": True}),
]

if "capi_django" in settings.INSTALLED_APPS:
    urlpatterns.append(path("capi/", include("capi_django.urls")))
