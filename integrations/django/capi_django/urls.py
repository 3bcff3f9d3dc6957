"""Where Segment's libraries and webhooks send to.

::

    urlpatterns += [path("capi/", include("capi_django.urls"))]
"""

from __future__ import annotations

from django.urls import re_path

from capi_django import views
from capi_plugins.receiving import TRACKING, WEBHOOKS

app_name = "capi"
urlpatterns = [
    re_path(rf"^(?P<path>{place}/.+)$", views.receive, name=place) for place in (TRACKING, WEBHOOKS)
]
