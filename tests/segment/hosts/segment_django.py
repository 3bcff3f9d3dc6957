"""A Django host in one file: its pages, and one line that takes what Segment's libraries send."""

import json
import os

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import include, path
from django.views.static import serve

settings.configure(
    SECRET_KEY="a host for tests",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DATABASES={},
    INSTALLED_APPS=["capi_django"],
    MIDDLEWARE=[
        "django.middleware.csrf.CsrfViewMiddleware",
        "capi_django.middleware.CapiMiddleware",
    ],
    CAPI=json.loads(os.environ["HOST_CAPI"]),
)
django.setup()

urlpatterns = [
    path("capi/", include("capi_django.urls")),
    path("shop/<path:path>", serve, {"document_root": os.environ["HOST_PAGES"]}),
]
app = get_wsgi_application()
